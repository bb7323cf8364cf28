//! How a job's task begins: a new job loads its items, an older one takes up what its former life left.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use app::backend::JobCommand;
use control::job::Phase;
use control::live::MarkKind;
use control::plugin::{PluginSpec, sentences};
use tokio::sync::mpsc;

use super::{JobError, Task, drain_s};
use crate::actuator::Scalable as _;
use crate::clock::now_ms;
use crate::controller::Loops;
use crate::manager::experience::{self, AtHalf};
use crate::manager::replicas::Replicas;
use crate::manager::{Nudge, Shared, Ticking, mark, platform_of, workload};
use crate::monitor;
use crate::queue::Queue;
use crate::store::JobRow;
use crate::words::chain;

/// A Redis as most are installed.
const FORGETFUL: &str = "The Redis of the queue keeps no append-only file: should it be killed, the job cannot go on. \
                         CONFIG SET appendonly yes and CONFIG SET appendfsync always change that.";

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
            sweep(&shared, &id, &spec).await;
            store_failure(&shared, &id, &chain(&error)).await;
        }
    }
}

/// What a former life left working must not outlive its job.
async fn sweep(shared: &Shared, id: &str, spec: &PluginSpec) {
    if let Ok(platform) = platform_of(shared, spec)
        && let Err(error) = platform.sweep(id, &spec.params).await
    {
        tracing::error!("job {id}: its replicas could not be ended: {}", chain(&error));
    }
}

/// A Redis may be away for hours, and a workload may take minutes to load: until then only stopping, terminating and
/// the server's end are heard.
async fn begin_or_leave(shared: &Arc<Shared>, row: JobRow, nudges: &mut mpsc::Receiver<Nudge>) -> Option<Result<Task, JobError>> {
    let queue = {
        let mut found = pin!(shared.queue_or_new(&row));
        loop {
            tokio::select! {
                found = &mut found => break found,
                nudge = nudges.recv() => if leaves(shared, &row, nudge).await { return None },
            }
        }
    };
    let queue = match queue {
        Ok(queue) => queue,
        Err(error) => return Some(Err(error.into())),
    };
    let mut begin = pin!(Task::begin(shared.clone(), row.clone(), queue));
    loop {
        tokio::select! {
            begun = &mut begin => return Some(begun),
            // What a former life left is taken over as a whole, which takes no time.
            nudge = nudges.recv(), if row.phase == Phase::Created => if leaves(shared, &row, nudge).await { return None },
        }
    }
}

/// What a nudge means to a job that has not begun; true when there is nothing left to begin.
async fn leaves(shared: &Shared, row: &JobRow, nudge: Option<Nudge>) -> bool {
    let new = row.phase == Phase::Created;
    match nudge {
        Some(Nudge::Command(command, answer)) if command == JobCommand::Terminate || (command == JobCommand::Stop && new) => {
            let phase = if command == JobCommand::Stop { Phase::Stopped } else { Phase::Terminated };
            if !new {
                sweep(shared, &row.id, &row.spec.platform).await;
            }
            let stored = shared.store.set_phase(&row.id, phase, None, now_ms()).await;
            let _ = answer.send(stored.map(drop).map_err(|error| chain(&error)));
            true
        }
        Some(Nudge::Command(_, answer)) => {
            let why = if new { "its items are still being loaded" } else { "the Redis of its queue is away; it can be terminated" };
            let _ = answer.send(Err(why.to_owned()));
            false
        }
        Some(Nudge::Shutdown { done, .. }) => {
            let _ = done.send(());
            true
        }
        Some(Nudge::Retuned | Nudge::Retried) => false,
        None => true,
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
    pub(super) async fn begin(shared: Arc<Shared>, mut row: JobRow, queue: Arc<Queue>) -> Result<Self, JobError> {
        let store = &shared.store;
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
        let caution = (!recovered && queue.forgetful()).then(|| mark(MarkKind::Info, FORGETFUL.to_owned()));
        let history = store.experience(&experience::template(&row.spec)).await?.history;
        Ok(Self {
            shared: shared.clone(),
            row,
            queue,
            replicas,
            loops,
            monitors,
            marks: caution.into_iter().collect(),
            retuned: true,
            leaving,
            over_since: None,
            before_end: 1,
            left: false,
            lingering: false,
            released: false,
            blind: false,
            unseen_since: None,
            told_services,
            history,
            at_half: AtHalf::default(),
        })
    }
}
