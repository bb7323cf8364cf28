//! One of several servers leads: who holds a Lease of the cluster. The holder renews it, and ends itself when it could not
//! in time; the others take it when it was not renewed for longer than that, by their own clocks.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::{
    Api, Error,
    api::{ObjectMeta, PostParams},
};
use tokio::sync::watch;

use super::{
    ClusterSettings,
    cluster::{Cluster, Kind, Trouble},
    way::Way,
};
use crate::fence;

/// A Lease that was not renewed for so long is anybody's.
const LASTS: Duration = Duration::from_secs(10);
/// Its holder ends itself this long after it began the last renewal that was answered. Shorter than `LASTS` by more than
/// a stopped watchman oversleeps, so that there are never two.
const HOLDS: Duration = Duration::from_secs(7);
/// How often it is renewed, and looked at by those who wait.
const RENEW: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_secs(1);
/// A request that takes longer is begun anew.
const ANSWER: Duration = Duration::from_secs(2);

/// A server that would lead.
pub struct Candidate {
    leases: Api<Lease>,
    name: String,
    /// No other process has it.
    me: String,
    seen: Option<Seen>,
}

/// The Lease of somebody else, as it was when it changed last.
struct Seen {
    version: Option<String>,
    since: Instant,
}

/// This server leads, until the process ends.
pub struct Held {
    leases: Api<Lease>,
    me: String,
    lease: Lease,
}

impl Candidate {
    /// `name` is that of the Lease, with its namespace before a slash if that is not the server's own.
    ///
    /// # Errors
    /// In words, when there is no way to a cluster.
    pub async fn new(name: &str, settings: &ClusterSettings) -> Result<Self, String> {
        let client = Cluster::new(Way::Started(settings.clone())).client().await.map_err(|trouble| trouble.words)?;
        let (namespace, name) = match name.split_once('/') {
            Some((namespace, name)) => (namespace.to_owned(), name),
            None => (client.default_namespace().to_owned(), name),
        };
        let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
        // A process of the same number may have been here before.
        let me = format!("{machine}_{}_{:08x}", std::process::id(), rand::random::<u32>());
        Ok(Self { leases: Api::namespaced(client, &namespace), name: name.to_owned(), me, seen: None })
    }

