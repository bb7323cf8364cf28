//! Everything that must outlive a crash, in one SQLite file: one writer, a few readers.
//! SQL is written here and nowhere else.

mod clusters;
mod error;
mod experience;
mod frames;
mod jobs;
mod marks;
mod migrations;
mod recordings;
mod replicas;
mod retention;
mod samples;
mod sessions;
mod ticks;
mod tunings;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use tokio::sync::{mpsc, watch};

pub use clusters::ClusterRow;
pub use error::{Result, StoreError};
pub use experience::{Experience, Lesson};
pub use jobs::{JobRow, NewJob};
pub use replicas::ReplicaRow;
pub use ticks::Tick;

use error::During as _;
use writer::{Command, Tx, Writer};

/// Enough for the pages of one process; more would only compete for two cores.
const READERS: u32 = 4;
/// Commands that may wait for the writer before callers are held back.
const WAITING: usize = 1024;
/// Pages in the log before it is folded into the file, 32 MiB: a page that changes every second
/// is then copied once in many seconds.
const CHECKPOINT_PAGES: &str = "8000";
/// How many distinct statements stay prepared; inserts of several rows have one a row count.
const PREPARED: usize = 256;

/// The database of one server. Clones are cheap and share everything. The last one to be dropped
/// lets the writer end after what was asked of it.
#[derive(Debug, Clone)]
pub struct Store {
    readers: SqlitePool,
    commands: mpsc::Sender<Box<dyn Command>>,
    seq: watch::Receiver<i64>,
    /// Where the next housekeeping goes on among the series.
    swept: Arc<AtomicI64>,
}

impl Store {
    /// Opens or creates the file and brings its layout up to date.
    pub async fn open(path: &Path) -> Result<Store> {
        let open = |cause| StoreError::Open { path: path.to_owned(), cause };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(Duration::from_secs(5))
            .statement_cache_capacity(PREPARED)
            .disable_statement_logging();
        let mut conn = options
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // After a power cut the last moments may be missing, and nothing is torn.
            .synchronous(SqliteSynchronous::Normal)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            .pragma("journal_size_limit", "67108864")
            .connect()
            .await
            .map_err(open)?;
        migrations::all().run(&mut conn).await.map_err(|cause| StoreError::Migrate { path: path.to_owned(), cause })?;
        let seq: i64 = sqlx::query_scalar("SELECT seq FROM counter").fetch_one(&mut conn).await.map_err(open)?;
        let readers =
            SqlitePoolOptions::new().max_connections(READERS).connect_with(options.pragma("query_only", "ON")).await.map_err(open)?;
        let (commands, waiting) = mpsc::channel(WAITING);
        let (newest, seen) = watch::channel(seq);
        tokio::spawn(Writer::new(conn, seq, newest).run(waiting));
        Ok(Store { readers, commands, seq: seen, swept: Arc::new(AtomicI64::new(0)) })
    }

    /// Opens the file of a server that was started before: for commands that look into its data folder.
    pub async fn open_existing(path: &Path) -> Result<Store> {
        if !path.is_file() {
            return Err(StoreError::Missing { path: path.to_owned() });
        }
        Store::open(path).await
    }

    /// Whether it answers at all.
    pub async fn answers(&self) -> Result<()> {
        sqlx::query_scalar::<_, i64>("SELECT 1").fetch_one(&self.readers).await.reading(|| "anything".to_owned()).map(drop)
    }

    /// The newest committed seq; changes after every commit that made one.
    pub fn seq(&self) -> watch::Receiver<i64> {
        self.seq.clone()
    }

    /// Lets the writer do `work`, together with whatever else waits; answers after the commit.
    async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        let (command, answer) = writer::command(work);
        self.commands.send(command).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}
