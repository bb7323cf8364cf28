//! Receives submissions and triggers every other step: one reconciler a job.

pub mod clusters;
pub mod experience;
pub mod form;
pub mod job;
mod queues;
pub mod quote;
pub mod replicas;
pub mod submission;
pub mod uploads;
pub mod workload;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use app::api::error::ApiError;
use app::backend::JobCommand;
use control::controllers;
use control::job::{JobSpec, Phase, Workload};
use control::live::{JobSummary, Mark};
use control::plugin::PluginSpec;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

pub use self::queues::failed;
use crate::clock::now_ms;
use crate::config::Settings;
use crate::lock::lock;
use crate::platform::{self, Clusters, Exit, Platform, replica_id};
use crate::queue::{Queue, Queues};
use crate::store::{JobRow, NewJob, Store};
use crate::words::chain;

/// Most jobs that are not ended at one time.
const LIVING_LIMIT: usize = 1000;
/// How often ended processes are noticed.
const REAP: Duration = Duration::from_millis(100);
/// How long a start waits for the first ticks of the jobs that it takes up.
const FIRST_TICKS: Duration = Duration::from_secs(2);
/// The queue of an ended job stays in memory while its pages are looked at, and so much longer.
const QUEUE_KEPT: Duration = Duration::from_secs(30);

/// What a job's task can be told. Nothing in it but the wish: the task re-reads the truth.
pub enum Nudge {
    /// Answered when it is durable, or with why it does not fit.
    Command(JobCommand, oneshot::Sender<Result<(), String>>),
    /// A tuning was stored.
    Retuned,
    /// Items came back by hand.
    Retried,
    /// The server stops. `end_replicas`: give items back and end the processes; else leave them working.
    Shutdown { end_replicas: bool, done: oneshot::Sender<()> },
}

/// Held by a task until its first tick; see [`Manager::recover`].
pub type Ticking = mpsc::Sender<std::convert::Infallible>;

/// The parts that every job's task uses.
pub struct Shared {
    pub settings: Settings,
    pub store: Store,
    pub queues: Arc<Queues>,
    pub clusters: Clusters,
    /// Held by who submits to a cluster, and alone by who takes one away.
    pub changing: tokio::sync::RwLock<()>,
    platforms: Mutex<HashMap<String, Arc<dyn Platform>>>,
    /// How replicas ended that no task has asked about yet: one reaper serves all jobs.
    exits: Mutex<HashMap<String, Vec<(String, Exit)>>>,
}

#[derive(Clone)]
pub struct Manager {
    pub shared: Arc<Shared>,
    tasks: Arc<Mutex<HashMap<String, mpsc::Sender<Nudge>>>>,
}

impl Shared {
    pub fn platform(&self, kind: &str) -> Option<Arc<dyn Platform>> {
        let mut platforms = lock(&self.platforms);
        if let Some(platform) = platforms.get(kind) {
            return Some(platform.clone());
        }
        let built = platform::build(kind, &self.settings.data, &self.clusters)?;
        platforms.insert(kind.to_owned(), built.clone());
        Some(built)
    }

    /// How replicas of this job ended since the last call.
    pub fn exits_of(&self, job: &str) -> Vec<(String, Exit)> {
        lock(&self.exits).remove(job).unwrap_or_default()
    }

    /// One reaper serves all jobs, and collects what ended after its job.
    fn reap(&self) {
        let reaped: Vec<(String, Exit)> = {
            let platforms = lock(&self.platforms);
            platforms.values().flat_map(|platform| platform.reap()).collect()
        };
        let mut exits = lock(&self.exits);
        for (replica, exit) in reaped {
            let owner = replica_id::split(&replica).map_or(replica.as_str(), |(job, _)| job).to_owned();
            exits.entry(owner).or_default().push((replica, exit));
        }
    }

    /// Keeps every replica's logs within their limits.
    pub fn trim_logs(&self) {
        let platforms = lock(&self.platforms);
        for platform in platforms.values() {
            platform.trim();
        }
    }
}

