//! The durable side of one queue: its records, the changes of a batch, and the two places that keep them.
//! Records: `c` item texts, `s` item states, `e` errors, `p` replicas, `R` result bodies, `m` result list, `k`/`l` other keys, `x` settings.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use fjall::{Keyspace, UserKey, UserValue};

use super::{
    disk::{Disk, read},
    error::QueueError,
    remote::Remote,
};

/// Changes of one batch that are not yet written.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) puts: Vec<(UserKey, Option<UserValue>)>,
}

impl Changes {
    pub(super) fn put(&mut self, key: &[u8], value: &[u8]) {
        self.puts.push((UserKey::from(key), Some(UserValue::from(value))));
    }

    pub(super) fn remove(&mut self, key: &[u8]) {
        self.puts.push((UserKey::from(key), None));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.puts.is_empty()
    }
}

/// Where a queue's records are kept.
pub(super) enum Journal {
    /// Committed when `commit` returns.
    Disk(Disk),
    /// On their way when `commit` returns; `Remote::written` tells when they are there.
    Remote {
        remote: Arc<Remote>,
        /// What was read at the start, until the queue is rebuilt from it.
        fetched: BTreeMap<Vec<u8>, Bytes>,
    },
}

impl Journal {
    /// Takes all changes as one atomic batch.
    ///
    /// # Errors
    /// `Commit`, and from then on `Broken`; `Lost`.
    pub(super) fn commit(&self, changes: &mut Changes) -> Result<(), QueueError> {
        match self {
            Self::Disk(disk) => disk.commit(changes),
            Self::Remote { remote, .. } => remote.send(changes.puts.drain(..)),
        }
    }

    /// # Errors
    /// `Read`, `Away` or `Lost`.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, QueueError> {
        match self {
            Self::Disk(disk) => disk.get(key),
            Self::Remote { remote, fetched } => match fetched.get(key) {
                Some(value) => Ok(Some(value.clone())),
                None => remote.get(key),
            },
        }
    }

    /// Every record whose key starts with `kind`, in key order; the kind is cut off the key.
    pub(super) fn scan(&self, kind: u8, mut each: impl FnMut(&[u8], &[u8]) -> Result<(), QueueError>) -> Result<(), QueueError> {
        match self {
            Self::Disk(disk) => disk.scan(kind, each),
            Self::Remote { fetched, .. } => {
                let of_kind = fetched.range(vec![kind]..vec![kind + 1]);
                of_kind.map(|(key, value)| (&key[1..], value)).try_for_each(|(key, value)| each(key, value))
            }
        }
    }

    /// The queue is rebuilt: what it was read from is not needed any more.
    pub(super) fn rebuilt(&mut self) {
        if let Self::Remote { fetched, .. } = self {
            *fetched = BTreeMap::new();
        }
    }

    /// Removes every record.
    ///
    /// # Errors
    /// `Clear` or `Lost`.
    pub(super) fn clear(&self) -> Result<(), QueueError> {
        match self {
            Self::Disk(disk) => disk.clear(),
            Self::Remote { remote, .. } => remote.wipe(),
        }
    }

    /// To read records without the queue's lock.
    pub(super) fn reader(&self) -> Reader {
        match self {
            Self::Disk(disk) => Reader::Disk(disk.keyspace()),
            Self::Remote { remote, .. } => Reader::Remote(remote.clone()),
        }
    }

    /// Commits so far, of those that are written later; `None` where every commit is written when it returns.
    pub(super) fn ticket(&self) -> Option<u64> {
        match self {
            Self::Disk(_) => None,
            Self::Remote { remote, .. } => Some(remote.ticket()),
        }
    }
}

/// Reads single records of a queue.
pub(super) enum Reader {
    Disk(Keyspace),
    Remote(Arc<Remote>),
}

impl Reader {
    /// # Errors
    /// `Read`, `Away` or `Lost`.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, QueueError> {
        match self {
            Self::Disk(keyspace) => read(keyspace, key),
            Self::Remote(remote) => remote.get(key),
        }
    }
}

/// Key of a record that is named by a number; big endian, so that scans come in order.
pub(super) fn numbered(kind: u8, number: u32) -> [u8; 5] {
    let [a, b, c, d] = number.to_be_bytes();
    [kind, a, b, c, d]
}

/// Key of a record that is named by a number, given without its kind.
pub(super) fn number_of(key: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(key.try_into().ok()?))
}