    /// Waits until this server leads. What it waits for is told in words.
    pub async fn lead(mut self, words: &watch::Sender<String>) -> Held {
        loop {
            let began = fence::moment();
            match tokio::time::timeout(ANSWER, self.take()).await {
                Ok(Ok(Ok(lease))) => {
                    fence::until(began + ms(HOLDS));
                    return Held { leases: self.leases, me: self.me, lease };
                }
                Ok(Ok(Err(holder))) => say(words, format!("standby, {holder} leads")),
                Ok(Err(error)) => say(words, format!("standby, and who leads is not known: {}", Trouble::from(&error).words)),
                Err(_) => say(words, format!("standby, and who leads is not known: no answer within {} s", ANSWER.as_secs())),
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The Lease, if it could be had now; else who holds it.
    async fn take(&mut self) -> kube::Result<Result<Lease, String>> {
        let Some(mut lease) = self.leases.get_opt(&self.name).await? else {
            let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
            let lease = Lease { metadata, spec: Some(held_by(&self.me, 0)) };
            return won(self.leases.create(&PostParams::default(), &lease).await);
        };
        if let Some(holder) = self.kept_by(&lease, Instant::now()) {
            return Ok(Err(holder));
        }
        let transitions = lease.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or(0);
        lease.spec = Some(held_by(&self.me, transitions.saturating_add(1)));
        // With the version that was read: of two who try only one succeeds.
        won(self.leases.replace(&self.name, &PostParams::default(), &lease).await)
    }

    /// Who holds it, as far as can be said; none if it is anybody's.
    fn kept_by(&mut self, lease: &Lease, now: Instant) -> Option<String> {
        let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.clone()).filter(|holder| !holder.is_empty())?;
        let version = lease.metadata.resource_version.clone();
        match &self.seen {
            Some(seen) if seen.version == version => (now.duration_since(seen.since) < LASTS).then_some(holder),
            _ => {
                // Its own clock says nothing here: it lasts from when its change was seen.
                self.seen = Some(Seen { version, since: now });
                Some(holder)
            }
        }
    }
}

impl Held {
    /// Renews it from now on.
    pub fn keep(self) -> Keeper {
        let (stop, stopped) = watch::channel(false);
        let done = tokio::spawn(self.renew(stopped));
        Keeper { stop, done }
    }

    async fn renew(mut self, mut stopped: watch::Receiver<bool>) {
        let mut pause = RENEW;
        loop {
            tokio::select! {
                _ = stopped.changed() => return self.give_up().await,
                () = tokio::time::sleep(pause) => {}
            }
            let began = fence::moment();
            let mut lease = self.lease.clone();
            if let Some(spec) = &mut lease.spec {
                spec.renew_time = Some(MicroTime(Timestamp::now()));
            }
            match tokio::time::timeout(ANSWER, self.put(lease)).await {
                Ok(Ok(())) => {
                    fence::until(began + ms(HOLDS));
                    pause = RENEW;
                }
                // The fence ends this process when it goes on for too long.
                Ok(Err(error)) => {
                    tracing::warn!("the Lease could not be renewed: {}", Trouble::from(&error).words);
                    pause = Duration::from_millis(500);
                }
                Err(_) => pause = Duration::ZERO,
            }
        }
    }

    async fn put(&mut self, lease: Lease) -> kube::Result<()> {
        let name = self.lease.metadata.name.clone().unwrap_or_default();
        match self.leases.replace(&name, &PostParams::default(), &lease).await {
            Ok(renewed) => self.lease = renewed,
            Err(error) if matches!(Trouble::from(&error).kind, Kind::Conflict | Kind::Gone) => {
                // A renewal whose answer was lost counts all the same.
                let now = self.leases.get_opt(&name).await?;
                let holder = now.as_ref().and_then(|lease| lease.spec.as_ref()?.holder_identity.clone()).unwrap_or_default();
                match now {
                    Some(now) if holder == self.me => self.lease = now,
                    _ => fence::end(&format!("its Lease was taken by {holder:?}")),
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Who waits need not wait for its end.
    async fn give_up(mut self) {
        let name = self.lease.metadata.name.clone().unwrap_or_default();
        if let Some(spec) = &mut self.lease.spec {
            spec.holder_identity = None;
        }
        let given = tokio::time::timeout(ANSWER, self.leases.replace(&name, &PostParams::default(), &self.lease)).await;
        if !matches!(given, Ok(Ok(_))) {
            tracing::warn!("the Lease could not be given up; it ends by itself in {} s", LASTS.as_secs());
        }
    }
}

/// Renews a Lease in the background.
pub struct Keeper {
    stop: watch::Sender<bool>,
    done: tokio::task::JoinHandle<()>,
}

impl Keeper {
    /// Gives the Lease to whoever waits. This server has nothing more to do.
    pub async fn give_up(self) {
        self.stop.send_replace(true);
        // It cannot fail but by the end of this process.
        let _ = self.done.await;
    }
}

fn held_by(me: &str, transitions: i32) -> LeaseSpec {
    let now = Timestamp::now();
    LeaseSpec {
        holder_identity: Some(me.to_owned()),
        lease_duration_seconds: i32::try_from(LASTS.as_secs()).ok(),
        acquire_time: Some(MicroTime(now)),
        renew_time: Some(MicroTime(now)),
        lease_transitions: Some(transitions),
        ..LeaseSpec::default()
    }
}

/// Somebody who was faster is no failure.
fn won(answer: kube::Result<Lease>) -> kube::Result<Result<Lease, String>> {
    match answer {
        Ok(lease) => Ok(Ok(lease)),
        Err(Error::Api(status)) if status.code == 409 => Ok(Err("somebody who was faster".to_owned())),
        Err(error) => Err(error),
    }
}

fn say(words: &watch::Sender<String>, now: String) {
    words.send_if_modified(|before| {
        let changed = *before != now;
        if changed {
            tracing::info!("{now}");
            *before = now;
        }
        changed
    });
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