impl Manager {
    pub fn new(settings: Settings, store: Store, queues: Arc<Queues>) -> Self {
        let clusters = Clusters::new(settings.cluster.clone());
        let (changing, platforms, exits) = Default::default();
        let shared = Shared { settings, store, queues, clusters, changing, platforms, exits };
        Self { shared: Arc::new(shared), tasks: Arc::default() }
    }

    /// Begins again with every job that had not ended, and waits a little for the first tick of each: who finds this
    /// server answering finds its jobs under control.
    pub async fn recover(&self) -> Result<usize, ApiError> {
        self.know_clusters().await?;
        match job::lingering(&self.shared).await {
            Ok(jobs) => {
                let shared = self.shared.clone();
                tokio::spawn(async move { job::sweep_ended(&shared, jobs).await });
            }
            Err(error) => tracing::error!("replicas of jobs that are over could not be looked for: {error}"),
        }
        let rows = self.shared.store.unfinished().await.map_err(|error| internal(&error))?;
        let count = rows.len();
        // Nothing is ever sent: the channel closes when the last task has dropped its end.
        let (ticking, mut all_tick) = mpsc::channel(1);
        for row in rows {
            self.spawn(row, Some(ticking.clone()));
        }
        drop(ticking);
        let shared = self.shared.clone();
        tokio::spawn(async move {
            let mut often = tokio::time::interval(REAP);
            let mut looks = 0_u32;
            loop {
                often.tick().await;
                shared.reap();
                looks += 1;
                if looks.is_multiple_of(10) {
                    shared.trim_logs();
                    shared.queues.close_unused(QUEUE_KEPT);
                }
            }
        });
        if tokio::time::timeout(FIRST_TICKS, all_tick.recv()).await.is_err() {
            tracing::warn!("not all of {count} job(s) ticked within {} s; they will", FIRST_TICKS.as_secs());
        }
        Ok(count)
    }

    fn spawn(&self, row: JobRow, ticking: Option<Ticking>) {
        let (sender, receiver) = mpsc::channel(64);
        let id = row.id.clone();
        self.tasks().insert(id.clone(), sender);
        let (shared, reaper, tasks) = (self.shared.clone(), self.shared.clone(), self.tasks.clone());
        tokio::spawn(async move {
            // A task that panics must not take its job's entry with it unnoticed.
            let ended = tokio::spawn(job::run(shared, row, ticking, receiver)).await;
            if let Err(error) = ended {
                tracing::error!("job {id}: its task ended unexpectedly: {error}");
            }
            lock(&tasks).remove(&id);
            reaper.exits_of(&id);
        });
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, HashMap<String, mpsc::Sender<Nudge>>> {
        lock(&self.tasks)
    }

    /// Creates a job from a checked submission; answers with its id once it is durable.
    pub async fn submit(&self, mut spec: JobSpec, by: &str) -> Result<String, ApiError> {
        if self.tasks().len() >= LIVING_LIMIT {
            return Err(ApiError::Conflict { message: format!("{LIVING_LIMIT} jobs are running already; wait until one has ended") });
        }
        if let control::job::Workload::Upload { upload } = &spec.workload
            && !workload::upload_file(&self.uploads(), upload).is_file()
        {
            let message = "there is no such upload any more; upload the file again";
            return Err(ApiError::Invalid { errors: vec![control::plugin::FieldError::new("workload.upload", message)] });
        }
        let _stays = self.cluster_of(&spec.platform).await?;
        let id = new_id();
        self.rehearse(&id, &mut spec).await?;
        let address = self.reached(&spec.queue).await?;
        let kept = workload::apart(spec.workload, &self.uploads()).await;
        spec.workload = kept.map_err(|error| ApiError::Internal { message: format!("the items could not be kept: {error}") })?;
        self.keep_apart(&id, &mut spec.queue, address.as_ref()).await?;
        let now = now_ms();
        let deadline_at = now + (spec.objective.deadline_s * 1000.0) as i64;
        let job = NewJob { id: id.clone(), spec, submitted_at: now, deadline_at, by: by.to_owned() };
        if let Err(error) = self.shared.store.insert_job(job).await {
            self.shared.forget_secret(&id).await;
            return Err(internal(&error));
        }
        let row = self.row(&id).await?;
        self.spawn(row, None);
        Ok(id)
    }

    pub fn uploads(&self) -> PathBuf {
        self.shared.settings.uploads()
    }

    pub async fn row(&self, id: &str) -> Result<JobRow, ApiError> {
        let row = self.shared.store.job(id).await.map_err(|error| internal(&error))?;
        row.ok_or_else(|| ApiError::NotFound { what: format!("job {id}") })
    }

    pub async fn command(&self, id: &str, command: JobCommand) -> Result<(), ApiError> {
        let row = self.row(id).await?;
        match (command, row.phase.ended()) {
            (JobCommand::Dismiss, true) => return self.shared.store.dismiss(id).await.map_err(|error| internal(&error)),
            (JobCommand::Dismiss, false) => {
                return Err(ApiError::Conflict { message: format!("job {id} has not ended: what it needs is not over") });
            }
            (_, true) => return Err(ApiError::Conflict { message: format!("job {id} has ended: it is {}", row.phase.word()) }),
            (_, false) => {}
        }
        let (answer, answered) = oneshot::channel();
        self.nudge(id, Nudge::Command(command, answer)).await?;
        match answered.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(ApiError::Conflict { message: format!("job {id} cannot do that now: {why}") }),
            Err(_) => Err(ApiError::Conflict { message: format!("job {id} has just ended") }),
        }
    }

