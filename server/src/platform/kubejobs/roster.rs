//! The jobs of a platform of pods, each with its task: how others reach them, and what is read of all of them alike.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use tokio::sync::{
    mpsc::{UnboundedReceiver, UnboundedSender},
    oneshot,
};

use super::{job::Board, site::Site};
use crate::lock::lock;
use crate::platform::{Exit, Handle, Measured, Unseen, Usage};

/// By job; `C` is what its task can be told.
pub struct Roster<C>(pub(super) Mutex<HashMap<String, Known<C>>>);

/// A job's task, as others reach it.
pub struct Known<C> {
    pub site: Arc<Site>,
    pub commands: UnboundedSender<C>,
    pub board: Arc<Board>,
}

impl<C> Default for Roster<C> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<C> Roster<C> {
    /// Gives a job's task a command; it begins with the first word.
    pub fn command(&self, job: &str, command: C, begin: impl Fn() -> Known<C>) {
        let mut jobs = lock(&self.0);
        let known = jobs.entry(job.to_owned()).or_insert_with(&begin);
        if let Err(unheard) = known.commands.send(command) {
            // Its task has ended unexpectedly; the next one reads the truth from the cluster.
            *known = begin();
            // The receiver is still in hand.
            let _ = known.commands.send(unheard.0);
        }
    }

    /// Gives a command to a job that has a task; one that has ended has nobody to hear it.
    pub fn command_if(&self, job: &str, command: C) {
        if let Some(known) = lock(&self.0).get(job) {
            let _ = known.commands.send(command);
        }
    }

    /// Gives the command that ends a replica; `None` when nobody has to be waited for: a job without a task has no pods
    /// that this server knows.
    pub fn end(&self, job: &str, replica: &str, command: impl FnOnce(oneshot::Sender<()>) -> C) -> Option<oneshot::Receiver<()>> {
        let jobs = lock(&self.0);
        let known = jobs.get(job)?;
        let (done, ended) = oneshot::channel();
        let heard = known.commands.send(command(done)).is_ok();
        (heard && !known.board.is_over(replica)).then_some(ended)
    }

    /// Forgets a job, with what `also` forgets, unless somebody has asked for something meanwhile.
    pub fn leave(&self, job: &str, commands: &UnboundedReceiver<C>, also: impl FnOnce()) -> bool {
        // Under the lock nobody can ask for anything.
        let mut jobs = lock(&self.0);
        if !commands.is_empty() {
            return false;
        }
        if let Some(left) = jobs.remove(job) {
            left.site.meter.forget(job);
        }
        also();
        true
    }

    pub fn site(&self, job: &str) -> Option<Arc<Site>> {
        lock(&self.0).get(job).map(|known| Arc::clone(&known.site))
    }

    pub fn board(&self, job: &str) -> Option<Arc<Board>> {
        lock(&self.0).get(job).map(|known| Arc::clone(&known.board))
    }

    pub fn place(&self, handle: &Handle) -> Option<String> {
        Some(format!("pod {}", self.board(&handle.job)?.spot(&handle.replica)?.pod))
    }

    pub fn take_exits(&self) -> Vec<(String, Exit)> {
        lock(&self.0).values().flat_map(|known| known.board.take_exits()).collect()
    }

    pub fn usage(&self, handles: &[Handle]) -> Vec<Option<Usage>> {
        let spots: Vec<_> = handles.iter().map(|handle| self.board(&handle.job)?.spot(&handle.replica)).collect();
        let Some((job, site)) = handles.first().and_then(|first| Some((&first.job, self.site(&first.job)?))) else {
            return vec![None; handles.len()];
        };
        let jobs = lock(&self.0).values().filter(|known| Arc::ptr_eq(&known.site, &site)).count();
        site.meter.measure(job, spots.iter().flatten().cloned().collect(), jobs);
        spots.iter().map(|spot| site.meter.of(spot.as_ref()?)).collect()
    }

    pub fn measured(&self, job: &str) -> Option<Measured> {
        self.site(job)?.meter.how()
    }

    pub fn trouble(&self, job: &str) -> Option<String> {
        self.board(job)?.trouble()
    }

    pub fn unseen(&self, job: &str) -> Option<Unseen> {
        let (board, cluster) = (self.board(job)?, &self.site(job)?.cluster);
        let silent = cluster.silent();
        let of_job = board.unseen().map(|(since, why)| (since.elapsed().max(silent), why));
        let (age, why) = of_job.or_else(|| Some((silent, cluster.away()?)))?;
        Some(Unseen { age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX), why })
    }
}
