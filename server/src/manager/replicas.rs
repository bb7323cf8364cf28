//! The replicas of one job: started, adopted, drained and ended, so that there are as many as wanted.

mod drain;
mod recover;
mod tell;
#[cfg(test)]
mod tests;
mod used;
mod view;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use app::ui::words::duration;
use control::live::{Mark, MarkKind, ReplicaState, ReplicaView};
use serde_json::Value;
use tokio_util::sync::DropGuard;

use crate::actuator::{CpuStand, Scalable};
use crate::clock::now_ms;
use crate::platform::backoff::{self, Ended};
use crate::platform::{CpuState, Door, Exit, Handle, Launch, Measured, Platform, Unseen, replica_id};
use crate::queue::Queue;
use crate::store::{ReplicaRow, Store, StoreError};
use crate::words::{chain, counted};

/// Ended replicas that stay visible on the page.
const SHOWN_ENDED: usize = 20;
/// Stored states of a replica that lives.
const STARTING: &str = "starting";
const DRAINING: &str = "draining";

pub struct Replicas {
    job: String,
    params: Value,
    grace: Duration,
    platform: Arc<dyn Platform>,
    queue: Arc<Queue>,
    store: Store,
    next: u64,
    living: Vec<Replica>,
    ended: VecDeque<ReplicaView>,
    wanted: u32,
    drain_ms: i64,
    /// How the newest replicas ended, for the back-off.
    exits: Vec<Ended>,
    /// Sentences and marks since the last tick.
    marks: Vec<Mark>,
    /// Who was chosen to go, and why, since it was last asked.
    going: Option<String>,
    sampled_at: i64,
    /// How long those that ended were there.
    past_ms: i64,
    /// When their CPU was last to be changed.
    resized_at: i64,
}

struct Replica {
    row: ReplicaRow,
    handle: Handle,
    /// Ends the serving of its queue when the replica is forgotten.
    _served: DropGuard,
    draining_since: Option<i64>,
    /// While it drains: since when it holds nothing.
    idle_since: Option<i64>,
    /// The platform is ending it now. Taken back when that failed.
    ending: Arc<AtomicBool>,
    used: used::Meter,
}

impl Replica {
    fn new(row: ReplicaRow, handle: Handle, served: DropGuard) -> Self {
        Self { row, handle, _served: served, draining_since: None, idle_since: None, ending: Arc::default(), used: used::Meter::default() }
    }

    fn ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Neither draining nor being ended.
    fn active(&self) -> bool {
        self.draining_since.is_none() && !self.ending()
    }
}

impl Scalable for Replicas {
    fn want(&mut self, replicas: u32, drain_s: f64) {
        self.wanted = replicas;
        self.drain_ms = (drain_s * 1000.0) as i64;
    }

    fn cpu(&self) -> Option<CpuStand> {
        let CpuState { millicores, refused } = self.platform.cpu(&self.job)?;
        Some(CpuStand { millicores, settling: refused.is_none() && self.settling(), refused })
    }

    fn want_cpu(&mut self, millicores: u32) {
        self.resized_at = now_ms();
        self.platform.resize(&self.job, &self.params, millicores);
    }
}

impl Replicas {
    pub fn new(job: &str, params: Value, platform: Arc<dyn Platform>, queue: Arc<Queue>, store: Store, wanted: u32) -> Self {
        let grace = platform.grace(&params);
        Self {
            job: job.to_owned(),
            params,
            grace,
            platform,
            queue,
            store,
            next: 1,
            living: Vec::new(),
            ended: VecDeque::new(),
            wanted,
            drain_ms: 120_000,
            exits: Vec::new(),
            marks: Vec::new(),
            going: None,
            sampled_at: now_ms(),
            past_ms: 0,
            resized_at: now_ms(),
        }
    }

    fn mark(&mut self, kind: MarkKind, text: String) {
        self.marks.push(Mark { at: now_ms(), kind, text, loop_name: None, decision: None });
    }

    pub fn take_marks(&mut self) -> Vec<Mark> {
        std::mem::take(&mut self.marks)
    }

    pub fn wanted(&self) -> u32 {
        self.wanted
    }

    /// They take seconds to be gone when their work is over.
    pub fn linger(&self) -> bool {
        self.platform.lingers()
    }

    pub fn none_left(&self) -> bool {
        self.living.is_empty()
    }