    async fn nudge(&self, id: &str, nudge: Nudge) -> Result<(), ApiError> {
        let sender = self.tasks().get(id).cloned();
        match sender {
            Some(sender) if sender.send(nudge).await.is_ok() => Ok(()),
            _ => Err(ApiError::Conflict { message: format!("job {id} is not running") }),
        }
    }

    /// Stores a new revision of a loop's parameters; the running loop uses it at its next activation.
    /// Values that run already make no revision: the answer is the one that runs.
    pub async fn tune(&self, id: &str, loop_name: &str, base_revision: u32, params: Value, by: &str) -> Result<u32, ApiError> {
        let row = self.row(id).await?;
        if row.phase.ended() {
            return Err(ApiError::Conflict { message: format!("job {id} has ended: nothing decides by its parameters any more") });
        }
        let Some(spec) = row.spec.loops.iter().find(|spec| spec.name == loop_name) else {
            return Err(ApiError::NotFound { what: format!("loop {loop_name} of job {id}") });
        };
        let law = controllers::law(&spec.controller.kind, &params, None).map_err(|errors| ApiError::Invalid { errors })?;
        let stored = self.shared.store.add_tuning(id, loop_name, base_revision, law.params(), by, now_ms());
        match stored.await.map_err(|error| internal(&error))? {
            Ok(view) => {
                // An ended job keeps the revision for its record; there is nobody to tell.
                let _ = self.nudge(id, Nudge::Retuned).await;
                Ok(view.revision)
            }
            Err(conflict) => Err(ApiError::Conflict {
                message: format!(
                    "{} has set revision {} in the meantime; look at it and apply yours again",
                    conflict.current.author, conflict.current.revision
                ),
            }),
        }
    }

