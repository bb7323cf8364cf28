//! Everything one queue knows, with its journal: what a connection changes under the lock, and one commit for all of it.

use std::collections::HashMap;

use bytes::Bytes;
use control::{
    job::{Order, QueueSpec},
    live::{ItemState, ItemView},
};

use super::{
    commands::scripts::Recipe,
    error::QueueError,
    items::{NO_RESULT, Table, UNKNOWN_MS, now_ms},
    journal::{Changes, Journal, number_of},
    keys::Keys,
    replicas::NOBODY,
    results::{Results, TYPES, sniff},
};

/// Between two removals of keys whose time is over.
const SWEEP_EVERY_MS: i64 = 10_000;

pub(super) struct State {
    pub(super) table: Table,
    pub(super) results: Results,
    pub(super) keys: Keys,
    pub(super) scripts: HashMap<String, Recipe>,
    pub(super) changes: Changes,
    pub(super) journal: Journal,
    /// Some other list got an element since the last commit; whoever waits for one must look.
    pub(super) list_pushed: bool,
    swept_at: i64,
    /// `done + dead` at the last commit, to tell watchers only of completions.
    settled: u64,
}

impl State {
    pub(super) fn create(journal: Journal, spec: QueueSpec) -> Result<Self, QueueError> {
        let mut state = Self::empty(journal, spec);
        state.store_settings();
        state.commit()?;
        Ok(state)
    }

    fn empty(journal: Journal, spec: QueueSpec) -> Self {
        Self {
            table: Table::new(spec),
            results: Results::default(),
            keys: Keys::default(),
            scripts: HashMap::new(),
            changes: Changes::default(),
            journal,
            list_pushed: false,
            swept_at: 0,
            settled: 0,
        }
    }

    /// Rebuilds a queue from its records.
    pub(super) fn load(job: &str, journal: Journal) -> Result<Self, QueueError> {
        let corrupt = |what: &str| QueueError::Corrupt { job: job.to_owned(), what: what.to_owned() };
        let settings = journal.get(b"x")?.ok_or_else(|| corrupt("its settings are missing"))?;
        let (spec, sealed) = read_settings(&settings).ok_or_else(|| corrupt("its settings are damaged"))?;
        let mut table = Table::new(spec);
        table.sealed = sealed;
        journal.scan(b'p', |_, record| {
            let (careful, name) = record.split_first().ok_or_else(|| corrupt("a replica's record is empty"))?;
            table.replicas.add(&String::from_utf8_lossy(name), *careful == 1);
            Ok(())
        })?;
        journal.scan(b'c', |key, chunk| {
            let in_order = number_of(key).is_some_and(|first| first as usize == table.items.len());
            if !in_order || table.add_chunk(Bytes::copy_from_slice(chunk)).is_none() {
                return Err(corrupt("the item texts have a gap or are damaged"));
            }
            Ok(())
        })?;
        let mut highest = None;
        journal.scan(b's', |key, record| {
            let id = number_of(key).ok_or_else(|| corrupt("an item's key is damaged"))?;
            table.restore(id, record).ok_or_else(|| corrupt("an item's state is damaged"))?;
            highest = highest.max(Some(table.item(id).result_at).filter(|at| *at != NO_RESULT));
            Ok(())
        })?;
        table.settle(now_ms());
        let mut keys = Keys::default();
        journal.scan(b'k', |key, record| keys.restore(key, record).ok_or_else(|| corrupt("a key's record is damaged")))?;
        journal.scan(b'l', |key, element| keys.restore_element(key, element).ok_or_else(|| corrupt("a list's element is damaged")))?;
        let results = Results::load(&journal, highest)?;
        let settled = table.counts.done + table.counts.dead;
        let mut state = Self { table, results, keys, settled, ..Self::empty(journal, spec) };
        state.journal.rebuilt();
        Ok(state)
    }

