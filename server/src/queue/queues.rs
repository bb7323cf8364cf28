//! All queues of a server: one database, one keyspace a job, one thread that syncs to disk; and those in a Redis.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use control::job::QueueSpec;
use fjall::{Database, KeyspaceCreateOptions, KvSeparationOptions, PersistMode};

use super::{
    Queue,
    disk::Disk,
    error::QueueError,
    journal::Journal,
    remote::{Address, Remote},
    state::State,
};
use crate::lock::lock;

/// Memory of the block cache. Queues live in memory; only results are read back.
const CACHE_BYTES: u64 = 4 << 20;
/// A memtable a job; flushed beyond this.
const MEMTABLE_BYTES: u64 = 4 << 20;
/// The smallest that the database allows is 64 MiB.
const JOURNAL_BYTES: u64 = 128 << 20;
/// A power cut loses at most this much; a killed process loses nothing.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// The queues of all jobs, in one database or in a Redis each.
pub struct Queues {
    db: Database,
    open: Mutex<HashMap<String, Open>>,
    /// Who opens a queue in a Redis takes it over from everybody else, so that one job's are opened one at a time.
    opening: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    unsynced: Arc<AtomicBool>,
    /// Dropping it ends the sync thread.
    _sync: mpsc::Sender<()>,
}

/// A queue in memory. A job that runs holds it too; one that has ended is only looked at now and then.
struct Open {
    queue: Arc<Queue>,
    asked_at: Instant,
}

impl Open {
    fn new(queue: Queue) -> Self {
        Self { queue: Arc::new(queue), asked_at: Instant::now() }
    }
}

impl Queues {
    /// Opens or creates the database in `dir`.
    ///
    /// # Errors
    /// `Open` when the directory is in use or damaged, `SyncThread` when no thread can be started.
    pub fn open(dir: &Path) -> Result<Arc<Self>, QueueError> {
        let db = Database::builder(dir)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .max_cached_files(Some(64))
            // One would let memtables grow without bound while it compacts.
            .worker_threads(2)
            .open()
            .map_err(|cause| QueueError::Open { dir: dir.to_owned(), cause })?;
        let unsynced = Arc::new(AtomicBool::new(false));
        let (sync, ended) = mpsc::channel();
        thread::Builder::new()
            .name("queue-sync".to_owned())
            .spawn({
                let (db, unsynced) = (db.clone(), unsynced.clone());
                move || sync_until(&ended, &db, &unsynced)
            })
            .map_err(|cause| QueueError::SyncThread { cause })?;
        Ok(Arc::new(Self { db, open: Mutex::default(), opening: Mutex::default(), unsynced, _sync: sync }))
    }

    /// A new, empty queue; an older one of the same job is deleted.
    ///
    /// # Errors
    /// `Create`, `Delete` or `Commit`.
    pub fn create(&self, job: &str, spec: QueueSpec) -> Result<Arc<Queue>, QueueError> {
        // Under the lock from end to end: who looks meanwhile must not find it half made.
        let mut open = self.lock();
        self.remove(&mut open, job)?;
        let journal = self.journal(job).map_err(|cause| QueueError::Create { job: job.to_owned(), cause })?;
        let made = Open::new(Queue::new(State::create(journal, spec)?, None));
        let queue = made.queue.clone();
        open.insert(job.to_owned(), made);
        Ok(queue)
    }

    /// The queue of a job as it was when the server ended; `None` when it has none.
    ///
    /// # Errors
    /// `Load`, `Read` or `Corrupt`.
    pub fn load(&self, job: &str) -> Result<Option<Arc<Queue>>, QueueError> {
        let mut open = self.lock();
        if let Some(found) = found(&mut open, job) {
            return Ok(Some(found));
        }
        if !self.db.keyspace_exists(job) {
            return Ok(None);
        }
        let journal = self.journal(job).map_err(|cause| QueueError::Load { job: job.to_owned(), cause })?;
        let loaded = Open::new(Queue::new(State::load(job, journal)?, None));
        let queue = loaded.queue.clone();
        open.insert(job.to_owned(), loaded);
        Ok(Some(queue))
    }

    /// The queue of a job that is in memory already, wherever it is kept.
    pub fn opened(&self, job: &str) -> Option<Arc<Queue>> {
        found(&mut self.lock(), job)
    }

