//! One Job that is there, under control: a task that hears what is wanted and what its pods do, tells the queue what
//! they have done, and moves the parallelism.
//!
//! A completion is an item, and a pod is a replica that takes one. Pods bear no name of ours: which replica a pod is,
//! only this task knows, and after a restart they are given out anew, for one completion is as good as another.

mod account;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc::UnboundedReceiver, oneshot};

use super::{
    hand::{Hand, Note, Now},
    params::AdoptedParams,
};
use crate::{
    platform::{
        kubejobs::{
            cluster::{Cluster, Kind, Trouble},
            job::{Board, Spot},
            pod::Seen,
            watch::News,
        },
        replica_id,
    },
    queue::Queue,
};

/// Whatever happens within this is one look.
const GATHER: Duration = Duration::from_millis(5);
/// A replica that ended may be replaced at once: parallelism falls only when it is not. The Job's controller itself
/// makes the next pod a second after one has ended.
const LOWER_AFTER: Duration = Duration::from_millis(300);
/// After something failed.
const AGAIN: Duration = Duration::from_secs(1);
/// The Job itself is looked at so soon after a pod ended: its controller counts them once a second.
const LOOK_AFTER: Duration = Duration::from_secs(2);
/// What the Job counts and no pod has told is believed after this.
const BELIEVED_AFTER: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(3600);

pub enum Command {
    Start(u64),
    /// It was started by an earlier server.
    Adopt(u64),
    /// Everybody is adopted.
    Settled,
    End {
        replica: u64,
        done: oneshot::Sender<()>,
    },
    /// The Job is to be as it was. Answered when it is.
    GiveBack(oneshot::Sender<()>),
}

pub struct Parts {
    pub job: String,
    pub params: AdoptedParams,
    pub cluster: Cluster,
    pub board: Arc<Board>,
    pub commands: UnboundedReceiver<Command>,
    pub news: UnboundedReceiver<News>,
    pub queue: Box<dyn Fn() -> Option<Arc<Queue>> + Send + Sync>,
}

#[derive(Default)]
struct Member {
    pod: Option<String>,
    ending: Option<Vec<oneshot::Sender<()>>>,
    over: bool,
}

pub struct Task {
    parts: Parts,
    members: BTreeMap<u64, Member>,
    pods: HashMap<String, Seen>,
    listed: bool,
    settled: bool,
    note: Option<Note>,
    now: Option<Now>,
    /// Completions that the queue does not know: those from before.
    before: Option<u64>,
    /// When the Job is to be looked at.
    look_at: Instant,
    low_since: Option<Instant>,
    uncounted_since: Option<Instant>,
    failed: Option<(Trouble, Instant)>,
    not_made: Option<String>,
    blind: Option<(Instant, String)>,
    giving: Vec<oneshot::Sender<()>>,
}