    /// Gives dead items another life. A job that had ended with them goes on.
    pub async fn retry(&self, id: &str, indexes: &[u64]) -> Result<u64, ApiError> {
        let row = self.row(id).await?;
        match row.phase {
            Phase::Stopped | Phase::Terminated => {
                return Err(ApiError::Conflict {
                    message: format!("job {id} was {}: nobody works on its items any more", row.phase.word()),
                });
            }
            Phase::Completed | Phase::Failed if self.tasks().contains_key(id) => {
                return Err(ApiError::Conflict { message: format!("job {id} is just ending; try again in a moment") });
            }
            _ => {}
        }
        let queue = self.queue(&row).await?;
        if let Some(trouble) = queue.trouble() {
            return Err(failed(&trouble));
        }
        let count = queue.retry(indexes).map_err(|error| failed(&error))?;
        // What a person is told of is kept.
        queue.written().await.map_err(|error| failed(&error))?;
        if !row.phase.ended() {
            self.nudge(id, Nudge::Retried).await?;
        } else if count > 0 {
            self.shared.store.set_phase(id, Phase::Running, None, now_ms()).await.map_err(|error| internal(&error))?;
            self.spawn(self.row(id).await?, None);
        }
        Ok(count)
    }

    /// Removes an ended job with its items, results, samples and logs.
    pub async fn delete(&self, id: &str) -> Result<(), ApiError> {
        let row = self.row(id).await?;
        if !row.phase.ended() || self.tasks().contains_key(id) {
            return Err(ApiError::Conflict { message: format!("job {id} is {}: stop or terminate it first", row.phase.word()) });
        }
        self.shared.forget_queue(&row).await.map_err(|error| failed(&error))?;
        self.shared.store.delete_job(id).await.map_err(|error| internal(&error))?;
        if let Workload::Upload { upload } = &row.spec.workload {
            uploads::forget(&self.shared.store, &self.uploads(), upload).await;
        }
        let folder = self.shared.settings.data.join("jobs").join(id);
        match tokio::fs::remove_dir_all(&folder).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!("job {id}: its folder could not be removed: {error}");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Tells every job's task that the server stops, and waits for them.
    pub async fn shutdown(&self, end_replicas: bool) {
        let senders: Vec<_> = self.tasks().drain().map(|(_, sender)| sender).collect();
        let mut waits = Vec::new();
        for sender in senders {
            let (done, wait) = oneshot::channel();
            if sender.send(Nudge::Shutdown { end_replicas, done }).await.is_ok() {
                waits.push(wait);
            }
        }
        let all = futures::future::join_all(waits);
        if tokio::time::timeout(Duration::from_secs(30), all).await.is_err() {
            tracing::warn!("some jobs did not stop within 30 s; their replicas are looked for at the next start");
        }
    }
}

/// `kj-` and sixteen characters, eighty random bits.
fn new_id() -> String {
    let random = ulid::Ulid::new().to_string().to_lowercase();
    format!("kj-{}", &random[10..])
}

/// Checks a plugin choice against the platforms of this server.
pub fn platform_of(shared: &Shared, spec: &PluginSpec) -> Result<Arc<dyn Platform>, String> {
    shared.platform(&spec.kind).ok_or_else(|| format!("this server has no platform {}", spec.kind))
}

/// A summary with what only the queue and the replicas know.
pub fn summary(row: &JobRow, queue: Option<&Queue>, replicas: control::live::ReplicaCounts) -> JobSummary {
    let mut summary = row.summary.clone();
    summary.phase = row.phase;
    summary.reason.clone_from(&row.reason);
    summary.started_at = row.started_at;
    summary.ended_at = row.ended_at;
    summary.replicas = replicas;
    // What was seen of an end is of no account once the job goes on.
    summary.dismissed = false;
    summary.foretold = row.summary.foretold.filter(|_| row.phase == Phase::Running);
    if let Some(queue) = queue {
        let service = queue.service();
        summary.items = queue.counts();
        summary.service_p50_s = service.p50_s;
        summary.service_p95_s = service.p95_s;
    }
    summary
}

pub fn internal(error: &dyn std::error::Error) -> ApiError {
    let message = chain(error);
    tracing::error!("{message}");
    ApiError::Internal { message }
}

/// A mark without a loop.
pub fn mark(kind: control::live::MarkKind, text: String) -> Mark {
    Mark { at: now_ms(), kind, text, loop_name: None, decision: None }
}