    /// Notes what ended since the last call and gives its items back at once.
    pub async fn collect(&mut self, exits: &[(String, Exit)]) -> Result<(), StoreError> {
        let mut place = 0;
        while place < self.living.len() {
            let one = &self.living[place];
            let exit = exits.iter().find(|(replica, _)| *replica == one.row.id).map(|(_, exit)| *exit);
            let Some(exit) = exit else {
                place += 1;
                continue;
            };
            let one = self.living.remove(place);
            let asked = !one.active();
            // What the main process left behind goes with it.
            if let Err(error) = self.platform.end(&one.handle, Duration::ZERO).await {
                tracing::warn!("replica {}: its remaining processes could not be ended: {error}", one.row.id);
            }
            let id = one.row.id.clone();
            let words = if asked { "ended as decided".to_owned() } else { exit.words() };
            let mut row = self.close(one.row, exit.clean(), words).await?;
            // Workers that end because nothing waits any more are as they should be. One whose end is not known ended so too:
            // had it broken off in its work, that would wait again now.
            let at_the_end = (exit.clean() || exit == Exit::Unknown) && self.queue.counts().waiting == 0;
            if !asked && !at_the_end {
                self.count(&mut row, exit).await?;
                if exit == Exit::Unknown {
                    self.mark(MarkKind::Info, format!("Replica {} {}.", short(&id), exit.words()));
                } else if !exit.clean() {
                    let text = format!("Replica {} ended: {}.{}", short(&id), exit.words(), self.last_words(&id).await);
                    self.mark(MarkKind::Failure, text);
                }
            }
        }
        Ok(())
    }

    /// The end of its error output says most about a crash.
    async fn last_words(&self, replica: &str) -> String {
        let log = self.platform.log(replica, crate::platform::LogStream::Stderr, None).await;
        let text = log.map(|chunk| chunk.text).unwrap_or_default();
        let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let line: String = line.chars().take(200).collect();
        if line.is_empty() { String::new() } else { format!(" It said last: {line}") }
    }

    /// Gives back what it held and keeps its record, which is answered.
    async fn close(&mut self, mut row: ReplicaRow, clean: bool, words: String) -> Result<ReplicaRow, StoreError> {
        let back = match self.queue.replica_ended(&row.id, clean, &words) {
            Ok(back) => back,
            Err(error) => {
                tracing::error!("replica {}: its items could not be given back: {error}", row.id);
                0
            }
        };
        if back > 0 {
            self.mark(MarkKind::Info, format!("{} of replica {} went back to the queue.", counted(back, "item"), short(&row.id)));
        }
        row.items_done = self.queue.items_done(&row.id);
        "ended".clone_into(&mut row.state);
        row.ended_at = Some(now_ms());
        row.ended = Some(words);
        self.past_ms += lived_ms(&row);
        self.store.put_replica(&row).await?;
        self.show_ended(&row);
        Ok(row)
    }

    /// The last ones that ended stay on the page, with their logs.
    fn show_ended(&mut self, row: &ReplicaRow) {
        self.ended.push_back(ReplicaView {
            id: row.id.clone(),
            state: ReplicaState::Ended,
            started_at: row.started_at,
            place: None,
            address: None,
            holds: Vec::new(),
            cpu: 0.0,
            memory_bytes: 0,
            items_done: row.items_done,
            ended: row.ended.clone(),
        });
        while self.ended.len() > SHOWN_ENDED {
            self.ended.pop_front();
        }
    }

    /// An end that nobody asked for: pauses are reckoned from it, over restarts too.
    async fn count(&mut self, row: &mut ReplicaRow, exit: Exit) -> Result<(), StoreError> {
        row.exit = serde_json::to_value(exit).ok();
        self.store.put_replica(row).await?;
        self.exits.push(Ended { at_ms: row.ended_at.unwrap_or_else(now_ms), exit, items_done: row.items_done });
        Ok(())
    }

    /// Brings the number of replicas to what is wanted. Asking twice is harmless.
    pub async fn reconcile(&mut self) -> Result<(), StoreError> {
        let now = now_ms();
        self.end_drained(now);
        let active = self.living.iter().filter(|one| one.active()).count() as u32;
        if active > self.wanted {
            self.choose(active - self.wanted, now);
        } else if active < self.wanted {
            let missing = self.recall(self.wanted - active);
            self.start(missing, now).await?;
        }
        self.store_draining().await
    }

    /// Never more than there are waiting items for them, and not while crashes hold it back.
    async fn start(&mut self, missing: u32, now: i64) -> Result<(), StoreError> {
        let unfed = self.living.iter().filter(|one| one.draining_since.is_none() && !self.queue.took_any(&one.row.id)).count() as u64;
        let missing = u64::from(missing).min(self.queue.counts().waiting.saturating_sub(unfed));
        if missing == 0 || self.held_back(now) {
            return Ok(());
        }
        for _ in 0..missing {
            if let Err(why) = self.start_one(now).await? {
                self.mark(MarkKind::Failure, format!("A replica could not be started: {why}."));
                break;
            }
        }
        Ok(())
    }

