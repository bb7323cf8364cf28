//! The way to the cluster: made at the first use, every question within a time, and failures in words.

use std::{sync::Arc, time::Duration};

use kube::{Client, Error};
use tokio::sync::OnceCell;

use super::ClusterSettings;

/// A question that is not answered within this is asked again.
const ANSWER: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(2);

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    settings: ClusterSettings,
    client: OnceCell<Client>,
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
        Self(Arc::new(Inner { settings, client: OnceCell::new() }))
    }

    #[cfg(test)]
    pub fn of(client: Client, settings: ClusterSettings) -> Self {
        Self(Arc::new(Inner { settings, client: OnceCell::new_with(Some(client)) }))
    }

    pub fn settings(&self) -> &ClusterSettings {
        &self.0.settings
    }

    /// The client, made by the first who asks.
    ///
    /// # Errors
    /// When the kubeconfig cannot be used; the next who asks tries again.
    pub async fn client(&self) -> Result<Client, Trouble> {
        let refused = |words| Trouble { kind: Kind::Refused, words };
        let made = self.0.client.get_or_try_init(|| async {
            let mut config = self.0.settings.config().await.map_err(refused)?;
            config.connect_timeout = Some(CONNECT);
            Client::try_from(config).map_err(|error| refused(format!("The kubeconfig cannot be used: {}.", crate::words::chain(&error))))
        });
        made.await.cloned()
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

/// The same, where it is no failure that there is no such object.
///
/// # Errors
/// As `ask`.
pub async fn ask_if<T>(question: impl Future<Output = kube::Result<T>>) -> Result<Option<T>, Trouble> {
    match ask(question).await {
        Ok(answer) => Ok(Some(answer)),
        Err(trouble) if trouble.kind == Kind::Gone => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

fn away(why: &str) -> Trouble {
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