    /// Empties the queue; a workload can then be loaded again.
    pub(super) fn clear(&mut self) -> Result<(), QueueError> {
        self.journal.clear()?;
        self.changes = Changes::default();
        // Connections know their replica by its number.
        let replicas = self.table.replicas.renewed(&mut self.changes);
        self.table = Table::new(self.table.spec);
        self.table.replicas = replicas;
        self.results = Results::default();
        self.keys = Keys::default();
        self.settled = 0;
        self.store_settings();
        self.commit().map(|_| ())
    }

    pub(super) fn store_settings(&mut self) {
        let order = match self.table.spec.order {
            Order::Fifo => 0,
            Order::Lifo => 1,
        };
        let [a, b, c, d] = self.table.spec.max_attempts.to_le_bytes();
        self.changes.put(b"x", &[a, b, c, d, order, u8::from(self.table.sealed)]);
    }

    /// Writes all that changed since the last commit. Says whether items became done or dead, or came back from there.
    pub(super) fn commit(&mut self) -> Result<bool, QueueError> {
        if self.table.is_dirty() {
            self.table.flush(&mut self.changes);
        }
        if !self.changes.is_empty() {
            self.journal.commit(&mut self.changes)?;
        }
        let settled = self.table.counts.done + self.table.counts.dead;
        Ok(std::mem::replace(&mut self.settled, settled) != settled)
    }

    pub(super) fn sweep(&mut self, now: i64) {
        if SWEEP_EVERY_MS <= now - self.swept_at {
            self.swept_at = now;
            self.keys.sweep(now, &mut self.changes);
        }
    }

    /// Adds a result to the list, and to the item that it belongs to.
    pub(super) fn add_result(&mut self, body: &[u8], left: bool, id: Option<u32>) {
        let place = self.results.push(&mut self.changes, body, left);
        if let Some(id) = id {
            let item = self.table.change(id);
            item.result_at = place;
            item.result_bytes = u32::try_from(body.len()).unwrap_or(u32::MAX);
            item.result_type = sniff(body);
        }
    }

    /// The item that a result or error of a replica belongs to: the one it took last, unless another one has done it.
    pub(super) fn belongs_to(&self, replica: u32) -> Option<u32> {
        let id = self.table.replicas.get(replica).last?;
        let item = self.table.item(id);
        (item.state != ItemState::Done || item.by == replica).then_some(id)
    }

    pub(super) fn view(&self, id: u32, now: i64) -> ItemView {
        let item = self.table.item(id);
        let has_result = item.result_at != NO_RESULT;
        let service_ms = match self.table.held(id) {
            Some(held) => Some((now - held.taken_at).max(0)),
            None => Some(i64::from(item.service_ms)).filter(|ms| *ms != i64::from(UNKNOWN_MS)),
        };
        ItemView {
            index: u64::from(id),
            item: String::from_utf8_lossy(self.table.text_slice(id)).into_owned(),
            state: item.state,
            attempts: u32::from(item.attempts),
            replica: (item.by != NOBODY && item.state != ItemState::Waiting)
                .then(|| self.table.replicas.name(item.by).unwrap_or_default().to_owned()),
            service_s: service_ms.map(|ms| std::time::Duration::from_millis(ms.unsigned_abs()).as_secs_f64()),
            // Read later, without the lock.
            error: None,
            result_bytes: has_result.then_some(u64::from(item.result_bytes)),
            result_type: has_result.then(|| TYPES[usize::from(item.result_type) % TYPES.len()].to_owned()),
        }
    }
}

fn read_settings(record: &[u8]) -> Option<(QueueSpec, bool)> {
    let (attempts, rest) = record.split_first_chunk::<4>()?;
    let [order, sealed] = rest else { return None };
    let order = if *order == 0 { Order::Fifo } else { Order::Lifo };
    Some((QueueSpec { max_attempts: u32::from_le_bytes(*attempts), order }, *sealed == 1))
}
