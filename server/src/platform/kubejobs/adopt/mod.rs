//! The `adopted` platform: a Kubernetes Job that somebody else made is put under control, and given back as it was.

mod hand;
mod params;
mod task;

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use control::plugin::{FieldError, Plugin, parse};
use serde_json::Value;
use tokio::sync::{mpsc::unbounded_channel, oneshot};
use tokio_util::sync::CancellationToken;

use self::{
    hand::Hand,
    params::AdoptedParams,
    task::{Command, Parts, Task},
};
use super::{
    Clusters, handle,
    job::Board,
    roster::{Known, Roster},
    site::Sites,
};
use crate::lock::lock;
use crate::platform::{
    Door, Exit, Found, Handle, Launch, LogChunk, LogStream, Measured, Platform, PlatformError, Unseen, Usage, replica_id,
};
use crate::queue::Queue;

/// On every pod that a Job's controller makes: the name of its Job.
const LABEL: &str = "batch.kubernetes.io/job-name";
/// How long a pod that was not the controller's choice is waited for.
const GOING: Duration = Duration::from_secs(60);
const GIVING_BACK: Duration = Duration::from_secs(20);
/// Most completions that are items of one job.
const MOST: u64 = 100_000;

/// Jobs of others. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Adopted(Arc<Inner>);

struct Inner {
    sites: Sites,
    jobs: Roster<Command>,
    queues: Mutex<HashMap<String, Arc<Queue>>>,
}

impl Plugin for Adopted {
    const KIND: &'static str = "adopted";
    const TITLE: &'static str = "Kubernetes Job that is there";
    const ABOUT: &'static str = "Moves the parallelism of a Job that somebody else made, by its completions, which are the items. \
        When this job ends or is stopped, that Job is as it was.";
    type Params = AdoptedParams;
}

/// # Errors
/// All problems at once, by their path in the spec.
pub fn check(params: &Value, clusters: &Clusters) -> Result<Value, Vec<FieldError>> {
    params::check(params, clusters).map(|params| serde_json::to_value(params).unwrap_or_default())
}

impl Adopted {
    pub fn new(clusters: Clusters) -> Self {
        let (jobs, queues) = Default::default();
        Self(Arc::new(Inner { sites: Sites::new(clusters, LABEL), jobs, queues }))
    }

    /// Gives a job's task a command; it begins with the first word.
    fn command(&self, job: &str, params: &Value, command: Command) {
        self.0.jobs.command(job, command, || self.begin(job, params));
    }

    fn begin(&self, job: &str, params: &Value) -> Known<Command> {
        let params = parse::<Self>(params).unwrap_or_default();
        let site = self.0.sites.of(&params.cluster);
        let (commands, heard) = unbounded_channel();
        let board = Arc::<Board>::default();
        let (of_queue, of_left) = (Arc::downgrade(&self.0), Arc::downgrade(&self.0));
        let (queue_job, left_job) = (job.to_owned(), job.to_owned());
        let task = Task::new(Parts {
            job: job.to_owned(),
            cluster: site.cluster.clone(),
            board: Arc::clone(&board),
            commands: heard,
            news: site.watches.of(&params.namespace, &params.job),
            params,
            queue: Box::new(move || lock(&of_queue.upgrade()?.queues).get(&queue_job).cloned()),
        });
        tokio::spawn(task.run(move |commands| {
            let Some(inner) = of_left.upgrade() else { return true };
            inner.jobs.leave(&left_job, commands, || drop(lock(&inner.queues).remove(&left_job)))
        }));
        Known { site, commands, board }
    }

    fn late(&self, job: &str, of: &str) -> PlatformError {
        let why = self.0.jobs.trouble(job).unwrap_or_else(|| "Its pod is still at work.".to_owned());
        PlatformError::Cluster { of: of.to_owned(), why }
    }
}

#[async_trait]
impl Platform for Adopted {
    async fn door(&self, replica: &str, _: &Value, queue: &Arc<Queue>, _: Option<SocketAddr>) -> io::Result<Door> {
        let (job, _) = replica_id::split(replica).ok_or_else(|| io::Error::other(format!("{replica:?} is not the name of a replica")))?;
        lock(&self.0.queues).insert(job.to_owned(), Arc::clone(queue));
        // Its pods never call: this platform tells the queue what they have done.
        let nowhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        Ok(Door { address: nowhere, open: CancellationToken::new().drop_guard() })
    }