impl Task {
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            members: BTreeMap::new(),
            pods: HashMap::new(),
            listed: false,
            settled: false,
            note: None,
            now: None,
            before: None,
            look_at: Instant::now(),
            low_since: None,
            uncounted_since: None,
            failed: None,
            not_made: None,
            blind: None,
            giving: Vec::new(),
        }
    }

    /// Until the Job is given back. `left` forgets this task, unless somebody has asked for something meanwhile.
    pub async fn run(mut self, left: impl Fn(&UnboundedReceiver<Command>) -> bool + Send + Sync) {
        loop {
            let pause = self.work().await;
            if self.note.is_none() && self.members.is_empty() && self.giving.is_empty() && self.settled && left(&self.parts.commands) {
                return;
            }
            tokio::select! {
                command = self.parts.commands.recv() => match command {
                    Some(command) => self.heed(command),
                    None => return,
                },
                Some(news) = self.parts.news.recv() => self.hear(news),
                () = tokio::time::sleep(pause) => {}
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
                self.settled = true;
                self.members.entry(replica).or_default();
            }
            Command::Adopt(replica) => drop(self.members.entry(replica).or_default()),
            Command::Settled => self.settled = true,
            Command::End { replica, done } => match self.members.get_mut(&replica) {
                None => answer(done),
                Some(member) => member.ending.get_or_insert_default().push(done),
            },
            Command::GiveBack(done) => {
                self.settled = true;
                self.giving.push(done);
                for member in std::mem::take(&mut self.members).into_values() {
                    member.ending.into_iter().flatten().for_each(answer);
                }
            }
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Listed(pods) => {
                (self.listed, self.blind) = (true, None);
                self.pods = pods.into_iter().map(|pod| (pod.uid.clone(), pod)).collect();
                self.look_at = Instant::now();
            }
            News::Pod(pod) => {
                if self.pods.get(&pod.uid).is_none_or(|known| known.version <= pod.version) {
                    self.not_made = None;
                    self.pods.insert(pod.uid.clone(), pod);
                }
            }
            News::Gone(pod) => drop(self.pods.remove(&pod.uid)),
            News::NotMade { why, .. } => self.not_made = Some(why),
            News::Blind { since, why } => self.blind = Some((since, why)),
        }
    }

    /// Answers how long to wait when nothing is heard.
    async fn work(&mut self) -> Duration {
        let now = Instant::now();
        let pause = match &self.failed {
            Some((_, again)) if now < *again => *again - now,
            _ => match self.act(now).await {
                Ok(pause) => {
                    self.failed = None;
                    pause
                }
                Err(trouble) => {
                    self.failed = Some((trouble, now + AGAIN));
                    AGAIN
                }
            },
        };
        self.show();
        pause
    }

    async fn act(&mut self, now: Instant) -> Result<Duration, Trouble> {
        let hand = self.hand().await?;
        if !self.giving.is_empty() {
            hand.give_back(&self.parts.job).await?;
            (self.note, self.now) = (None, None);
            self.giving.drain(..).for_each(answer);
            return Ok(IDLE);
        }
        if self.members.is_empty() {
            return Ok(IDLE);
        }
        if self.look_at <= now || self.parts.cluster.turn().is_none() {
            self.look(&hand).await?;
        }
        let (Some(queue), Some(seen), true, true) = ((self.parts.queue)(), self.now.clone(), self.listed, self.settled) else {
            return Ok(AGAIN);
        };
        self.assign();
        self.account(&queue, now);
        let pause = self.scale(&hand, &seen, &queue, now).await?;
        Ok(pause.min(self.look_at.saturating_duration_since(Instant::now())).max(GATHER))
    }

    async fn hand(&self) -> Result<Hand, Trouble> {
        let client = self.parts.cluster.client().await?;
        Ok(Hand::new(&self.parts.cluster, client, &self.parts.params.namespace, &self.parts.params.job))
    }

    /// Looks at the Job, and takes it where that is not done.
    async fn look(&mut self, hand: &Hand) -> Result<(), Trouble> {
        self.look_at = Instant::now() + IDLE;
        let refused = |words: String| Trouble { kind: Kind::Refused, words };
        let name = &self.parts.params.job;
        let Some(now) = hand.look().await? else {
            return self.lose(format!("The Kubernetes Job {name} is gone: somebody deleted it."));
        };
        if self.now.as_ref().is_some_and(|before| before.uid != now.uid) {
            return self.lose(format!("The Kubernetes Job {name} is another one: somebody deleted it and made it anew."));
        }
        match &now.note {
            Some(note) if note.job != self.parts.job => {
                return Err(refused(format!("The Kubernetes Job {name} is under control of job {} already. Stop that first.", note.job)));
            }
            Some(note) => self.note = Some(note.clone()),
            None if now.over.is_none() => self.note = Some(hand.take(&now, &self.parts.job).await?),
            None => {}
        }
        if self.before.is_none()
            && let Some(queue) = (self.parts.queue)()
        {
            // What is left when it is taken are the items; those done since are done.
            let counts = queue.counts();
            self.before = Some(now.completions.unwrap_or(0).saturating_sub(counts.total));
        }
        let done_by = now.succeeded.saturating_sub(self.before.unwrap_or(0));
        match &now.over {
            Some(Some(why)) => self.lose(format!("The Kubernetes Job {name} has failed: {why}."))?,
            Some(None) if (self.parts.queue)().is_some_and(|queue| done_by < queue.counts().total) => {
                self.lose(format!("The Kubernetes Job {name} has ended after {} of its completions.", now.succeeded))?;
            }
            _ => {}
        }
        self.now = Some(now);
        Ok(())
    }

    /// Nothing that this job could do would help.
    fn lose(&self, why: String) -> Result<(), Trouble> {
        self.parts.board.lose(why.clone());
        Err(Trouble { kind: Kind::Refused, words: why })
    }

    /// As many pods as there are replicas; fewer only when nobody takes the place of one that ended.
    async fn scale(&mut self, hand: &Hand, seen: &Now, queue: &Queue, now: Instant) -> Result<Duration, Trouble> {
        self.forget();
        let wanted = self.members.values().filter(|member| !member.over && member.ending.is_none()).count();
        // At the end the controller makes no more pods than completions are left.
        let at_the_end = queue.counts().waiting == 0 && !self.members.values().any(|member| member.ending.is_some());
        if self.note.is_none()
            || seen.over.is_some()
            || wanted == seen.parallelism
            || (wanted < seen.parallelism && (at_the_end || wanted == 0))
        {
            self.low_since = None;
            return Ok(IDLE);
        }
        if wanted < seen.parallelism {
            let since = *self.low_since.get_or_insert(now);
            if now.duration_since(since) < LOWER_AFTER {
                return Ok(LOWER_AFTER);
            }
        }
        self.low_since = None;
        let set = hand.scale(&seen.uid, wanted).await?;
        if let Some(now) = &mut self.now {
            now.parallelism = set;
        }
        Ok(IDLE)
    }

    fn show(&mut self) {
        let pods = self.members.iter().filter_map(|(number, member)| Some((number, self.pods.get(member.pod.as_ref()?)?)));
        let spots: HashMap<String, Spot> = pods
            .map(|(number, pod)| {
                let (namespace, millicores) = (self.parts.params.namespace.clone(), pod.millicores);
                let spot = Spot { namespace, pod: pod.name.clone(), node: pod.node.clone(), millicores, memory_bytes: pod.memory_bytes };
                (replica_id::of(&self.parts.job, *number), spot)
            })
            .collect();
        self.parts.board.set_spots(spots);
        let away = self.failed.as_ref().filter(|(trouble, _)| trouble.kind == Kind::Away);
        let unseen = self.blind.clone().or_else(|| away.map(|(trouble, at)| (*at, trouble.words.clone())));
        self.parts.board.set_unseen(self.listed, unseen);
        let suspended = self.now.as_ref().is_some_and(|now| now.suspended);
        let suspended = suspended.then(|| "The Kubernetes Job is suspended. Resume it, and this job goes on.".to_owned());
        let waits = || self.pods.values().filter(|pod| pod.lives()).find_map(|pod| pod.waits.clone());
        let failed = self.failed.as_ref().map(|(trouble, _)| trouble.words.clone());
        self.parts.board.set_trouble(failed.or(suspended).or_else(waits).or_else(|| self.not_made.clone()));
    }
}

/// Who asked may have given up.
fn answer(done: oneshot::Sender<()>) {
    let _ = done.send(());
}
