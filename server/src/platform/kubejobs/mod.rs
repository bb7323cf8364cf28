//! The `kubejobs` platform: replicas are pods of a Kubernetes Job, one Job a submission.

mod adopt;
mod asks;
mod cluster;
mod clusters;
mod door;
mod events;
#[cfg(test)]
mod fake;
mod follow;
mod job;
mod kubeconfig;
mod lease;
mod names;
mod overlay;
mod params;
mod plan;
#[cfg(test)]
mod plan_tests;
mod pod;
mod quantity;
mod readings;
mod rehearse;
mod roster;
#[cfg(test)]
mod scripted_tests;
mod settings;
mod site;
mod template;
mod token;
mod usage;
mod watch;
mod way;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use async_trait::async_trait;
use control::plugin::{FieldError, Plugin, parse};
use serde_json::Value;
use tokio::sync::{
    mpsc::{UnboundedReceiver, unbounded_channel},
    oneshot,
};

pub use self::adopt::{Adopted, check as check_adopted};
pub use self::cluster::Standing;
pub use self::clusters::{Clusters, Entry, OWN};
pub use self::lease::{Candidate, Keeper};
pub use self::settings::ClusterSettings;
use self::{
    door::JobDoor,
    job::{Board, Command, Home, Parts, Task},
    params::KubejobsParams,
    roster::{Known, Roster},
    site::Sites,
    template::JOB_LABEL,
};
use super::{
    CpuState, Door, Exit, Found, Handle, Launch, LogChunk, LogStream, Measured, Place, Platform, PlatformError, Told, Unseen, Usage, logs,
    replica_id,
};
use crate::lock::lock;
use crate::queue::Queue;

/// How much longer than its grace a pod may take to be gone.
const GOING: Duration = Duration::from_secs(15);
/// How long all of a job may take to be gone.
const SWEEPING: Duration = Duration::from_secs(20);

/// Pods of Kubernetes Jobs. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Kubejobs(Arc<Inner>);

struct Inner {
    data_dir: PathBuf,
    sites: Sites,
    jobs: Roster<Command>,
    doors: Mutex<HashMap<String, Arc<JobDoor>>>,
}

impl Plugin for Kubejobs {
    const KIND: &'static str = "kubejobs";
    const TITLE: &'static str = "Kubernetes Job";
    const ABOUT: &'static str = "Each replica is a pod of a Kubernetes Job in the cluster that this server is connected to. \
        Choose it when the worker is a container image.";
    type Params = KubejobsParams;
}

/// Checks the params and that this server has the cluster; answers with them in full.
///
/// # Errors
/// All problems at once, by their path in the spec.
pub fn check(params: &Value, clusters: &Clusters) -> Result<Value, Vec<FieldError>> {
    params::check(params, clusters).map(|params| serde_json::to_value(params).unwrap_or_default())
}

impl Kubejobs {
    /// Keeps what pods print in `<data_dir>/jobs/<job>/replicas/<replica>/`. Speaks to a cluster at the first need.
    pub fn new(data_dir: &Path, clusters: Clusters) -> Self {
        let (jobs, doors) = Default::default();
        Self(Arc::new(Inner { data_dir: data_dir.to_owned(), sites: Sites::new(clusters, JOB_LABEL), jobs, doors }))
    }

    /// Gives a job's task a command; it begins with the first word.
    fn command(&self, job: &str, params: &Value, command: Command) {
        self.0.jobs.command(job, command, || self.begin(job, params));
    }

    fn begin(&self, job: &str, params: &Value) -> Known<Command> {
        // Checked before; what cannot be read makes a Job that the cluster refuses in words.
        let params = parse::<Self>(params).unwrap_or_default();
        let (commands, heard) = unbounded_channel();
        let board = Arc::<Board>::default();
        let site = self.0.sites.of(&params.cluster);
        let home: Weak<dyn Home> = Arc::downgrade(&(Arc::clone(&self.0) as Arc<dyn Home>));
        let task = Task::new(Parts {
            job: job.to_owned(),
            namespace: params.namespace.clone(),
            cluster: site.cluster.clone(),
            data_dir: self.0.data_dir.clone(),
            board: Arc::clone(&board),
            home,
            commands: heard,
            news: site.watches.of(&params.namespace, job),
            params,
        });
        tokio::spawn(task.run());
        Known { site, commands, board }
    }
}

impl Home for Inner {
    fn door(&self, job: &str) -> Option<Arc<JobDoor>> {
        lock(&self.doors).get(job).cloned()
    }

    fn made(&self, job: &str, namespace: &str, uid: &str) {
        if let Some(site) = self.jobs.site(job) {
            site.events.know(namespace, job, uid);
        }
    }

    fn leave(&self, job: &str, commands: &UnboundedReceiver<Command>) -> bool {
        self.jobs.leave(job, commands, || drop(lock(&self.doors).remove(job)))
    }
}

#[async_trait]
impl Platform for Kubejobs {
    async fn door(&self, replica: &str, params: &Value, queue: &Arc<Queue>, stored: Option<SocketAddr>) -> io::Result<Door> {
        let (job, _) = replica_id::split(replica).ok_or_else(|| io::Error::other(format!("{replica:?} is not the name of a replica")))?;
        let known = lock(&self.0.doors).get(job).cloned();
        let door = match known {
            Some(door) => door,
            None => {
                let params = parse::<Self>(params).unwrap_or_default();
                let address = self.0.sites.of(&params.cluster).cluster.way().pods_listen();
                let address = address.ok_or_else(|| io::Error::other("the server was started without --pods-listen"))?;
                let opened = Arc::new(JobDoor::open(address, stored, Arc::clone(queue)).await?);
                Arc::clone(lock(&self.0.doors).entry(job.to_owned()).or_insert(opened))
            }
        };
        Ok(Door { address: door.address, open: door.admit(replica) })
    }

