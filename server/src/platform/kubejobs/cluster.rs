//! The way to the cluster: made at the first use, every question within a time, failures in words, and whether it
//! answers at all.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use kube::{Client, Error};
use tokio::sync::OnceCell;

use super::ClusterSettings;
use crate::lock::lock;

/// A question that is not answered within this is asked again.
pub const ANSWER: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(2);
/// A watch is told something about once a minute, if only that nothing happened. One that is silent for longer is cut.
pub const SILENCE: Duration = Duration::from_secs(90);
/// A cluster from which nothing was heard for so long is asked whether it is there.
const HEARD_WITHIN: Duration = Duration::from_secs(30);
/// One that does not answer is asked so often.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    settings: ClusterSettings,
    client: OnceCell<Client>,
    /// For what is silent by nature, and must not be so for too long.
    watching: OnceCell<Client>,
    pulse: Mutex<Pulse>,
}

/// When the cluster answered last, and what became of the newest question.
struct Pulse {
    heard: Instant,
    asked: Instant,
    away: Option<String>,
}

/// Why the cluster did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub kind: Kind,
    /// One sentence that says what to do.
    pub words: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// There is no such object.
    Gone,
    /// It is not the object that was meant, or is on its way out.
    Conflict,
    /// Somebody else has set a field that was to be set.
    Owned,
    /// It would say the same again until somebody changes something.
    Refused,
    /// No answer, or one that says to try again later.
    Away,
}

impl Cluster {
    pub fn new(settings: ClusterSettings) -> Self {
        Self::with(settings, None)
    }

    #[cfg(test)]
    pub fn of(client: Client, settings: ClusterSettings) -> Self {
        Self::with(settings, Some(client))
    }

    fn with(settings: ClusterSettings, client: Option<Client>) -> Self {
        let now = Instant::now();
        let pulse = Mutex::new(Pulse { heard: now, asked: now, away: None });
        let (client, watching) = (OnceCell::new_with(client.clone()), OnceCell::new_with(client));
        Self(Arc::new(Inner { settings, client, watching, pulse }))
    }

    pub fn settings(&self) -> &ClusterSettings {
        &self.0.settings
    }

    /// The client, made by the first who asks.
    ///
    /// # Errors
    /// When the kubeconfig cannot be used; the next who asks tries again.
    pub async fn client(&self) -> Result<Client, Trouble> {
        self.0.client.get_or_try_init(|| self.connect(None)).await.cloned()
    }

    /// The client for watches that are never silent for long: one that is, fails.
    ///
    /// # Errors
    /// As `client`.
    pub async fn watching(&self) -> Result<Client, Trouble> {
        self.0.watching.get_or_try_init(|| self.connect(Some(SILENCE))).await.cloned()
    }

    async fn connect(&self, silence: Option<Duration>) -> Result<Client, Trouble> {
        let refused = |words| Trouble { kind: Kind::Refused, words };
        let mut config = self.0.settings.config().await.map_err(refused)?;
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = silence.or(config.read_timeout);
        Client::try_from(config).map_err(|error| refused(format!("The kubeconfig cannot be used: {}.", crate::words::chain(&error))))
    }

    /// Asks within the time for an answer, and notes whether one came.
    ///
    /// # Errors
    /// In words.
    pub async fn ask<T>(&self, question: impl Future<Output = kube::Result<T>>) -> Result<T, Trouble> {
        let answer = ask(question).await;
        let mut pulse = lock(&self.0.pulse);
        match &answer {
            Err(trouble) if trouble.kind == Kind::Away => pulse.away = Some(trouble.words.clone()),
            _ => (pulse.heard, pulse.away) = (Instant::now(), None),
        }
        answer
    }

    /// The same, where it is no failure that there is no such object.
    ///
    /// # Errors
    /// As `ask`.
    pub async fn ask_if<T>(&self, question: impl Future<Output = kube::Result<T>>) -> Result<Option<T>, Trouble> {
        match self.ask(question).await {
            Ok(answer) => Ok(Some(answer)),
            Err(trouble) if trouble.kind == Kind::Gone => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// It said something without being asked.
    pub fn spoke(&self) {
        lock(&self.0.pulse).heard = Instant::now();
    }

    /// How long ago it was heard last.
    pub fn silent(&self) -> Duration {
        lock(&self.0.pulse).heard.elapsed()
    }

    /// Why the newest question has no answer, when it has none.
    pub fn away(&self) -> Option<String> {
        lock(&self.0.pulse).away.clone()
    }

    /// Whether it is time to ask if it is there; `None` says yes, to one of many who ask, else how long that is off.
    pub fn turn(&self) -> Option<Duration> {
        let now = Instant::now();
        let mut pulse = lock(&self.0.pulse);
        let due = match pulse.away {
            Some(_) => pulse.asked + ASK_AGAIN,
            // Whoever asked last may still be waiting for the answer.
            None => (pulse.heard + HEARD_WITHIN).max(pulse.asked + ANSWER + ASK_AGAIN),
        };
        if now < due {
            return Some(due - now);
        }
        pulse.asked = now;
        None
    }
}

/// Asks the cluster within the time for an answer.
///
/// # Errors
/// In words.
pub async fn ask<T>(question: impl Future<Output = kube::Result<T>>) -> Result<T, Trouble> {
    match tokio::time::timeout(ANSWER, question).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Trouble::from(&error)),
        Err(_) => Err(away(&format!("no answer within {} s", ANSWER.as_secs()))),
    }
}

/// A cluster that gave no answer, or asked to come again.
pub fn away(why: &str) -> Trouble {
    let words = format!("The cluster does not answer ({why}). Running pods work on, and it is asked again.");
    Trouble { kind: Kind::Away, words }
}

impl From<&Error> for Trouble {
    fn from(error: &Error) -> Self {
        let Error::Api(status) = error else { return away(&innermost(error)) };
        let said = status.message.trim_end_matches('.');
        let refused = |words: String| Self { kind: Kind::Refused, words };
        match status.code {
            404 if said.starts_with("namespaces ") => refused(format!("{said} in the cluster. Make the namespace, or name another.")),
            404 | 410 => Self { kind: Kind::Gone, words: format!("The cluster no longer has it: {said}.") },
            409 if said.starts_with("Apply failed with") => Self { kind: Kind::Owned, words: said.to_owned() },
            409 => Self { kind: Kind::Conflict, words: format!("Somebody else changed it in the cluster: {said}.") },
            401 => refused(
                "The cluster does not know this server: its credentials are wrong or have expired. Renew its kubeconfig.".to_owned(),
            ),
            403 if said.contains("is being terminated") => refused(format!("{said}. Name a namespace that stays.")),
            403 => refused(format!(
                "The cluster does not let this server do it: {said}. Give its account that right, or name another namespace."
            )),
            400 | 405 | 422 => refused(format!("The cluster refuses it: {said}.")),
            code => away(&format!("it said {code}: {said}")),
        }
    }
}

/// What lies at the bottom of a failed connection says most: `Connection refused`.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    deepest.to_string()
}