    fn held_back(&mut self, now: i64) -> bool {
        let keep = self.exits.len().saturating_sub(64);
        self.exits.drain(..keep);
        backoff::after(&self.exits).is_some_and(|pause| now < pause.until_ms)
    }

    /// What keeps new replicas from starting, in words, when something does.
    pub fn trouble(&self) -> Option<String> {
        let crashing = || backoff::after(&self.exits).filter(|pause| now_ms() < pause.until_ms).map(|pause| pause.why);
        let unseen = self.unseen().map(|unseen| format!("{} Loops hold: {}.", unseen.why, old(&unseen)));
        unseen.or_else(|| self.platform.trouble(&self.job)).or_else(crashing)
    }

    /// How their CPU and memory are read, where that is worth telling.
    pub fn measured(&self) -> Option<Measured> {
        self.platform.measured(&self.job)
    }

    /// The replicas cannot be seen: nobody decides about them.
    pub fn unseen(&self) -> Option<Unseen> {
        self.platform.unseen(&self.job)
    }

    /// They are somebody else's, who has them back when the job ends.
    pub fn lent(&self) -> bool {
        self.platform.lent().is_some()
    }

    /// Why the job can never go on.
    pub fn lost(&self) -> Option<String> {
        self.platform.lost(&self.job)
    }

    async fn start_one(&mut self, now: i64) -> Result<Result<(), String>, StoreError> {
        let id = replica_id::of(&self.job, self.next);
        self.next += 1;
        let Door { address, open } = match self.platform.door(&id, &self.params, &self.queue, None).await {
            Ok(door) => door,
            Err(error) => {
                self.exits.push(Ended { at_ms: now, exit: Exit::Code(127), items_done: 0 });
                return Ok(Err(format!("no address for its queue is free ({error})")));
            }
        };
        let mut row = ReplicaRow {
            id: id.clone(),
            job: self.job.clone(),
            addr: address.to_string(),
            handle: None,
            state: STARTING.to_owned(),
            started_at: now,
            ended_at: None,
            ended: None,
            exit: None,
            items_done: 0,
        };
        // Recorded before it exists, so that a crash in between leaves nothing unknown.
        self.store.put_replica(&row).await?;
        let launch = Launch {
            job: self.job.clone(),
            replica: id.clone(),
            params: self.params.clone(),
            redis_host: address.ip(),
            redis_port: address.port(),
            extra_env: Vec::new(),
        };
        let handle = match self.platform.start(&launch).await {
            Ok(handle) => handle,
            Err(error) => {
                "ended".clone_into(&mut row.state);
                row.ended_at = Some(now);
                row.ended = Some(error.to_string());
                self.count(&mut row, Exit::Code(127)).await?;
                return Ok(Err(chain(&error)));
            }
        };
        row.handle = serde_json::to_value(&handle).ok();
        self.store.put_replica(&row).await?;
        self.living.push(Replica::new(row, handle, open));
        Ok(Ok(()))
    }

    /// Ends everybody now, whole trees, and waits until they are gone.
    pub async fn end_all(&mut self, grace: Duration) -> Result<(), StoreError> {
        self.wanted = 0;
        let lent = self.lent();
        let ends = self.living.iter().filter(|_| !lent).map(|one| self.platform.end(&one.handle, grace));
        for (one, ended) in self.living.iter().zip(futures::future::join_all(ends).await) {
            if let Err(error) = ended {
                tracing::warn!("replica {} could not be ended: {}", one.row.id, chain(&error));
            }
        }
        // One record that cannot be written must not keep the others' items from going back.
        let mut failed = None;
        for one in std::mem::take(&mut self.living) {
            if let Err(error) = self.close(one.row, false, if lent { "given back" } else { "ended with its job" }.to_owned()).await {
                failed.get_or_insert(error);
            }
        }
        match self.platform.sweep(&self.job, &self.params).await {
            Ok(0) => {}
            Ok(left) => tracing::warn!("job {}: {left} had left their replicas and were ended", self.job),
            Err(error) => tracing::error!("job {}: could not look for what was left behind: {}", self.job, chain(&error)),
        }
        failed.map_or(Ok(()), Err)
    }
}

/// How long a replica that ended was there.
fn lived_ms(row: &ReplicaRow) -> i64 {
    row.ended_at.map_or(0, |ended_at| (ended_at - row.started_at).max(0))
}

/// `what is known of the replicas is 12 s old`.
pub fn old(unseen: &Unseen) -> String {
    format!("what is known of the replicas is {} old", duration(unseen.age_ms as f64 / 1000.0))
}

/// The part of a replica's id that people read.
fn short(id: &str) -> &str {
    id.rsplit('-').next().unwrap_or(id)
}
