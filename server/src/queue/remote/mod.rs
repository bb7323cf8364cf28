//! A queue's journal in a Redis: changes are taken at once, written in their order by one task, and told when written.
//! The queue itself lives in memory, as always; a Redis that is away holds it up, and loses nothing.

mod address;
mod check;
mod link;
mod outbox;
mod writer;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use fjall::{UserKey, UserValue};
use redis::aio::MultiplexedConnection;
use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::{
    address::{Address, without_credentials},
    check::check,
};
use self::{
    link::{Life, Link, words},
    outbox::Outbox,
};
use super::error::QueueError;
use crate::lock::lock;

/// Somebody waits for what is read, so it is sooner given up than what is written.
const READ: Duration = Duration::from_secs(2);

/// Why a Redis could not be asked.
fn unreached(address: &Address, error: &redis::RedisError) -> QueueError {
    QueueError::Away { at: address.to_string(), why: words(error) }
}

/// How far the writing is.
#[derive(Clone, Default)]
struct Progress {
    /// The last commit that the Redis has.
    written: u64,
    trouble: Option<Trouble>,
}

#[derive(Clone)]
enum Trouble {
    /// It is tried again, for ever.
    Away(String),
    /// What is in memory and what is there will never be the same again.
    Lost(String),
}

/// One job's records in a Redis.
pub(super) struct Remote {
    link: Link,
    outbox: Mutex<Outbox>,
    /// Something is to be written.
    work: Notify,
    progress: watch::Sender<Progress>,
    /// For single records that somebody wants to see.
    reader: tokio::sync::Mutex<Option<MultiplexedConnection>>,
}

/// A remote with the task that writes to it.
pub(super) struct Writing {
    pub(super) remote: Arc<Remote>,
    /// When it was made, the Redis kept no append-only file.
    pub(super) forgetful: bool,
    _task: DropGuard,
}

impl Remote {
    /// Takes over the records of a job, and reads them. `None` when there are none.
    ///
    /// # Errors
    /// `Away`.
    pub(super) async fn open(address: &Address, job: &str) -> Result<Option<(Writing, BTreeMap<Vec<u8>, Bytes>)>, QueueError> {
        let link = Link::new(address.clone(), job);
        let away = |error| unreached(address, &error);
        let mut redis = link.connect().await.map_err(away)?;
        if !link.stored(&mut redis).await.map_err(away)? {
            return Ok(None);
        }
        let life = link.begin(&mut redis).await.map_err(away)?;
        let fetched = link.fetch(&mut redis).await.map_err(away)?;
        Ok(Some((Self::start(link, redis, life), fetched)))
    }

    /// Takes over whatever is there, and lets it be removed by the first lot.
    ///
    /// # Errors
    /// `Away`.
    pub(super) async fn create(address: &Address, job: &str) -> Result<Writing, QueueError> {
        let link = Link::new(address.clone(), job);
        let away = |error| unreached(address, &error);
        let mut redis = link.connect().await.map_err(away)?;
        let life = link.begin(&mut redis).await.map_err(away)?;
        let forgetful = link.appends(&mut redis).await == Some(false);
        let writing = Self::start(link, redis, life);
        writing.remote.wipe()?;
        Ok(Writing { forgetful, ..writing })
    }

    /// Removes the records of a job that nobody has open.
    ///
    /// # Errors
    /// `Away`.
    pub(super) async fn delete(address: &Address, job: &str) -> Result<(), QueueError> {
        let link = Link::new(address.clone(), job);
        let away = |error: redis::RedisError| {
            let why = format!("{}; its keys are {}", words(&error), link.pattern());
            QueueError::Away { at: address.to_string(), why }
        };
        let mut redis = link.connect().await.map_err(away)?;
        link.delete(&mut redis).await.map_err(away)
    }

