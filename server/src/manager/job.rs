//! One job's task: it reads the truth, lets the loops decide, and brings the replicas to what is wanted.
//!
//! Ten times a second it looks after replicas (what ended, what is drained), once a second it is a tick:
//! monitors read, loops decide, and one transaction stores samples, memories, decisions and the page's frame.

mod begin;
mod end;
mod tick;

pub use begin::run;
pub use end::{lingering, sweep_ended};

use std::sync::Arc;
use std::time::Duration;

use app::backend::JobCommand;
use control::job::Phase;
use control::live::{Mark, MarkKind};
use control::observation::History;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::experience::AtHalf;
use super::replicas::Replicas;
use super::{Nudge, Shared, Ticking, mark, workload};
use crate::actuator::Scalable as _;
use crate::clock::now_ms;
use crate::controller::Loops;
use crate::monitor::Monitor;
use crate::queue::{Queue, QueueError};
use crate::store::{JobRow, StoreError};
use crate::words::chain;

const CARE: Duration = Duration::from_millis(100);
const CARES_A_TICK: u32 = 10;
/// How long replicas may take to see by themselves that the job is over.
const FAREWELL_MS: i64 = 1500;
/// The same where they take seconds to be gone: the job is over, and they go after it.
const BRIEFLY_MS: i64 = 300;
/// And to end when they are asked to at the end of the job or of the server.
const FAREWELL: Duration = Duration::from_secs(2);
/// A replica that is asked to leave may finish its item, however long it takes.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);
/// Where no actuator says otherwise.
const DRAIN_S: f64 = 120.0;