    async fn rehearse(&self, job: &str, params: &Value) -> Result<Option<Found>, Vec<FieldError>> {
        let params = parse::<Self>(params)?;
        let cluster = self.0.sites.of(&params.cluster).cluster.clone();
        rehearse::rehearse(&cluster, &params, job).await.map(|()| None)
    }

    async fn start(&self, launch: &Launch) -> Result<Handle, PlatformError> {
        let (job, number) = replica_id::split(&launch.replica).ok_or_else(|| PlatformError::Name { name: launch.replica.clone() })?;
        let params = parse::<Self>(&launch.params).map_err(|errors| PlatformError::Params { replica: launch.replica.clone(), errors })?;
        self.command(job, &launch.params, Command::Start(number));
        Ok(handle(&launch.replica, job, params.namespace))
    }

    fn alive(&self, handle: &Handle, params: &Value) -> bool {
        let Some((job, number)) = replica_id::split(&handle.replica).filter(|_| matches!(handle.place, Place::Pod { .. })) else {
            return false;
        };
        // Whether its pod is there is told when the pods are listed.
        self.command(job, params, Command::Adopt(number));
        if let Some(board) = self.0.jobs.board(job) {
            board.adopt();
        }
        true
    }

    fn find(&self, replica: &str, params: &Value) -> Option<Handle> {
        let (job, _) = replica_id::split(replica)?;
        let found = handle(replica, job, parse::<Self>(params).unwrap_or_default().namespace);
        self.alive(&found, params).then_some(found)
    }

    fn place(&self, handle: &Handle) -> Option<String> {
        self.0.jobs.place(handle)
    }

    fn reap(&self) -> Vec<(String, Exit)> {
        self.0.jobs.take_exits()
    }

    fn usage(&self, handles: &[Handle]) -> Vec<Option<Usage>> {
        self.0.jobs.usage(handles)
    }

    fn measured(&self, job: &str) -> Option<Measured> {
        self.0.jobs.measured(job)
    }

    fn tell(&self, job: &str, params: &Value, told: &[Told], over: bool) {
        self.0.sites.of(&parse::<Self>(params).unwrap_or_default().cluster).events.tell(job, told, over);
    }

    fn trouble(&self, job: &str) -> Option<String> {
        self.0.jobs.trouble(job)
    }

    fn unseen(&self, job: &str) -> Option<Unseen> {
        self.0.jobs.unseen(job)
    }

    fn resize(&self, job: &str, params: &Value, millicores: u32) {
        self.command(job, params, Command::Resize(millicores));
    }

    fn cpu(&self, job: &str) -> Option<CpuState> {
        self.0.jobs.board(job)?.cpu()
    }

    async fn end(&self, handle: &Handle, grace: Duration) -> Result<(), PlatformError> {
        let Some((job, replica)) = replica_id::split(&handle.replica) else {
            return Err(PlatformError::Name { name: handle.replica.clone() });
        };
        let ended = self.0.jobs.end(job, &handle.replica, |done| Command::End { replica, grace, done });
        let Some(ended) = ended else { return Ok(()) };
        match tokio::time::timeout(grace + GOING, ended).await {
            Ok(_) => Ok(()),
            Err(_) => Err(self.unheard(job, &handle.replica)),
        }
    }

    async fn wake(&self, job: &str) -> Result<(), PlatformError> {
        self.0.jobs.command_if(job, Command::Settled);
        Ok(())
    }

    async fn sweep(&self, job: &str, params: &Value) -> Result<usize, PlatformError> {
        let (answer, swept) = oneshot::channel();
        self.command(job, params, Command::Sweep(answer));
        match tokio::time::timeout(SWEEPING, swept).await {
            Ok(swept) => Ok(swept.unwrap_or(0)),
            // The task goes on until it is done.
            Err(_) => Err(self.unheard(job, job)),
        }
    }

    async fn log(&self, replica: &str, _: LogStream, from: Option<u64>) -> Result<LogChunk, PlatformError> {
        // Kubernetes keeps one log for both streams.
        logs::read(&self.0.data_dir, replica, LogStream::Stdout, from)
    }

    fn trim(&self) {
        // Who writes a log down keeps it within its limit.
    }

    fn lingers(&self) -> bool {
        true
    }

    fn grace(&self, params: &Value) -> Duration {
        // Checked before; if they are not readable, the default grace is a safe one.
        Duration::try_from_secs_f64(parse::<Self>(params).unwrap_or_default().grace_s).unwrap_or_default()
    }
}

impl Kubejobs {
    fn unheard(&self, job: &str, of: &str) -> PlatformError {
        let why = self.trouble(job).unwrap_or_else(|| "Its pod is still on its way out.".to_owned());
        PlatformError::Cluster { of: of.to_owned(), why }
    }
}

fn handle(replica: &str, job: &str, namespace: String) -> Handle {
    Handle { replica: replica.to_owned(), job: job.to_owned(), place: Place::Pod { namespace } }
}