    /// A new, empty queue in a Redis; what is there of the job is deleted.
    ///
    /// # Errors
    /// `Away` or `Lost`.
    pub async fn create_remote(&self, job: &str, address: &Address, spec: QueueSpec) -> Result<Arc<Queue>, QueueError> {
        let opening = self.opening(job);
        let _one = opening.lock().await;
        let writing = Remote::create(address, job).await?;
        let journal = Journal::Remote { remote: writing.remote.clone(), fetched: BTreeMap::new() };
        let made = Open::new(Queue::new(State::create(journal, spec)?, Some(writing)));
        let queue = made.queue.clone();
        self.lock().insert(job.to_owned(), made);
        Ok(queue)
    }

    /// The queue of a job as its Redis has it; `None` when there is none.
    ///
    /// # Errors
    /// `Away` or `Corrupt`.
    pub async fn load_remote(&self, job: &str, address: &Address) -> Result<Option<Arc<Queue>>, QueueError> {
        let opening = self.opening(job);
        let _one = opening.lock().await;
        if let Some(found) = found(&mut self.lock(), job) {
            return Ok(Some(found));
        }
        let Some((writing, fetched)) = Remote::open(address, job).await? else { return Ok(None) };
        let journal = Journal::Remote { remote: writing.remote.clone(), fetched };
        let loaded = Open::new(Queue::new(State::load(job, journal)?, Some(writing)));
        let queue = loaded.queue.clone();
        self.lock().insert(job.to_owned(), loaded);
        Ok(Some(queue))
    }

    /// Removes a job's queue with its results from a Redis. Nothing happens when it has none.
    ///
    /// # Errors
    /// `Away`.
    pub async fn delete_remote(&self, job: &str, address: &Address) -> Result<(), QueueError> {
        let opening = self.opening(job);
        let _one = opening.lock().await;
        // Its writer ends with it, before its records are removed.
        self.lock().remove(job);
        Remote::delete(address, job).await
    }

    fn opening(&self, job: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut opening = lock(&self.opening);
        opening.retain(|_, one| 1 < Arc::strong_count(one));
        opening.entry(job.to_owned()).or_default().clone()
    }

    /// Lets go of queues that nobody holds and nobody asked for lately: those of ended jobs. Their memory is free,
    /// and `load` brings them back. Returns how many are still in memory.
    pub fn close_unused(&self, for_at_least: Duration) -> usize {
        let mut open = self.lock();
        // Under the lock nobody can get hold of one that only this table has.
        open.retain(|_, one| 1 < Arc::strong_count(&one.queue) || one.asked_at.elapsed() < for_at_least || one.queue.behind());
        open.len()
    }

    /// Removes a job's queue with its results. Nothing happens when it has none.
    ///
    /// # Errors
    /// `Delete`.
    pub fn delete(&self, job: &str) -> Result<(), QueueError> {
        self.remove(&mut self.lock(), job)
    }

    fn remove(&self, open: &mut HashMap<String, Open>, job: &str) -> Result<(), QueueError> {
        let failed = |cause| QueueError::Delete { job: job.to_owned(), cause };
        open.remove(job);
        if !self.db.keyspace_exists(job) {
            return Ok(());
        }
        let keyspace = self.db.keyspace(job, options).map_err(failed)?;
        self.db.delete_keyspace(keyspace).map_err(failed)
    }

    fn journal(&self, job: &str) -> Result<Journal, fjall::Error> {
        let keyspace = self.db.keyspace(job, options)?;
        Ok(Journal::Disk(Disk::new(self.db.clone(), keyspace, self.unsynced.clone())))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Open>> {
        lock(&self.open)
    }
}

fn found(open: &mut HashMap<String, Open>, job: &str) -> Option<Arc<Queue>> {
    let found = open.get_mut(job)?;
    found.asked_at = Instant::now();
    Some(found.queue.clone())
}

fn options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(MEMTABLE_BYTES)
        // Large results are written once instead of at each compaction.
        .with_kv_separation(Some(KvSeparationOptions::default()))
}

fn sync_until(ended: &mpsc::Receiver<()>, db: &Database, unsynced: &AtomicBool) {
    loop {
        let last = !matches!(ended.recv_timeout(SYNC_EVERY), Err(mpsc::RecvTimeoutError::Timeout));
        if unsynced.swap(false, Ordering::Relaxed)
            && let Err(error) = db.persist(PersistMode::SyncAll)
        {
            tracing::error!(%error, "the queue could not be synced to disk");
        }
        if last {
            return;
        }
    }
}
