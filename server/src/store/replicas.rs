//! Replicas as the platform knows them, so that a new life of the server finds them again.

use control::live::{ReplicaState, ReplicaView};
use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::error::{During, Result, StoreError, decode, encode};
use super::{Store, Tx, jobs};

/// One copy of the worker. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplicaRow {
    pub id: String,
    /// The job's id.
    pub job: String,
    pub addr: String,
    /// What the platform needs to find it again.
    pub handle: Option<Value>,
    /// A word of `ReplicaState` as in JSON.
    pub state: String,
    pub started_at: i64,
    pub ended_at: Option<i64>,
    /// How it ended, in words.
    pub ended: Option<String>,
    /// How it ended, as the platform knows it, when nobody asked for the end: what pauses are reckoned from.
    pub exit: Option<Value>,
    pub items_done: u64,
}

impl Store {
    /// Stores a replica, new or known.
    pub async fn put_replica(&self, replica: &ReplicaRow) -> Result<()> {
        let replica = replica.clone();
        self.write(move |tx| Box::pin(put(tx, replica))).await
    }

    /// Replicas of a job, oldest first; only those without an end when `living_only`.
    pub async fn replicas(&self, job: &str, living_only: bool) -> Result<Vec<ReplicaRow>> {
        let what = || format!("the replicas of {job}");
        let rows = sqlx::query(
            "SELECT * FROM replica WHERE job = (SELECT num FROM job WHERE id = ?) AND (ended_at IS NULL OR NOT ?)
             ORDER BY started_at, rowid",
        )
        .bind(job)
        .bind(living_only)
        .fetch_all(&self.readers)
        .await
        .reading(what)?;
        rows.iter().map(|row| replica(row, job)).collect()
    }
}

async fn put(tx: &mut Tx, replica: ReplicaRow) -> Result<()> {
    let what = || format!("replica {}", replica.id);
    let job = jobs::number(&mut tx.conn, &replica.job).await?;
    let handle = replica.handle.as_ref().map(|handle| encode(handle, what)).transpose()?;
    let exit = replica.exit.as_ref().map(|exit| encode(exit, what)).transpose()?;
    sqlx::query(
        "INSERT INTO replica (id, job, addr, handle, state, started_at, ended_at, ended, exit, items_done)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET addr = excluded.addr, handle = excluded.handle, state = excluded.state,
             started_at = excluded.started_at, ended_at = excluded.ended_at, ended = excluded.ended, exit = excluded.exit,
             items_done = excluded.items_done",
    )
    .bind(&replica.id)
    .bind(job)
    .bind(&replica.addr)
    .bind(handle)
    .bind(&replica.state)
    .bind(replica.started_at)
    .bind(replica.ended_at)
    .bind(&replica.ended)
    .bind(exit)
    .bind(i64::try_from(replica.items_done).unwrap_or(i64::MAX))
    .execute(&mut tx.conn)
    .await
    .writing(what)?;
    Ok(())
}

fn replica(row: &SqliteRow, job: &str) -> Result<ReplicaRow> {
    let what = || format!("a replica of {job}");
    let handle: Option<String> = row.try_get("handle").reading(what)?;
    let exit: Option<String> = row.try_get("exit").reading(what)?;
    let items_done: i64 = row.try_get("items_done").reading(what)?;
    Ok(ReplicaRow {
        id: row.try_get("id").reading(what)?,
        job: job.to_owned(),
        addr: row.try_get("addr").reading(what)?,
        handle: handle.map(|text| decode(&text, what)).transpose()?,
        state: row.try_get("state").reading(what)?,
        started_at: row.try_get("started_at").reading(what)?,
        ended_at: row.try_get("ended_at").reading(what)?,
        ended: row.try_get("ended").reading(what)?,
        exit: exit.map(|text| decode(&text, what)).transpose()?,
        items_done: u64::try_from(items_done).unwrap_or(0),
    })
}

/// What is known of a job's replicas without a tick: no items held, no use of processor or memory.
pub(super) async fn views(conn: &mut SqliteConnection, job: i64) -> Result<Vec<ReplicaView>> {
    let what = || format!("the replicas of job number {job}");
    let rows =
        sqlx::query("SELECT * FROM replica WHERE job = ? ORDER BY started_at, rowid").bind(job).fetch_all(conn).await.reading(what)?;
    rows.iter()
        .map(|row| {
            let row = replica(row, "a job")?;
            let state = serde_json::from_value::<ReplicaState>(Value::String(row.state.clone()))
                .map_err(|_| StoreError::Word { what: what(), word: row.state })?;
            Ok(ReplicaView {
                id: row.id,
                state,
                started_at: row.started_at,
                place: None,
                address: row.ended_at.is_none().then_some(row.addr),
                holds: Vec::new(),
                cpu: 0.0,
                memory_bytes: 0,
                items_done: row.items_done,
                ended: row.ended,
            })
        })
        .collect()
}
