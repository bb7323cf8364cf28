//! The queue: durable, one a job, speaking the Redis protocol to unchanged workers.
//! State is in memory behind one lock a job; every change is in the journal, on disk or in a Redis, before its reply is sent.

mod callers;
mod commands;
mod connection;
mod disk;
mod error;
mod flow;
mod items;
mod journal;
mod kept;
mod keys;
mod look;
mod queues;
mod remote;
mod replicas;
mod results;
mod state;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU64, AtomicUsize},
};

use bytes::Bytes;
use control::observation::Items;
use tokio::sync::{Notify, watch};

pub use self::{
    callers::{Addresses, Caller, Callers},
    error::QueueError,
    look::{Look, Start},
    queues::Queues,
    remote::{Address, check, without_credentials},
};
use self::{
    flow::Taker,
    items::{NO_RESULT, now_ms},
    journal::numbered,
    remote::Writing,
    state::State,
};
use crate::lock::lock;

/// The queue of one job.
pub struct Queue {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
    /// Wakes workers that wait for an item, in the order they came.
    item_waits: Notify,
    /// Wakes workers that wait for any other list.
    list_waits: Notify,
    waiters: AtomicUsize,
    sessions: AtomicU64,
    /// When its records are in a Redis.
    writing: Option<Writing>,
}

/// Service times, from take to completion, of the last 1 000 completed items.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ServiceStats {
    /// Seconds.
    pub p50_s: Option<f64>,
    /// Seconds.
    pub p95_s: Option<f64>,
    /// Completed items in all.
    pub completed: u64,
}

