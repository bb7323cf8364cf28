//! One job on the cluster: a task that hears what is wanted and what the pods do, and takes the steps of the plan.
//!
//! Whoever wants something only says so; the task compares and acts until both agree, however often it fails
//! in between. Nothing is taken for ended because the cluster does not answer.

mod board;
mod hear;
mod steps;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc::UnboundedReceiver, oneshot},
    task::JoinHandle,
};

pub use self::board::{Board, Spot};
use super::{
    asks::{Asks, Made},
    cluster::{Cluster, Trouble},
    door::JobDoor,
    params::KubejobsParams,
    plan::{Ending, Member, State, UNSURE, forgive, plan},
    watch::News,
};
use crate::clock::now_ms;
use crate::platform::replica_id;

/// Whatever happens within this is one look: twenty starts are one patch.
const GATHER: Duration = Duration::from_millis(5);
/// A plan whose steps change nothing is looked at again after this.
const STUCK: Duration = Duration::from_secs(1);
const ROUNDS: usize = 20;
/// After the cluster was asked whether it is there: when to look again what became of it.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the last lines of an ended pod may take.
const LAST_LINES: Duration = Duration::from_secs(1);
/// Pods of a removed Job that are still there after this are deleted by name.
const SWEPT_WITHIN: Duration = Duration::from_secs(1);

/// What is wanted of a job's task.
pub enum Command {
    Start(u64),
    /// It was started by an earlier server.
    Adopt(u64),
    /// Everybody is adopted.
    Settled,
    /// CPU for each pod, in thousandths of a core.
    Resize(u32),
    End {
        replica: u64,
        grace: Duration,
        done: oneshot::Sender<()>,
    },
    /// Everything is to go. Answered with how many pods there were, when all are gone.
    Sweep(oneshot::Sender<usize>),
}

/// What a job's task is made of.
pub struct Parts {
    pub job: String,
    pub namespace: String,
    pub params: KubejobsParams,
    pub cluster: Cluster,
    pub data_dir: PathBuf,
    pub board: Arc<Board>,
    pub home: Weak<dyn Home>,
    pub commands: UnboundedReceiver<Command>,
    pub news: UnboundedReceiver<News>,
}

pub struct Task {
    parts: Parts,
    state: State,
    made: Option<Made>,
    /// With the way to the cluster that they go by.
    asks: Option<(u64, Arc<Asks>)>,
    waiting: HashMap<u64, Vec<oneshot::Sender<()>>>,
    sweeping: Option<Sweep>,
    followers: HashMap<u64, JoinHandle<()>>,
    over_since: HashMap<u64, Instant>,
    nudges: u64,
    /// Of the last failed step: why, and when it is tried again.
    failed: Option<(Trouble, Instant)>,
    failures: u32,
    /// Since when steps fail because the cluster does not answer.
    away_since: Option<Instant>,
    not_made: Option<(i64, String)>,
    /// Milliseconds since 1970 of the last raise: what was said before is of another time.
    raised_at: i64,
    /// Since when the watch of the pods is cut, and why.
    blind: Option<(Instant, String)>,
    /// What CPU pods of an earlier server were given is still to be read from them.
    recalls_cpu: bool,
    /// Nothing is left to do, for ever.
    finished: bool,
}

struct Sweep {
    answers: Vec<oneshot::Sender<usize>>,
    removed: bool,
    since: Instant,
    pods: usize,
}

/// Where the tasks of all jobs are known.
pub trait Home: Send + Sync {
    /// The port at which the job's pods reach the queue.
    fn door(&self, job: &str) -> Option<Arc<JobDoor>>;

    /// The job's Kubernetes Job is there, by this name and uid.
    fn made(&self, job: &str, namespace: &str, uid: &str);

    /// Forgets the job, unless somebody has asked for something meanwhile.
    fn leave(&self, job: &str, commands: &UnboundedReceiver<Command>) -> bool;
}

