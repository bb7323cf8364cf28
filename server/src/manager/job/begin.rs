//! How a job's task begins: a new job loads its items, an older one takes up what its former life left.

use std::sync::Arc;
use std::time::Duration;

use app::backend::JobCommand;
use control::job::Phase;
use control::plugin::sentences;
use tokio::sync::mpsc;

use super::{JobError, Task, drain_s};
use crate::actuator::Scalable as _;
use crate::clock::now_ms;
use crate::controller::Loops;
use crate::manager::experience::{self, AtHalf};
use crate::manager::replicas::Replicas;
use crate::manager::{Nudge, Shared, Ticking, platform_of, workload};
use crate::monitor;
use crate::queue::QueueError;
use crate::store::JobRow;
use crate::words::chain;

/// Runs a job until it has ended or the server stops.
pub async fn run(shared: Arc<Shared>, row: JobRow, ticking: Option<Ticking>, mut nudges: mpsc::Receiver<Nudge>) {
    let (id, spec) = (row.id.clone(), row.spec.platform.clone());
    let Some(begun) = begin_or_leave(&shared, row, &mut nudges).await else { return };
    match begun {
        Ok(mut task) => {
            if let Err(error) = task.live(ticking, &mut nudges).await {
                task.fail(&chain(&error)).await;
            }
        }
        Err(error) => {
            // What a former life left working must not outlive its job.
            if let Ok(platform) = platform_of(&shared, &spec)
                && let Err(error) = platform.sweep(&id, &spec.params).await
            {
                tracing::error!("job {id}: its replicas could not be ended: {}", chain(&error));
            }
            store_failure(&shared, &id, &chain(&error)).await;
        }
    }
}

/// A workload may take minutes to load: until then only stopping, terminating and the server's end are heard.
async fn begin_or_leave(shared: &Arc<Shared>, row: JobRow, nudges: &mut mpsc::Receiver<Nudge>) -> Option<Result<Task, JobError>> {
    let (id, new) = (row.id.clone(), row.phase == Phase::Created);
    let mut begin = std::pin::pin!(Task::begin(shared.clone(), row));
    loop {
        let nudge = tokio::select! {
            begun = &mut begin => return Some(begun),
            nudge = nudges.recv(), if new => nudge,
        };
        match nudge {
            Some(Nudge::Command(command @ (JobCommand::Stop | JobCommand::Terminate), answer)) => {
                let phase = if command == JobCommand::Stop { Phase::Stopped } else { Phase::Terminated };
                let stored = shared.store.set_phase(&id, phase, None, now_ms()).await;
                let _ = answer.send(stored.map(drop).map_err(|error| chain(&error)));
                return None;
            }
            Some(Nudge::Command(_, answer)) => {
                let _ = answer.send(Err("its items are still being loaded".to_owned()));
            }
            Some(Nudge::Shutdown { done, .. }) => {
                let _ = done.send(());
                return None;
            }
            Some(Nudge::Retuned | Nudge::Retried) => {}
            None => return None,
        }
    }
}

/// The reason of a failure is worth more than one try: the store may have been what failed.
pub(super) async fn store_failure(shared: &Shared, id: &str, reason: &str) {
    tracing::error!("job {id} failed: {reason}");
    for pause in [1, 5, 30] {
        match shared.store.set_phase(id, Phase::Failed, Some(reason.to_owned()), now_ms()).await {
            Ok(_) => return,
            Err(error) => tracing::error!("job {id}: its failure could not be stored: {}", chain(&error)),
        }
        tokio::time::sleep(Duration::from_secs(pause)).await;
    }
}

impl Task {
    /// Loads what a former life left, or the workload when this is the first.
    pub(super) async fn begin(shared: Arc<Shared>, mut row: JobRow) -> Result<Self, JobError> {
        let store = &shared.store;
        let queue = match shared.queues.load(&row.id) {
            Ok(Some(queue)) => queue,
            Ok(None) => shared.queues.create(&row.id, row.spec.queue)?,
            // The server died while it made the queue: nothing was handed out yet.
            Err(QueueError::Corrupt { .. }) if row.phase == Phase::Created => shared.queues.create(&row.id, row.spec.queue)?,
            Err(error) => return Err(error.into()),
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
            let bounds = row.spec.replicas;
            let wanted = match row.summary.replicas.wanted {
                0 => bounds.initial,
                wanted => wanted.clamp(bounds.min, bounds.max),
            };
            replicas.want(wanted, drain_s(&row));
        }
        let (views, memories) = (store.loops(&row.id).await?, store.memories(&row.id).await?);
        let loops = Loops::new(&row.spec.loops, &views, &memories).map_err(|errors| JobError::Setup(sentences(&errors)))?;
        let monitors =
            row.spec.monitors.iter().map(monitor::build).collect::<Result<_, _>>().map_err(|errors| JobError::Setup(sentences(&errors)))?;
        if row.phase == Phase::Created {
            store.set_phase(&row.id, Phase::Running, None, now_ms()).await?;
            row = store.job(&row.id).await?.unwrap_or(row);
        }
        let leaving = match row.phase {
            Phase::Suspended => Some(Phase::Suspended),
            Phase::Stopping => Some(Phase::Stopped),
            _ => None,
        };
        let told_services = queue.services_seen();
        let history = store.experience(&experience::template(&row.spec)).await?.history;
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
            before_end: 1,
            left: false,
            released: false,
            blind: false,
            unseen_since: None,
            told_services,
            history,
            at_half: AtHalf::default(),
        })
    }
}