    fn start(link: Link, redis: MultiplexedConnection, life: Life) -> Writing {
        let remote = Arc::new(Self {
            link,
            outbox: Mutex::default(),
            work: Notify::new(),
            progress: watch::Sender::default(),
            reader: tokio::sync::Mutex::default(),
        });
        let stop = CancellationToken::new();
        tokio::spawn(writer::run(remote.clone(), redis, life, stop.clone()));
        Writing { remote, forgetful: false, _task: stop.drop_guard() }
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        lock(&self.outbox)
    }

    /// Why it cannot be used now, if so.
    pub(super) fn trouble(&self) -> Option<QueueError> {
        let at = || self.link.address.to_string();
        self.progress.borrow().trouble.as_ref().map(|trouble| match trouble {
            Trouble::Away(why) => QueueError::Away { at: at(), why: why.clone() },
            Trouble::Lost(why) => QueueError::Lost { at: at(), why: why.clone() },
        })
    }

    fn usable(&self) -> Result<(), QueueError> {
        match self.trouble() {
            Some(error @ QueueError::Lost { .. }) => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes one commit; it will be written after all earlier ones.
    ///
    /// # Errors
    /// `Lost`.
    pub(super) fn send(&self, puts: impl Iterator<Item = (UserKey, Option<UserValue>)>) -> Result<(), QueueError> {
        self.usable()?;
        self.outbox().add(puts);
        self.work.notify_one();
        Ok(())
    }

    /// Lets all records be removed.
    ///
    /// # Errors
    /// `Lost`.
    pub(super) fn wipe(&self) -> Result<(), QueueError> {
        self.usable()?;
        self.outbox().wipe();
        self.work.notify_one();
        Ok(())
    }

    /// The number of the last commit.
    pub(super) fn ticket(&self) -> u64 {
        self.outbox().ticket
    }

    /// Whether something waits to be written, and may be.
    pub(super) fn behind(&self) -> bool {
        self.usable().is_ok() && !self.outbox().is_empty()
    }

    /// Waits until commits up to this one are written, however long the Redis is away.
    ///
    /// # Errors
    /// `Lost`.
    pub(super) async fn written(&self, ticket: u64) -> Result<(), QueueError> {
        self.wait(|progress| ticket <= progress.written).await
    }

    /// Waits until the Redis is not away.
    ///
    /// # Errors
    /// `Lost`.
    pub(super) async fn present(&self) -> Result<(), QueueError> {
        self.wait(|progress| progress.trouble.is_none()).await
    }

    async fn wait(&self, met: impl Fn(&Progress) -> bool) -> Result<(), QueueError> {
        let lost = |progress: &Progress| matches!(progress.trouble, Some(Trouble::Lost(_)));
        // The sender is in `self`, so it cannot be gone.
        let _ = self.progress.subscribe().wait_for(|progress| met(progress) || lost(progress)).await;
        if met(&self.progress.borrow()) { Ok(()) } else { self.usable() }
    }

    /// One record, as it is or soon will be. Blocks its thread, which must be one of a runtime with several.
    ///
    /// # Errors
    /// `Away` or `Lost`.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, QueueError> {
        if let Some(found) = self.outbox().find(key) {
            return Ok(found.map(|value| Bytes::copy_from_slice(&value)));
        }
        if let Some(trouble) = self.trouble() {
            return Err(trouble);
        }
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(self.read(key)))
    }

    async fn read(&self, key: &[u8]) -> Result<Option<Bytes>, QueueError> {
        let away = |why: String| QueueError::Away { at: self.link.address.to_string(), why };
        let read = async {
            let mut reader = self.reader.lock().await;
            // A connection from before the Redis was started anew fails once: that says nothing.
            if let Some(mut redis) = reader.take()
                && let Ok(found) = self.link.get(&mut redis, key).await
            {
                *reader = Some(redis);
                return Ok(found);
            }
            let mut redis = self.link.connect().await?;
            let found = self.link.get(&mut redis, key).await?;
            *reader = Some(redis);
            Ok(found)
        };
        match tokio::time::timeout(READ, read).await {
            Ok(read) => read.map_err(|error: redis::RedisError| away(words(&error))),
            Err(_) => Err(away("it does not answer".to_owned())),
        }
    }
}
