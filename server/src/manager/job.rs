//! One job's task: it reads the truth, lets the loops decide, and brings the replicas to what is wanted.
//!
//! Ten times a second it looks after replicas (what ended, what is drained), once a second it is a tick:
//! monitors read, loops decide, and one transaction stores samples, memories, decisions and the page's frame.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use app::backend::JobCommand;
use control::job::Phase;
use control::live::{Mark, MarkKind};
use control::observation::Observation;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::replicas::Replicas;
use super::{Nudge, Shared, mark, platform_of, summary, workload};
use crate::clock::now_ms;
use crate::controller::{Loops, Moment, Outcome};
use crate::monitor::{self, Monitor, Reading};
use crate::queue::Queue;
use crate::store::{JobRow, StoreError, Tick};
use crate::words::chain;

const CARE: Duration = Duration::from_millis(100);
const CARES_A_TICK: u32 = 10;
/// How long replicas may take to see by themselves that the job is over.
const FAREWELL_MS: i64 = 1500;
/// A monitor that takes longer is treated as failed for this tick.
const MONITOR_TIME: Duration = Duration::from_millis(800);

#[derive(Debug, thiserror::Error)]
enum JobError {
    #[error("could not start")]
    Workload(#[from] workload::WorkloadError),
    #[error("the store failed")]
    Store(#[from] StoreError),
    #[error("the queue failed")]
    Queue(#[from] crate::queue::QueueError),
    #[error("could not start: {0}")]
    Setup(String),
}

/// Runs a job until it has ended or the server stops.
pub async fn run(shared: Arc<Shared>, row: JobRow, mut nudges: mpsc::Receiver<Nudge>) {
    let id = row.id.clone();
    match Task::begin(shared.clone(), row).await {
        Ok(mut task) => {
            if let Err(error) = task.live(&mut nudges).await {
                task.fail(&chain(&error)).await;
            }
        }
        Err(error) => {
            let reason = chain(&error);
            tracing::warn!("job {id} failed: {reason}");
            if let Err(error) = shared.store.set_phase(&id, Phase::Failed, Some(reason), now_ms()).await {
                tracing::error!("job {id}: its failure could not be stored: {}", chain(&error));
            }
        }
    }
}

struct Task {
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
    blind: bool,
}

impl Task {
    /// Loads what a former life left, or the workload when this is the first.
    async fn begin(shared: Arc<Shared>, mut row: JobRow) -> Result<Self, JobError> {
        let store = &shared.store;
        let queue = match shared.queues.load(&row.id)? {
            Some(queue) => queue,
            None => shared.queues.create(&row.id, row.spec.queue)?,
        };
        if !queue.sealed() {
            workload::load(&row.spec.workload, &shared.settings.uploads(), &queue).await?;
        }
        let platform = platform_of(&shared, &row.spec.platform).map_err(JobError::Setup)?;
        let params = row.spec.platform.params.clone();
        let mut replicas = Replicas::new(&row.id, params, platform, queue.clone(), store.clone(), row.spec.replicas.initial);
        let recovered = row.phase != Phase::Created;
        replicas.recover(store.replicas(&row.id, false).await?).await?;
        if recovered {
            let wanted = row.summary.replicas.wanted.clamp(row.spec.replicas.min, row.spec.replicas.max);
            crate::actuator::Scalable::want(&mut replicas, wanted, 120.0);
        }
        let (views, memories) = (store.loops(&row.id).await?, store.memories(&row.id).await?);
        let loops = Loops::new(&row.spec.loops, &views, &memories).map_err(|errors| JobError::Setup(listed(&errors)))?;
        let monitors =
            row.spec.monitors.iter().map(monitor::build).collect::<Result<_, _>>().map_err(|errors| JobError::Setup(listed(&errors)))?;
        if row.phase == Phase::Created {
            store.set_phase(&row.id, Phase::Running, None, now_ms()).await?;
            row = store.job(&row.id).await?.unwrap_or(row);
        }
        let leaving = match row.phase {
            Phase::Suspended => Some(Phase::Suspended),
            Phase::Stopping => Some(Phase::Stopped),
            _ => None,
        };
        Ok(Self {
            shared: shared.clone(),
            row,
            queue,
            replicas,
            loops,
            monitors,
            marks: Vec::new(),
            retuned: true,
            leaving,
            over_since: None,
            blind: false,
        })
    }

    async fn live(&mut self, nudges: &mut mpsc::Receiver<Nudge>) -> Result<(), JobError> {
        let mut care = tokio::time::interval(CARE);
        care.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut cares = 0;
        let mut queue_changes = self.queue.changed();
        if self.leaving.is_some() {
            self.replicas.drain_all(Duration::from_secs(120));
        }
        loop {
            tokio::select! {
                nudge = nudges.recv() => match nudge {
                    Some(Nudge::Command(command)) => self.obey(command).await?,
                    Some(Nudge::Retuned) => {
                        self.retuned = true;
                        // The new values decide at once.
                        self.tick().await?;
                    }
                    Some(Nudge::Retried) => self.over_since = None,
                    Some(Nudge::Shutdown { end_replicas, done }) => {
                        if end_replicas {
                            self.replicas.end_all(Duration::from_secs(2)).await?;
                        }
                        self.tick().await?;
                        let _ = done.send(());
                        return Ok(());
                    }
                    None => return Ok(()),
                },
                _ = care.tick() => {
                    self.care().await?;
                    cares += 1;
                    if cares >= CARES_A_TICK {
                        cares = 0;
                        self.tick().await?;
                    }
                }
                changed = queue_changes.changed() => {
                    // Only the end of the work is urgent; everything else waits for the next look.
                    if changed.is_ok() && self.queue.counts().left() == 0 {
                        self.care().await?;
                    } else {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
            }
            if self.row.phase.ended() {
                return Ok(());
            }
        }
    }

    /// Looks after replicas: what ended, what is drained, what is missing; and whether the job is over.
    async fn care(&mut self) -> Result<(), JobError> {
        let exits = self.shared.exits_of(&self.row.id);
        self.replicas.collect(&exits).await?;
        if self.queue.counts().left() == 0 && self.leaving.is_none() {
            return self.finish().await;
        }
        self.over_since = None;
        self.replicas.reconcile().await?;
        if let Some(phase) = self.leaving
            && self.replicas.none_left()
            && self.row.phase != phase
        {
            self.replicas.end_all(Duration::ZERO).await?;
            self.enter(phase, None).await?;
        }
        Ok(())
    }

    /// Everything is done or dead: replicas see it by themselves, those that do not are ended.
    async fn finish(&mut self) -> Result<(), JobError> {
        let since = *self.over_since.get_or_insert_with(now_ms);
        crate::actuator::Scalable::want(&mut self.replicas, 0, 0.0);
        if !self.replicas.none_left() && now_ms() - since < FAREWELL_MS {
            return Ok(());
        }
        self.replicas.end_all(Duration::from_secs(2)).await?;
        let items = self.queue.counts();
        if items.done == 0 {
            let reason = format!("all {} items are dead after {} attempts each", items.dead, self.row.spec.queue.max_attempts);
            self.enter(Phase::Failed, Some(reason)).await
        } else {
            let reason = (items.dead > 0).then(|| format!("{} of {} items are dead", items.dead, items.total));
            self.enter(Phase::Completed, reason).await
        }
    }

    async fn obey(&mut self, command: JobCommand) -> Result<(), JobError> {
        let grace = Duration::from_secs(24 * 3600);
        match command {
            JobCommand::Suspend if self.row.phase == Phase::Running => {
                self.leaving = Some(Phase::Suspended);
                self.marks.push(mark(MarkKind::Info, "Suspended: replicas finish what they hold.".to_owned()));
                self.replicas.drain_all(grace);
            }
            JobCommand::Resume if self.leaving == Some(Phase::Suspended) => {
                self.leaving = None;
                crate::actuator::Scalable::want(&mut self.replicas, self.row.spec.replicas.initial, 120.0);
                if self.row.phase == Phase::Suspended {
                    self.enter(Phase::Running, None).await?;
                }
            }
            JobCommand::Stop => {
                self.leaving = Some(Phase::Stopped);
                self.replicas.drain_all(grace);
                if self.row.phase != Phase::Stopping {
                    self.enter(Phase::Stopping, None).await?;
                }
            }
            JobCommand::Terminate => {
                self.replicas.end_all(Duration::ZERO).await?;
                self.enter(Phase::Terminated, None).await?;
            }
            JobCommand::Suspend | JobCommand::Resume => {}
        }
        Ok(())
    }

    async fn enter(&mut self, phase: Phase, reason: Option<String>) -> Result<(), JobError> {
        if phase.ended() {
            // The last frame carries the last counts.
            self.tick().await?;
        }
        self.shared.store.set_phase(&self.row.id, phase, reason, now_ms()).await?;
        if let Some(row) = self.shared.store.job(&self.row.id).await? {
            self.row = row;
        }
        self.tick().await
    }

    /// One second of the job: read, decide, store.
    async fn tick(&mut self) -> Result<(), JobError> {
        let now = now_ms();
        let started = self.row.started_at.unwrap_or(now);
        let at_ms = u64::try_from(now - started).unwrap_or(0);
        let deadline_ms = u64::try_from(self.row.deadline_at - started).unwrap_or(0);
        let items = self.queue.counts();
        self.replicas.sample();
        let (metrics, blind) = self.read(at_ms, deadline_ms).await;

        let mut outcome = Outcome::default();
        let mut loops = None;
        if std::mem::take(&mut self.retuned) {
            let views = self.shared.store.loops(&self.row.id).await?;
            self.loops.retune(&views, at_ms, now, &mut outcome);
            loops = Some(views);
        }
        if self.row.phase == Phase::Running && self.leaving.is_none() && items.left() > 0 {
            let seen = Observation {
                at_ms,
                deadline_ms,
                value: 0.0,
                items,
                replicas: self.replicas.wanted(),
                bounds: self.row.spec.replicas,
                saturated: false,
            };
            let moment = Moment { wall_ms: now, seen, metrics: &metrics, blind: blind.as_deref(), wanted: self.replicas.wanted() };
            let decided = self.loops.activate(&moment, &mut self.replicas);
            outcome.samples.extend(decided.samples);
            outcome.memories.extend(decided.memories);
            outcome.marks.extend(decided.marks);
            self.replicas.reconcile().await?;
        }
        self.store(now, metrics, outcome, loops).await
    }

    /// All monitors, each under its time limit. A failing one blinds the loops on its metrics.
    async fn read(&mut self, at_ms: u64, deadline_ms: u64) -> (BTreeMap<String, f64>, Option<String>) {
        let reading = Reading {
            at_ms,
            deadline_ms,
            items: self.queue.counts(),
            cpu: self.replicas.cpu(),
            memory_bytes: self.replicas.memory_bytes(),
        };
        let mut metrics = BTreeMap::new();
        let mut blind = None;
        for monitor in &mut self.monitors {
            match tokio::time::timeout(MONITOR_TIME, monitor.read(&reading)).await {
                Ok(Ok(published)) => metrics.extend(published.into_iter().filter(|(_, value)| value.is_finite())),
                Ok(Err(error)) => blind = Some(error.to_string()),
                Err(_) => blind = Some("a monitor did not answer in time".to_owned()),
            }
        }
        if blind.is_some() && !self.blind {
            self.marks.push(mark(MarkKind::Failure, format!("Blind: {}.", blind.as_deref().unwrap_or_default())));
        }
        self.blind = blind.is_some();
        (metrics, blind)
    }

    async fn store(
        &mut self,
        now: i64,
        metrics: BTreeMap<String, f64>,
        outcome: Outcome,
        loops: Option<Vec<control::live::LoopView>>,
    ) -> Result<(), JobError> {
        let counts = self.replicas.counts();
        let mut samples: Vec<(String, f64)> = metrics.into_iter().collect();
        samples.extend([
            ("wanted".to_owned(), f64::from(counts.wanted)),
            ("running".to_owned(), f64::from(counts.running)),
            ("starting".to_owned(), f64::from(counts.starting)),
            ("draining".to_owned(), f64::from(counts.draining)),
        ]);
        samples.extend(outcome.samples);
        let mut marks = std::mem::take(&mut self.marks);
        marks.extend(self.replicas.take_marks());
        marks.extend(outcome.marks);
        let mut summary = summary(&self.row, Some(&self.queue), counts);
        if !self.row.phase.ended() {
            summary.reason = self.replicas.trouble();
        }
        let tick = Tick {
            job: self.row.id.clone(),
            at: now,
            summary,
            samples,
            memories: outcome.memories,
            marks,
            loops,
            replicas: self.replicas.views(),
        };
        self.shared.store.tick(tick).await?;
        Ok(())
    }

    /// The job cannot go on: nothing is left behind, and the reason is shown.
    async fn fail(&mut self, reason: &str) {
        tracing::error!("job {} failed: {reason}", self.row.id);
        if let Err(error) = self.replicas.end_all(Duration::ZERO).await {
            tracing::error!("job {}: replicas could not be ended: {}", self.row.id, chain(&error));
        }
        if let Err(error) = self.shared.store.set_phase(&self.row.id, Phase::Failed, Some(reason.to_owned()), now_ms()).await {
            tracing::error!("job {}: its failure could not be stored: {}", self.row.id, chain(&error));
        }
    }
}

fn listed(errors: &[control::plugin::FieldError]) -> String {
    let lines: Vec<String> = errors.iter().map(|error| format!("{} {}", error.field, error.message)).collect();
    lines.join("; ")
}
