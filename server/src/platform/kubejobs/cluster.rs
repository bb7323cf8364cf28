//! The way to one cluster: made at the first use and whenever another kubeconfig is given, every question within a
//! time, failures in words, and whether it answers at all.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, Error, api::ListParams};
use secrecy::ExposeSecret as _;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::{token, way::Way};
use crate::{clock::now_ms, lock::lock};

/// A question that is not answered within this is asked again.
pub const ANSWER: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(2);
/// So many questions are under way at one time; others wait for their turn, which is no time of their own. A thousand
/// jobs that all ask at once would each open a connection, get no answer in time, and ask again, for ever.
const ABREAST: usize = 32;
/// A watch is told something about once a minute, if only that nothing happened. One that is silent for longer is cut.
pub const SILENCE: Duration = Duration::from_secs(90);
/// A cluster from which nothing was heard for so long is asked whether it is there.
const HEARD_WITHIN: Duration = Duration::from_secs(30);
/// One that does not answer is asked so often.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Credentials that are refused are read anew so often, where others write them.
const READ_AGAIN: Duration = Duration::from_secs(5);
/// An API server takes a token for a minute and some seconds after its end. Meanwhile it is asked so often.
const ENDS_WITHIN: Duration = Duration::from_secs(90);
const AT_END: Duration = Duration::from_secs(4);
const STRANGER: &str = "The cluster does not know this server: its credentials are wrong or have expired. Give it a new \
    kubeconfig (asperathos cluster update). Running pods work on.";

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    way: Mutex<Way>,
    clients: tokio::sync::Mutex<Clients>,
    /// Counts the ways: whoever holds a client of an earlier one gets another.
    ways: watch::Sender<u64>,
    /// The cluster was taken off the list.
    removed: CancellationToken,
    pulse: Mutex<Pulse>,
    turns: Semaphore,
}

/// Made when they are needed.
#[derive(Default)]
struct Clients {
    asking: Option<Client>,
    /// For what is silent by nature, and must not be so for too long.
    watching: Option<Client>,
}

/// When the cluster answered last, and what became of the newest question.
struct Pulse {
    heard: Instant,
    /// It was heard at least once.
    ever: bool,
    asked: Instant,
    away: Option<String>,
    version: Option<String>,
    /// When the credentials were read anew, as they were refused.
    reread: Option<Instant>,
    /// When the token ends, by its own words.
    token_ends: Option<Instant>,
}

