//! The one writer. Everything that waits becomes one transaction; each command has a savepoint of
//! its own, so that one that fails takes nothing with it.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot, watch};

use super::error::{Result, StoreError};

/// Commands in one transaction at most: keeps the wait of the first of them short.
const GROUP: usize = 256;

/// What a command works with.
#[derive(Debug)]
pub(super) struct Tx {
    pub(super) conn: SqliteConnection,
    /// Ids of series by job and name, so that a tick needs no look-up. Only what is committed, or
    /// about to be: emptied when anything is rolled back.
    pub(super) series: HashMap<i64, HashMap<String, i64>>,
    seq: i64,
}

impl Tx {
    /// A new seq. It is seen by others only after the commit.
    pub(super) fn next_seq(&mut self) -> i64 {
        self.seq += 1;
        self.seq
    }
}

/// Something to be done in a transaction, with somebody who waits for the answer.
pub(super) trait Command: Send {
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, std::result::Result<(), Failed>>;
    /// Called once, after the commit or its failure.
    fn answer(self: Box<Self>, commit: std::result::Result<(), Arc<sqlx::Error>>);
}

/// The command failed; why is told to who asked.
pub(super) struct Failed;

struct Asked<T, F> {
    work: Option<F>,
    outcome: Result<T>,
    reply: oneshot::Sender<Result<T>>,
}

/// Wraps `work` so that its value waits for the commit.
pub(super) fn command<T, F>(work: F) -> (Box<dyn Command>, oneshot::Receiver<Result<T>>)
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (Box::new(Asked { work: Some(work), outcome: Err(StoreError::Closed), reply }), answer)
}

impl<T, F> Command for Asked<T, F>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
{
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, std::result::Result<(), Failed>> {
        let work = self.work.take();
        let outcome = &mut self.outcome;
        Box::pin(async move {
            if let Some(work) = work {
                *outcome = work(tx).await;
            }
            if outcome.is_ok() { Ok(()) } else { Err(Failed) }
        })
    }

    fn answer(self: Box<Self>, commit: std::result::Result<(), Arc<sqlx::Error>>) {
        let answer = match (self.outcome, commit) {
            (Ok(_), Err(cause)) => Err(StoreError::Commit { cause }),
            (outcome, _) => outcome,
        };
        // Who asked may have gone; what was written stays written.
        drop(self.reply.send(answer));
    }
}

pub(super) struct Writer {
    tx: Tx,
    committed: i64,
    newest: watch::Sender<i64>,
}

impl Writer {
    pub(super) fn new(conn: SqliteConnection, seq: i64, newest: watch::Sender<i64>) -> Self {
        Self { tx: Tx { conn, series: HashMap::new(), seq }, committed: seq, newest }
    }

    /// Works until every handle of the store is gone and nothing waits.
    pub(super) async fn run(mut self, mut waiting: mpsc::Receiver<Box<dyn Command>>) {
        let mut group = Vec::with_capacity(GROUP);
        while waiting.recv_many(&mut group, GROUP).await > 0 {
            let commit = self.transact(&mut group).await.map_err(Arc::new);
            match &commit {
                Ok(()) => self.committed = self.tx.seq,
                Err(_) => self.undo().await,
            }
            for command in group.drain(..) {
                command.answer(commit.clone());
            }
            if *self.newest.borrow() != self.committed {
                self.newest.send_replace(self.committed);
            }
        }
        if let Err(cause) = self.tx.conn.close().await {
            tracing::warn!(%cause, "the database was not closed cleanly; nothing is lost");
        }
    }

    async fn transact(&mut self, group: &mut [Box<dyn Command>]) -> std::result::Result<(), sqlx::Error> {
        self.sql("BEGIN IMMEDIATE").await?;
        for command in group {
            self.sql("SAVEPOINT command").await?;
            if command.run(&mut self.tx).await.is_err() {
                self.tx.series.clear();
                self.sql("ROLLBACK TO command").await?;
            }
            self.sql("RELEASE command").await?;
        }
        if self.tx.seq != self.committed {
            sqlx::query("UPDATE counter SET seq = ?").bind(self.tx.seq).execute(&mut self.tx.conn).await?;
        }
        crate::fence::must_hold();
        self.sql("COMMIT").await
    }

    async fn undo(&mut self) {
        self.tx.series.clear();
        self.tx.seq = self.committed;
        // Some errors end the transaction by themselves, then there is nothing to roll back.
        if let Err(cause) = self.sql("ROLLBACK").await {
            tracing::debug!(%cause, "the transaction had already ended");
        }
    }

    async fn sql(&mut self, statement: &'static str) -> std::result::Result<(), sqlx::Error> {
        sqlx::query(statement).execute(&mut self.tx.conn).await.map(drop)
    }
}
