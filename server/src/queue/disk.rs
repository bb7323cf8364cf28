//! A queue's journal on disk: one keyspace a job in the shared database.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use fjall::{Database, Keyspace, PersistMode};

use super::{error::QueueError, journal::Changes};

/// One job's keyspace in the shared database.
pub(super) struct Disk {
    db: Database,
    keyspace: Keyspace,
    /// Tells the sync thread that something awaits an fsync.
    unsynced: Arc<AtomicBool>,
    broken: AtomicBool,
}

impl Disk {
    pub(super) fn new(db: Database, keyspace: Keyspace, unsynced: Arc<AtomicBool>) -> Self {
        Self { db, keyspace, unsynced, broken: AtomicBool::new(false) }
    }

    pub(super) fn keyspace(&self) -> Keyspace {
        self.keyspace.clone()
    }

    /// Writes all changes as one atomic batch. When it returns, they survive the death of this process.
    ///
    /// # Errors
    /// `Commit`; after that memory and disk differ, so that every later call answers `Broken`.
    pub(super) fn commit(&self, changes: &mut Changes) -> Result<(), QueueError> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(QueueError::Broken);
        }
        if changes.puts.is_empty() {
            return Ok(());
        }
        crate::fence::must_hold();
        let mut batch = self.db.batch().durability(Some(PersistMode::Buffer));
        // All of a batch has one sequence number, so that of several changes of a key only the last may be in it.
        changes.puts.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut puts = changes.puts.drain(..).peekable();
        while let Some((key, value)) = puts.next() {
            if puts.peek().is_some_and(|(next, _)| *next == key) {
                continue;
            }
            match value {
                Some(value) => batch.insert(&self.keyspace, key, value),
                None => batch.remove(&self.keyspace, key),
            }
        }
        drop(puts);
        batch.commit().map_err(|cause| {
            self.broken.store(true, Ordering::Relaxed);
            QueueError::Commit { cause }
        })?;
        self.unsynced.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, QueueError> {
        read(&self.keyspace, key)
    }

    /// Every record whose key starts with `kind`, in key order; the kind is cut off the key.
    pub(super) fn scan(&self, kind: u8, mut each: impl FnMut(&[u8], &[u8]) -> Result<(), QueueError>) -> Result<(), QueueError> {
        for guard in self.keyspace.prefix([kind]) {
            let (key, value) = guard.into_inner().map_err(|cause| QueueError::Read { cause })?;
            each(&key[1..], &value)?;
        }
        Ok(())
    }

    pub(super) fn clear(&self) -> Result<(), QueueError> {
        self.keyspace.clear().map_err(|cause| QueueError::Clear { cause })?;
        self.unsynced.store(true, Ordering::Relaxed);
        Ok(())
    }
}

pub(super) fn read(keyspace: &Keyspace, key: &[u8]) -> Result<Option<Bytes>, QueueError> {
    let found = keyspace.get(key).map_err(|cause| QueueError::Read { cause })?;
    Ok(found.map(|value| Bytes::copy_from_slice(&value)))
}