/// What people are told of a cluster.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// The address of its API server.
    pub server: Option<String>,
    /// Of jobs that name none.
    pub namespace: Option<String>,
    pub version: Option<String>,
    /// How long ago it answered last; `None`: never.
    pub age: Option<Duration>,
    /// Why it is of no use now, in whole sentences.
    pub trouble: Option<String>,
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
    pub fn new(way: Way) -> Self {
        Self::with(way, Clients::default())
    }

    #[cfg(test)]
    pub fn of(client: Client, way: Way) -> Self {
        Self::with(way, Clients { asking: Some(client.clone()), watching: Some(client) })
    }

    fn with(way: Way, clients: Clients) -> Self {
        let now = Instant::now();
        let pulse = Mutex::new(Pulse { heard: now, ever: false, asked: now, away: None, version: None, reread: None, token_ends: None });
        let (way, clients) = (Mutex::new(way), tokio::sync::Mutex::new(clients));
        let turns = Semaphore::new(ABREAST);
        Self(Arc::new(Inner { way, clients, ways: watch::Sender::new(0), removed: CancellationToken::new(), pulse, turns }))
    }

    pub fn way(&self) -> Way {
        lock(&self.0.way).clone()
    }

    /// From now on it is reached by this way: watches are cut and begun anew.
    pub async fn renew(&self, way: Way) {
        let mut clients = self.0.clients.lock().await;
        *lock(&self.0.way) = way;
        *clients = Clients::default();
        lock(&self.0.pulse).version = None;
        self.0.ways.send_modify(|count| *count += 1);
    }

    /// Which way it is, counted; changes when another one is given.
    pub fn ways(&self) -> watch::Receiver<u64> {
        self.0.ways.subscribe()
    }

    /// Nobody has jobs on it any more: its watches end.
    pub fn remove(&self) {
        self.0.removed.cancel();
    }

    pub async fn removed(&self) {
        self.0.removed.cancelled().await;
    }

    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The client, made by the first who asks.
    ///
    /// # Errors
    /// When the kubeconfig cannot be used; the next who asks tries again.
    pub async fn client(&self) -> Result<Client, Trouble> {
        let mut clients = self.0.clients.lock().await;
        if clients.asking.is_none() {
            clients.asking = Some(self.connect(None).await?);
        }
        clients.asking.clone().ok_or_else(|| away("no client"))
    }

    /// The client for watches that are never silent for long: one that is, fails.
    ///
    /// # Errors
    /// As `client`.
    pub async fn watching(&self) -> Result<Client, Trouble> {
        let mut clients = self.0.clients.lock().await;
        if clients.watching.is_none() {
            clients.watching = Some(self.connect(Some(SILENCE)).await?);
        }
        clients.watching.clone().ok_or_else(|| away("no client"))
    }

    async fn connect(&self, silence: Option<Duration>) -> Result<Client, Trouble> {
        let refused = |words| Trouble { kind: Kind::Refused, words };
        let mut config = self.way().config().await.map_err(refused)?;
        let ends = config.auth_info.token.as_ref().and_then(|token| token::left(token.expose_secret(), now_ms()));
        lock(&self.0.pulse).token_ends = ends.and_then(|left| Instant::now().checked_add(left));
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = silence.or(config.read_timeout);
        Client::try_from(config).map_err(|error| refused(format!("The kubeconfig cannot be used: {}.", crate::words::chain(&error))))
    }

    /// Asks for the version and for a pod, as whoever has jobs there will.
    pub async fn try_out(&self) -> Standing {
        let asked = async {
            let client = self.client().await?;
            let version = self.ask(client.apiserver_version()).await?;
            lock(&self.0.pulse).version = Some(version.git_version);
            let namespace = self.way().ready().unwrap_or_default();
            let pods = Api::<Pod>::namespaced(client, &namespace);
            self.ask(pods.list(&ListParams::default().limit(1))).await.map(drop)
        };
        let outcome: Result<(), Trouble> = asked.await;
        let standing = self.standing();
        Standing { trouble: outcome.err().map(|trouble| trouble.words).or(standing.trouble), ..standing }
    }

    /// As it is known without asking.
    pub fn standing(&self) -> Standing {
        let way = self.way();
        let (namespace, unready) = match way.ready() {
            Ok(namespace) => (Some(namespace), None),
            Err(why) => (None, Some(why)),
        };
        let pulse = lock(&self.0.pulse);
        let age = pulse.ever.then(|| pulse.heard.elapsed());
        Standing { server: way.server(), namespace, version: pulse.version.clone(), age, trouble: unready.or(pulse.away.clone()) }
    }

    /// Asks within the time for an answer, and notes whether one came.
    ///
    /// # Errors
    /// In words.
    pub async fn ask<T>(&self, question: impl Future<Output = kube::Result<T>>) -> Result<T, Trouble> {
        // It is never closed.
        let turn = self.0.turns.acquire().await;
        crate::fence::must_hold();
        let answer = ask(question).await;
        drop(turn);
        let stranger = self.note(answer.as_ref().err());
        if stranger && let way @ Way::Started(_) = self.way() {
            // Whoever renews the credentials of a server's own cluster writes them into its file.
            self.renew(way).await;
        }
        answer
    }

    /// What became of a question; true when the cluster has not known this server for a while.
    fn note(&self, failed: Option<&Trouble>) -> bool {
        let now = Instant::now();
        let mut pulse = lock(&self.0.pulse);
        let Some(trouble) = failed.filter(|trouble| trouble.kind == Kind::Away) else {
            (pulse.heard, pulse.ever, pulse.away) = (now, true, None);
            return false;
        };
        pulse.away = Some(trouble.words.clone());
        let again = trouble.is_stranger() && pulse.reread.is_none_or(|at| READ_AGAIN < now.duration_since(at));
        if again {
            pulse.reread = Some(now);
        }
        again
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

    /// Somebody was told that the credentials are those of nobody.
    pub fn refused_us(&self, trouble: &Trouble) {
        lock(&self.0.pulse).away = Some(trouble.words.clone());
    }

    /// It said something without being asked.
    pub fn spoke(&self) {
        let mut pulse = lock(&self.0.pulse);
        (pulse.heard, pulse.ever) = (Instant::now(), true);
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
            None => {
                let due = (pulse.heard + HEARD_WITHIN).max(pulse.asked + ANSWER + ASK_AGAIN);
                // Watches go on with a token that has ended: nobody says so who is not asked.
                match pulse.token_ends {
                    Some(ends) if now < ends => due.min(ends),
                    Some(ends) if now < ends + ENDS_WITHIN => due.min(pulse.asked + AT_END),
                    _ => due,
                }
            }
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

impl Trouble {
    /// The credentials are not, or no longer, those of anybody.
    pub fn is_stranger(&self) -> bool {
        self.words == STRANGER
    }
}

impl From<&Error> for Trouble {
    fn from(error: &Error) -> Self {
        let Error::Api(status) = error else { return unconnected(&innermost(error)) };
        let said = status.message.trim_end_matches('.');
        let refused = |words: String| Self { kind: Kind::Refused, words };
        match status.code {
            404 if said.starts_with("namespaces ") => refused(format!("{said} in the cluster. Make the namespace, or name another.")),
            404 | 410 => Self { kind: Kind::Gone, words: format!("The cluster no longer has it: {said}.") },
            409 if said.starts_with("Apply failed with") => Self { kind: Kind::Owned, words: said.to_owned() },
            409 => Self { kind: Kind::Conflict, words: format!("Somebody else changed it in the cluster: {said}.") },
            // Nothing is seen until somebody mends it, which nobody tells this server.
            401 => Self { kind: Kind::Away, words: STRANGER.to_owned() },
            403 if said.contains("is being terminated") => refused(format!("{said}. Name a namespace that stays.")),
            403 => refused(format!(
                "The cluster does not let this server do it: {said}. Give its account that right, or name another namespace."
            )),
            400 | 405 | 422 => refused(format!("The cluster refuses it: {said}.")),
            code => away(&format!("it said {code}: {said}")),
        }
    }
}

/// A connection that did not come to be.
fn unconnected(why: &str) -> Trouble {
    if !why.contains("certificate") {
        return away(why);
    }
    let words = format!(
        "The cluster is not the one that the kubeconfig is of ({why}). Give it one with the certificate-authority-data of this cluster. \
         Running pods work on."
    );
    Trouble { kind: Kind::Away, words }
}

/// What lies at the bottom of a failed connection says most: `Connection refused`.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    deepest.to_string()
}