impl Task {
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            state: State::default(),
            made: None,
            asks: None,
            waiting: HashMap::new(),
            sweeping: None,
            followers: HashMap::new(),
            over_since: HashMap::new(),
            nudges: 0,
            failed: None,
            failures: 0,
            away_since: None,
            not_made: None,
            raised_at: now_ms(),
            blind: None,
            recalls_cpu: false,
            finished: false,
        }
    }

    /// Until everything of the job is swept away and nobody wants it again.
    pub async fn run(mut self) {
        loop {
            let pause = self.work().await;
            if self.finished && self.parts.home.upgrade().is_none_or(|home| home.leave(&self.parts.job, &self.parts.commands)) {
                return;
            }
            tokio::select! {
                command = self.parts.commands.recv() => match command {
                    Some(command) => self.heed(command),
                    None => return,
                },
                Some(news) = self.parts.news.recv() => self.hear(news),
                () = tokio::time::sleep(pause.unwrap_or(Duration::from_secs(3600))) => {}
            }
            tokio::time::sleep(GATHER).await;
            while let Ok(command) = self.parts.commands.try_recv() {
                self.heed(command);
            }
            while let Ok(news) = self.parts.news.try_recv() {
                self.hear(news);
            }
        }
    }

    fn heed(&mut self, command: Command) {
        match command {
            Command::Start(replica) => {
                self.finished = false;
                // Nobody is started before those of an earlier server are taken over.
                self.state.settled = true;
                self.state.members.entry(replica).or_default();
            }
            Command::Adopt(replica) => {
                self.finished = false;
                self.state.members.entry(replica).or_insert_with(|| Member { adopted: true, ..Member::default() });
                self.recalls_cpu = true;
                // What the cluster went through meanwhile is not known.
                self.state.unsure_until.get_or_insert(Instant::now() + UNSURE);
            }
            Command::Settled => self.state.settled = true,
            Command::Resize(millicores) => (self.state.cpu, self.state.cpu_refused) = (Some(millicores), None),
            Command::End { replica, grace, done } => match self.state.members.get_mut(&replica) {
                None => drop(done.send(())),
                Some(member) => {
                    let now = Instant::now();
                    let ending = member.ending.get_or_insert_with(|| Ending::new(grace, now));
                    ending.grace = ending.grace.min(grace);
                    self.waiting.entry(replica).or_default().push(done);
                }
            },
            Command::Sweep(answer) => {
                let pods = self.state.pods.values().filter(|pod| pod.lives()).count();
                let now = Instant::now();
                let sweep = self.sweeping.get_or_insert_with(|| Sweep { answers: Vec::new(), removed: false, since: now, pods });
                sweep.answers.push(answer);
                self.state.members.clear();
                for done in std::mem::take(&mut self.waiting).into_values().flatten() {
                    // Who asked may have gone.
                    let _ = done.send(());
                }
            }
        }
    }

    /// Takes steps until there are none; answers how long to wait when nothing is heard.
    async fn work(&mut self) -> Option<Duration> {
        for _ in 0..ROUNDS {
            let now = Instant::now();
            let forgives = forgive(&mut self.state, now);
            let listens = self.settle();
            if let Some((_, again)) = &self.failed
                && now < *again
            {
                return Some(*again - now);
            }
            if self.sweeping.is_some() {
                match self.sweep(now).await {
                    Some(wait) => return Some(wait),
                    None => continue,
                }
            }
            if self.adopts() {
                // What the Job is like is not known yet: it is looked at as if it were to be made.
                self.take(vec![super::plan::Step::Ensure]).await;
                continue;
            }
            let (steps, wait) = plan(&mut self.state, now);
            if steps.is_empty() {
                // What failed is no longer wanted.
                if self.failed.take().is_some() {
                    (self.failures, self.away_since) = (0, None);
                    self.settle();
                }
                return [wait, listens, forgives, self.listen().await].into_iter().flatten().min();
            }
            self.take(steps).await;
        }
        tracing::warn!("job {}: the cluster does as it is told and nothing comes of it", self.parts.job);
        Some(STUCK)
    }

    /// A watch that tells nothing may be one that is told nothing: after a while of silence the cluster is asked whether
    /// it is there. Answers how long until the next time; whatever became of the question is noted where all jobs see it.
    async fn listen(&mut self) -> Option<Duration> {
        if self.state.members.is_empty() || !self.state.exists {
            return None;
        }
        if let Some(left) = self.parts.cluster.turn() {
            return Some(left);
        }
        if let Ok(asks) = self.asks().await
            && let Err(trouble) = asks.look().await
        {
            tracing::debug!("job {}: {}", self.parts.job, trouble.words);
        }
        Some(PAUSE)
    }

    /// There are pods of a server before, and their Job is not looked at yet.
    fn adopts(&self) -> bool {
        !self.state.exists && self.state.listed && self.state.members.values().any(|member| member.pod.is_some() && member.over.is_none())
    }

    async fn asks(&mut self) -> Result<Arc<Asks>, Trouble> {
        let way = *self.parts.cluster.ways().borrow();
        if let Some((_, asks)) = self.asks.as_ref().filter(|(by, _)| *by == way) {
            return Ok(Arc::clone(asks));
        }
        let client = self.parts.cluster.client().await?;
        let asks = Arc::new(Asks::new(&self.parts.cluster, &client, &self.parts.namespace, &self.parts.job));
        self.asks = Some((way, Arc::clone(&asks)));
        Ok(asks)
    }

    fn replica(&self, number: u64) -> String {
        replica_id::of(&self.parts.job, number)
    }
}
