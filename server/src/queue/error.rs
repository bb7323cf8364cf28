//! What can go wrong with a queue, by operation.

use std::path::PathBuf;

/// A failed operation of a queue.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    #[error("could not open the queue database in {dir}")]
    Open {
        dir: PathBuf,
        #[source]
        cause: fjall::Error,
    },
    #[error("could not create the queue of {job}")]
    Create {
        job: String,
        #[source]
        cause: fjall::Error,
    },
    #[error("could not load the queue of {job}")]
    Load {
        job: String,
        #[source]
        cause: fjall::Error,
    },
    #[error("the stored queue of {job} cannot be understood: {what}")]
    Corrupt { job: String, what: String },
    #[error("could not delete the queue of {job}")]
    Delete {
        job: String,
        #[source]
        cause: fjall::Error,
    },
    #[error("could not clear the queue")]
    Clear {
        #[source]
        cause: fjall::Error,
    },
    #[error("could not write to the queue's journal")]
    Commit {
        #[source]
        cause: fjall::Error,
    },
    #[error("could not read from the queue's journal")]
    Read {
        #[source]
        cause: fjall::Error,
    },
    #[error("could not start the thread that syncs the queue to disk")]
    SyncThread {
        #[source]
        cause: std::io::Error,
    },
    #[error("an earlier write to the queue's journal failed; the server must be started again")]
    Broken,
    #[error("the Redis of the queue, {at}, is away: {why}")]
    Away { at: String, why: String },
    #[error("the Redis of the queue, {at}, cannot be relied on any more: {why}")]
    Lost { at: String, why: String },
    #[error("an item has {bytes} bytes; at most {limit} are allowed")]
    ItemTooLarge { bytes: usize, limit: usize },
    #[error("a queue holds at most {limit} items")]
    TooManyItems { limit: u32 },
    #[error("the queue is sealed: its workload is already loaded")]
    Sealed,
}

impl QueueError {
    /// Another server has the folder open.
    pub fn in_use(&self) -> bool {
        matches!(self, Self::Open { cause: fjall::Error::Locked, .. })
    }
}