#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error("could not start")]
    Workload(#[from] workload::WorkloadError),
    #[error("the store failed")]
    Store(#[from] StoreError),
    #[error("the queue failed")]
    Queue(#[from] QueueError),
    #[error("could not start: {0}")]
    Setup(String),
    #[error("{0}")]
    Lost(String),
}

pub struct Task {
    shared: Arc<Shared>,
    row: JobRow,
    queue: Arc<Queue>,
    replicas: Replicas,
    loops: Loops,
    monitors: Vec<Box<dyn Monitor>>,
    marks: Vec<Mark>,
    retuned: bool,
    /// The phase that draining leads to.
    leaving: Option<Phase>,
    /// When the last item was handled.
    over_since: Option<i64>,
    /// How many replicas were wanted then, should items come back.
    before_end: u32,
    /// Nobody is left and nothing was left behind.
    left: bool,
    /// The job is over, and its replicas are still on their way out.
    lingering: bool,
    /// The server stops: the job is left as it is.
    released: bool,
    blind: bool,
    /// Since when replicas cannot be seen, and whether that was told.
    unseen_since: Option<(i64, bool)>,
    /// Service times seen at the tick before, so that each is told to the loops once.
    told_services: u64,
    /// What earlier jobs with this program taught.
    history: Option<History>,
    at_half: AtHalf,
}

impl Task {
    async fn live(&mut self, mut ticking: Option<Ticking>, nudges: &mut mpsc::Receiver<Nudge>) -> Result<(), JobError> {
        let mut care = tokio::time::interval(CARE);
        care.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first look is a tick: a new job is on the page at once, and a chart has no hole beyond the outage.
        let mut cares = CARES_A_TICK - 1;
        let mut queue_changes = self.queue.changed();
        if self.leaving.is_some() {
            self.replicas.drain_all(PATIENCE);
        }
        while (self.lingering || !self.row.phase.ended()) && !self.released {
            let done = tokio::select! {
                nudge = nudges.recv() => match nudge {
                    Some(nudge) => self.heed(nudge).await,
                    None => return Ok(()),
                },
                _ = care.tick() => {
                    cares += 1;
                    let looked = self.look(&mut cares).await;
                    drop(ticking.take());
                    looked
                }
                changed = queue_changes.changed() => {
                    // Only the end of the work is urgent; everything else waits for the next look.
                    if changed.is_ok() && self.queue.counts().left() == 0 {
                        self.care().await
                    } else {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        Ok(())
                    }
                }
            };
            self.endure(done)?;
        }
        Ok(())
    }

    /// A store that fails now may work the next second (a full disk, a lock): the job goes on meanwhile.
    fn endure(&mut self, result: Result<(), JobError>) -> Result<(), JobError> {
        match result {
            Err(JobError::Store(error)) => {
                tracing::error!("job {}: {}; the next second tries again", self.row.id, chain(&error));
                self.retuned = true;
                Ok(())
            }
            other => other,
        }
    }

    /// Ten times a second it looks after replicas, each tenth time it is a tick, whatever became of the look.
    async fn look(&mut self, cares: &mut u32) -> Result<(), JobError> {
        let cared = self.care().await;
        if *cares < CARES_A_TICK {
            return cared;
        }
        *cares = 0;
        self.tick().await.and(cared)
    }

    async fn heed(&mut self, nudge: Nudge) -> Result<(), JobError> {
        match nudge {
            Nudge::Command(command, answer) => {
                let obeyed = self.obey(command).await;
                let said = match &obeyed {
                    Ok(None) => Ok(()),
                    Ok(Some(refused)) => Err((*refused).to_owned()),
                    Err(error) => Err(chain(error)),
                };
                // Who asked may have gone; it is done all the same.
                let _ = answer.send(said);
                obeyed.map(drop)
            }
            Nudge::Retuned => {
                self.retuned = true;
                // The new values decide at once.
                self.tick().await
            }
            Nudge::Retried => {
                self.over_since = None;
                Ok(())
            }
            Nudge::Shutdown { end_replicas, done } => {
                let mut ended = Ok(());
                if end_replicas {
                    // In memory only: the last tick must not start anybody.
                    self.leaving = Some(Phase::Suspended);
                    let wanted = self.replicas.wanted();
                    ended = self.replicas.end_all(FAREWELL).await;
                    self.replicas.want(wanted, drain_s(&self.row));
                }
                let ticked = self.tick().await;
                // A Redis that is away is not waited for: then the next start does it again.
                if tokio::time::timeout(FAREWELL, self.queue.written()).await.is_err() {
                    tracing::warn!("job {}: its Redis is away; what was done last will be done again", self.row.id);
                }
                self.released = true;
                let _ = done.send(());
                ended.map_err(JobError::from).and(ticked)
            }
        }
    }

    /// Looks after replicas: what ended, what is drained, what is missing; and whether the job is over.
    async fn care(&mut self) -> Result<(), JobError> {
        if let Some(lost @ QueueError::Lost { .. }) = self.queue.trouble().filter(|_| !self.lingering) {
            return Err(lost.into());
        }
        let exits = self.shared.exits_of(&self.row.id);
        self.replicas.collect(&exits).await?;
        let over = self.queue.counts().left() == 0;
        if let Some(why) = self.replicas.lost().filter(|_| !over) {
            return Err(JobError::Lost(why));
        }
        if self.lingering && over {
            return self.farewell().await;
        }
        if over && self.leaving.is_none() {
            return self.finish().await;
        }
        if self.over_since.take().is_some() && self.leaving.is_none() {
            if std::mem::take(&mut self.lingering) {
                self.enter(Phase::Running, None).await?;
            }
            // Items came back (a retry, a worker that gave its last one up): the work goes on as before.
            self.replicas.want(self.before_end.max(self.row.spec.replicas.min), drain_s(&self.row));
        }
        self.replicas.reconcile().await?;
        if let Some(phase) = self.leaving
            && (self.replicas.none_left() || self.replicas.lent())
            && !self.left
        {
            self.replicas.end_all(Duration::ZERO).await?;
            self.left = true;
            // What was finished while everybody left is a finished job.
            if over && phase != Phase::Terminated {
                self.leaving = None;
                return self.finish().await;
            }
            if self.row.phase != phase {
                self.enter(phase, None).await?;
            }
        }
        Ok(())
    }

    /// Stores what was asked for before it is acknowledged. Answers why it does not fit, when it does not.
    async fn obey(&mut self, command: JobCommand) -> Result<Option<&'static str>, JobError> {
        match (command, self.leaving) {
            (JobCommand::Suspend, None) if self.replicas.lent() => {
                return Ok(Some("its Kubernetes Job is somebody else's; suspend that one"));
            }
            (JobCommand::Suspend, None) => {
                self.leave(Phase::Suspended);
                self.marks.push(mark(MarkKind::Info, "Suspended: replicas finish what they hold.".to_owned()));
                self.enter(Phase::Suspended, None).await?;
            }
            (JobCommand::Resume, Some(Phase::Suspended)) => {
                (self.leaving, self.left) = (None, false);
                self.replicas.want(self.row.spec.replicas.initial, drain_s(&self.row));
                self.enter(Phase::Running, None).await?;
            }
            (JobCommand::Stop, None | Some(Phase::Suspended)) => {
                self.leave(Phase::Stopped);
                self.enter(Phase::Stopping, None).await?;
            }
            (JobCommand::Terminate, _) => {
                self.leave(Phase::Terminated);
                self.enter(Phase::Stopping, None).await?;
                self.replicas.end_all(Duration::ZERO).await?;
                self.enter(Phase::Terminated, None).await?;
            }
            (JobCommand::Suspend, Some(_)) => return Ok(Some("it is suspended or stopping already")),
            (JobCommand::Resume, _) => return Ok(Some("it is not suspended")),
            (JobCommand::Stop, Some(_)) => return Ok(Some("it is stopping already")),
            (JobCommand::Dismiss, _) => return Ok(Some("it has not ended")),
        }
        Ok(None)
    }

    /// From now on nobody is started; replicas finish what they hold.
    fn leave(&mut self, phase: Phase) {
        (self.leaving, self.left) = (Some(phase), false);
        self.replicas.drain_all(PATIENCE);
    }

    async fn enter(&mut self, phase: Phase, reason: Option<String>) -> Result<(), JobError> {
        self.enter_at(now_ms(), phase, reason).await
    }

    async fn enter_at(&mut self, at: i64, phase: Phase, reason: Option<String>) -> Result<(), JobError> {
        if phase.ended() {
            // The last frame carries the last counts.
            self.tick().await?;
        }
        if phase.ended() {
            self.replicas.tell_end(phase, reason.as_deref());
        }
        self.shared.store.set_phase(&self.row.id, phase, reason, at).await?;
        if let Some(row) = self.shared.store.job(&self.row.id).await? {
            self.row = row;
        }
        self.tick().await
    }

    /// The job cannot go on: nothing is left behind, and the reason is shown.
    async fn fail(&mut self, reason: &str) {
        self.leave(Phase::Failed);
        self.replicas.tell_end(Phase::Failed, Some(reason));
        if let Err(error) = self.replicas.end_all(Duration::ZERO).await {
            tracing::error!("job {}: replicas could not be ended: {}", self.row.id, chain(&error));
        }
        if let Err(error) = self.tick().await {
            tracing::error!("job {}: its last state could not be stored: {}", self.row.id, chain(&error));
        }
        begin::store_failure(&self.shared, &self.row.id, reason).await;
    }
}

/// How long a replica may finish its item, as the job's actuator says.
fn drain_s(row: &JobRow) -> f64 {
    let said = row.spec.loops.iter().find_map(|spec| spec.actuator.params.get("drain_s")?.as_f64());
    said.unwrap_or(DRAIN_S)
}
