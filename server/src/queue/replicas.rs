//! What the queue knows of each replica: what it holds and how it behaves.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use super::journal::{Changes, numbered};

/// Number of no replica.
pub(super) const NOBODY: u32 = u32::MAX;
/// How many of its latest moves are remembered of each replica; more than a worker has threads.
const REMEMBERED: usize = 64;

/// One replica that has ever connected.
#[derive(Default)]
pub(super) struct Replica {
    pub(super) name: String,
    /// Oldest first.
    pub(super) holds: Vec<u32>,
    /// The item taken last, whether still held or not: results belong to it.
    pub(super) last: Option<u32>,
    /// It removes items from `job:processing` or leases them; otherwise taking the next one completes one.
    pub(super) careful: bool,
    pub(super) took: bool,
    pub(super) starved: bool,
    /// To it the whole job looks as if it were over.
    pub(super) dismissed: bool,
    pub(super) done: u64,
    /// Items it removed from `job:processing`; a push to `job` that follows takes one back.
    pub(super) removed: VecDeque<u32>,
    /// Texts it put back before removing them from `job:processing`; that removal then means nothing.
    pub(super) put_back: VecDeque<Bytes>,
    /// Items taken to be done because it took the next one, in case it proves careful after all.
    pub(super) presumed: VecDeque<u32>,
}

/// Adds to a list that only remembers the latest.
pub(super) fn remember<T>(list: &mut VecDeque<T>, entry: T) {
    if list.len() == REMEMBERED {
        list.pop_front();
    }
    list.push_back(entry);
}

/// All replicas, by number and by name.
#[derive(Default)]
pub(super) struct Replicas {
    all: Vec<Replica>,
    by_name: HashMap<String, u32>,
}

impl Replicas {
    /// The number of a replica; a name not yet known gets one.
    pub(super) fn number(&mut self, name: &str, changes: &mut Changes) -> u32 {
        if let Some(number) = self.find(name) {
            return number;
        }
        let number = self.add(name, false);
        self.store(number, changes);
        number
    }

    /// Adds a replica as it was stored; they come back in the order of their numbers.
    pub(super) fn add(&mut self, name: &str, careful: bool) -> u32 {
        let number = u32::try_from(self.all.len()).unwrap_or(NOBODY);
        self.all.push(Replica { name: name.to_owned(), careful, ..Replica::default() });
        self.by_name.insert(name.to_owned(), number);
        number
    }

    /// The same replicas under the same numbers, as if none had done anything yet.
    pub(super) fn renewed(&self, changes: &mut Changes) -> Self {
        let mut renewed = Self::default();
        for replica in &self.all {
            renewed.number(&replica.name, changes);
        }
        renewed
    }

    pub(super) fn store(&self, number: u32, changes: &mut Changes) {
        let replica = self.get(number);
        let mut value = vec![u8::from(replica.careful)];
        value.extend_from_slice(replica.name.as_bytes());
        changes.put(&numbered(b'p', number), &value);
    }

    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn name(&self, number: u32) -> Option<&str> {
        self.all.get(number as usize).map(|replica| replica.name.as_str())
    }

    pub(super) fn get(&self, number: u32) -> &Replica {
        &self.all[number as usize]
    }

    pub(super) fn get_mut(&mut self, number: u32) -> &mut Replica {
        &mut self.all[number as usize]
    }
}