impl Queue {
    fn new(state: State, writing: Option<Writing>) -> Self {
        Self {
            state: Mutex::new(state),
            changed: watch::Sender::new(0),
            item_waits: Notify::new(),
            list_waits: Notify::new(),
            waiters: AtomicUsize::new(0),
            sessions: AtomicU64::new(1),
            writing,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Changes something and commits it; wakes whoever waits for it.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> Result<T, QueueError> {
        let mut state = self.lock();
        let before = state.table.waiting.len();
        let outcome = change(&mut state);
        let settled = state.commit()?;
        let arrived = state.table.waiting.len().saturating_sub(before);
        drop(state);
        self.announce(settled, arrived);
        Ok(outcome)
    }

    fn announce(&self, settled: bool, arrived: usize) {
        if settled {
            self.changed.send_modify(|count| *count += 1);
        }
        let waiters = self.waiters.load(std::sync::atomic::Ordering::SeqCst);
        for _ in 0..arrived.min(waiters) {
            self.item_waits.notify_one();
        }
    }

    /// Adds items of the workload at its end, in order.
    ///
    /// # Errors
    /// `Sealed`, `ItemTooLarge` (1 MiB), `TooManyItems` or `Commit`.
    pub fn append(&self, items: &[Bytes]) -> Result<(), QueueError> {
        self.change(|state| {
            if state.table.sealed {
                return Err(QueueError::Sealed);
            }
            state.table.append(items, &mut state.changes)
        })?
    }

    /// All items are in: from now on the job can be over.
    ///
    /// # Errors
    /// `Commit`.
    pub fn seal(&self) -> Result<(), QueueError> {
        self.change(|state| {
            state.table.sealed = true;
            state.store_settings();
            state.table.waiting.shrink_to_fit();
            state.table.items.shrink_to_fit();
        })
    }

    /// Whether the whole workload is in.
    pub fn sealed(&self) -> bool {
        self.lock().table.sealed
    }

    /// Removes all items, results and keys; loading starts again.
    ///
    /// # Errors
    /// `Clear` or `Commit`.
    pub fn clear(&self) -> Result<(), QueueError> {
        self.lock().clear()
    }

    /// How many items are in which state.
    pub fn counts(&self) -> Items {
        self.lock().table.counts
    }

    /// Median and 95th percentile of the latest service times.
    pub fn service(&self) -> ServiceStats {
        let (sorted, completed) = {
            let state = self.lock();
            (state.table.services(), state.table.counts.done)
        };
        // Nearest rank.
        let rank = |percent: usize| {
            let at = (sorted.len() * percent).div_ceil(100).checked_sub(1)?;
            sorted.get(at).map(|ms| f64::from(*ms) / 1000.0)
        };
        ServiceStats { p50_s: rank(50), p95_s: rank(95), completed }
    }

    /// The latest result of an item; `None` when it has none.
    ///
    /// # Errors
    /// `Read`, `Away` or `Lost`.
    pub fn result(&self, index: u64) -> Result<Option<Bytes>, QueueError> {
        let (place, reader) = {
            let state = self.lock();
            match usize::try_from(index).ok().and_then(|index| state.table.items.get(index)) {
                Some(item) if item.result_at != NO_RESULT => (item.result_at, state.journal.reader()),
                _ => return Ok(None),
            }
        };
        reader.get(&numbered(b'R', place))
    }

    /// Holds a replica nothing now?
    pub fn idle(&self, replica: &str) -> bool {
        let state = self.lock();
        state.table.replicas.find(replica).is_none_or(|number| state.table.replicas.get(number).holds.is_empty())
    }

    /// How long before `now` a replica took the items that it holds, ms; nothing for those it took later.
    /// Just after a restart, an item from before it has been worked on since then at least.
    pub fn ages(&self, replica: &str, now: i64) -> Vec<u64> {
        let state = self.lock();
        let Some(number) = state.table.replicas.find(replica) else { return Vec::new() };
        let held = state.table.replicas.get(number).holds.iter().filter_map(|id| state.table.held(*id));
        held.map(|held| state.table.age_ms(held, now)).collect()
    }

    /// How many service times were seen since this queue was made or loaded, those it was loaded with included.
    pub fn services_seen(&self) -> u64 {
        self.lock().table.services_seen
    }

    /// The newest service times, ms, oldest first: at most `count`, and at most a thousand.
    pub fn newest_services(&self, count: u64) -> Vec<u32> {
        self.lock().table.newest_services(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// The items that a replica holds now, long ones cut: pages show these every second.
    pub fn holds(&self, replica: &str) -> Vec<String> {
        const SHOWN: usize = 200;
        let state = self.lock();
        let Some(number) = state.table.replicas.find(replica) else { return Vec::new() };
        let held = state.table.replicas.get(number).holds.iter();
        let shown = |id: &u32| {
            let text = state.table.text_slice(*id);
            String::from_utf8_lossy(&text[..text.len().min(SHOWN)]).into_owned()
        };
        held.map(shown).collect()
    }

    /// How many items a replica completed.
    pub fn items_done(&self, replica: &str) -> u64 {
        let state = self.lock();
        state.table.replicas.find(replica).map_or(0, |number| state.table.replicas.get(number).done)
    }

    /// Whether a replica ever took an item.
    pub fn took_any(&self, replica: &str) -> bool {
        let state = self.lock();
        state.table.replicas.find(replica).is_some_and(|number| state.table.replicas.get(number).took)
    }

    /// A starved replica gets no more items: to it, takes look as if the queue were empty, while lengths stay true.
    pub fn starve(&self, replica: &str, on: bool) {
        let mut state = self.lock();
        let State { table, changes, .. } = &mut *state;
        let number = table.replicas.number(replica, changes);
        let replica = table.replicas.get_mut(number);
        (replica.starved, replica.dismissed) = (on, replica.dismissed && on);
        drop(state);
        // All that wait look again whether they may take items.
        self.list_waits.notify_waiters();
    }

    /// A starved replica that holds nothing sees the job as over from now on, and so ends by itself; nothing happens to
    /// one that holds something.
    pub fn dismiss(&self, replica: &str) {
        let mut state = self.lock();
        let Some(number) = state.table.replicas.find(replica) else { return };
        let replica = state.table.replicas.get_mut(number);
        replica.dismissed = replica.starved && replica.holds.is_empty();
        drop(state);
        self.list_waits.notify_waiters();
    }

    /// A replica has ended. What it held goes back at once, or is dead after too many attempts; returns how many.
    /// After a clean exit, the last items of a replica that completes by taking the next one are done instead.
    ///
    /// # Errors
    /// `Commit`.
    pub fn replica_ended(&self, replica: &str, clean_exit: bool, why: &str) -> Result<u64, QueueError> {
        self.change(|state| match state.table.replicas.find(replica) {
            Some(number) => state.table.ended(number, clean_exit, why, now_ms(), &mut state.changes),
            None => 0,
        })
    }

    /// A platform saw a replica begin to work: it holds an item from now on, unless it does already.
    ///
    /// # Errors
    /// `Commit`.
    pub fn work_begun(&self, replica: &str) -> Result<bool, QueueError> {
        self.work(replica, false)
    }

    /// A platform saw a replica's work done: what it holds is done, or an item that nobody was seen to begin.
    /// Answers whether there was one.
    ///
    /// # Errors
    /// `Commit`.
    pub fn work_done(&self, replica: &str) -> Result<bool, QueueError> {
        self.work(replica, true)
    }

    fn work(&self, replica: &str, done: bool) -> Result<bool, QueueError> {
        self.change(|state| {
            let State { table, changes, .. } = state;
            let taker = Taker { replica: table.replicas.number(replica, changes), session: 0, now: now_ms() };
            let number = taker.replica;
            if table.replicas.get(number).holds.is_empty() {
                let starved = table.replicas.get(number).starved;
                table.replicas.get_mut(number).starved = starved && !done;
                table.take(taker, false);
                table.replicas.get_mut(number).starved = starved;
            }
            let held = table.replicas.get(number).holds.clone();
            for id in held.iter().filter(|_| done) {
                table.finish(*id, number, taker.now);
            }
            !held.is_empty()
        })
    }

    /// After a restart: items held by replicas that no longer live go back; returns how many.
    ///
    /// # Errors
    /// `Commit`.
    pub fn reconcile(&self, living: &[String]) -> Result<u64, QueueError> {
        self.change(|state| {
            let mut back = 0;
            for number in 0..u32::try_from(state.table.replicas.len()).unwrap_or(0) {
                let replica = state.table.replicas.get(number);
                if !replica.holds.is_empty() && !living.contains(&replica.name) {
                    back +=
                        state.table.ended(number, false, "its replica was gone when the server came back", now_ms(), &mut state.changes);
                }
            }
            back
        })
    }

    /// Dead items wait again with no attempts counted; all of them when `indexes` is empty. Returns how many.
    ///
    /// # Errors
    /// `Commit`.
    pub fn retry(&self, indexes: &[u64]) -> Result<u64, QueueError> {
        self.change(|state| state.table.retry(indexes))
    }

    /// Changes whenever the number of done or dead items did.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