    async fn rehearse(&self, _: &str, params: &Value) -> Result<Option<Found>, Vec<FieldError>> {
        let params = parse::<Self>(params)?;
        let of_place = if params.cluster.is_some() { "params.cluster" } else { "kind" };
        let wrong = |field: &str, why: String| Err(vec![FieldError::new(field, why)]);
        let cluster = self.0.sites.of(&params.cluster).cluster.clone();
        let looked = match cluster.client().await {
            Ok(client) => Hand::new(&cluster, client, &params.namespace, &params.job).look().await,
            Err(trouble) => Err(trouble),
        };
        let name = format!("{} of the namespace {}", params.job, params.namespace);
        match looked {
            // What is left of it must be known before there is a job.
            Err(trouble) if trouble.words.contains("in the namespace") => wrong("params.namespace", trouble.words),
            Err(trouble) => wrong(of_place, trouble.words),
            Ok(None) => wrong("params.job", format!("There is no Job {name}. Make it first, or run an image with the platform kubejobs.")),
            Ok(Some(now)) => match (now.completions, &now.over, &now.note) {
                _ if now.ours => {
                    wrong("params.job", format!("The Job {name} is that of another job of this server, which controls it already."))
                }
                (_, _, Some(note)) => wrong("params.job", format!("The Job {name} is under control of job {}: stop that first.", note.job)),
                (_, Some(_), _) => wrong("params.job", format!("The Job {name} has ended: there is nothing left to control.")),
                _ if now.suspended => wrong("params.job", format!("The Job {name} is suspended: resume it first.")),
                (None, ..) => wrong(
                    "params.job",
                    format!("The Job {name} has no completions, so nobody can know how much of it is done. Give it completions."),
                ),
                (Some(all), ..) if all <= now.succeeded => wrong("params.job", format!("The Job {name} is about to end: nothing is left.")),
                (Some(all), ..) if MOST < all - now.succeeded => {
                    wrong("params.job", format!("The Job {name} has more than {MOST} completions left, and no more are controlled."))
                }
                (Some(all), ..) => Ok(Some(Found { replicas: now.parallelism, from: now.succeeded + 1, to: all })),
            },
        }
    }

    async fn start(&self, launch: &Launch) -> Result<Handle, PlatformError> {
        let (job, number) = replica_id::split(&launch.replica).ok_or_else(|| PlatformError::Name { name: launch.replica.clone() })?;
        let params = parse::<Self>(&launch.params).map_err(|errors| PlatformError::Params { replica: launch.replica.clone(), errors })?;
        self.command(job, &launch.params, Command::Start(number));
        Ok(handle(&launch.replica, job, params.namespace))
    }

    fn alive(&self, handle: &Handle, params: &Value) -> bool {
        let Some((job, number)) = replica_id::split(&handle.replica) else { return false };
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

    fn trouble(&self, job: &str) -> Option<String> {
        self.0.jobs.trouble(job)
    }

    fn lost(&self, job: &str) -> Option<String> {
        self.0.jobs.board(job)?.lost()
    }

    fn lent(&self) -> Option<&'static str> {
        Some("Who is still at work when the drain is over is the choice of the Job’s controller: its pods have no gate of ours.")
    }

    fn unseen(&self, job: &str) -> Option<Unseen> {
        self.0.jobs.unseen(job)
    }

    async fn end(&self, handle: &Handle, _: Duration) -> Result<(), PlatformError> {
        let Some((job, replica)) = replica_id::split(&handle.replica) else {
            return Err(PlatformError::Name { name: handle.replica.clone() });
        };
        let ended = self.0.jobs.end(job, &handle.replica, |done| Command::End { replica, done });
        let Some(ended) = ended else { return Ok(()) };
        tokio::time::timeout(GOING, ended).await.map(drop).map_err(|_| self.late(job, &handle.replica))
    }

    async fn wake(&self, job: &str) -> Result<(), PlatformError> {
        self.0.jobs.command_if(job, Command::Settled);
        Ok(())
    }

    /// Nothing of it is this server's to end: it is given back.
    async fn sweep(&self, job: &str, params: &Value) -> Result<usize, PlatformError> {
        let (done, given) = oneshot::channel();
        self.command(job, params, Command::GiveBack(done));
        // The task goes on until it is done.
        tokio::time::timeout(GIVING_BACK, given).await.map(|_| 0).map_err(|_| self.late(job, job))
    }

    async fn log(&self, replica: &str, _: LogStream, _: Option<u64>) -> Result<LogChunk, PlatformError> {
        Err(PlatformError::NoLog { replica: replica.to_owned() })
    }

    fn trim(&self) {
        // Logs stay with the pods.
    }

    fn grace(&self, _: &Value) -> Duration {
        // It is the pods' own.
        Duration::ZERO
    }
}
