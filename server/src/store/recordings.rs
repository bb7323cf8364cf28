//! Recordings: what every loop was told. New lines stand alone, so that none is lost with the process; older ones are
//! packed, and the oldest packs go when there are too many.

use super::error::{During, Result, StoreError};
use super::{Store, Tx};
use crate::recorder::pack;

/// Lines in one pack: more compress no better.
const PACK: i64 = 256;
/// Bytes of the packs of one loop: half a day of ticks every second, often more.
const KEPT_BYTES: i64 = 4 << 20;

/// What one loop was told.
#[derive(Debug, Default)]
pub struct Recording {
    /// Oldest first, without their ends.
    pub lines: Vec<String>,
    /// What they take in the store.
    pub stored_bytes: u64,
}

impl Store {
    /// The recording of a loop. Empty when there is none.
    pub async fn recording(&self, job: &str, loop_name: &str) -> Result<Recording> {
        let what = || format!("the recording of loop {loop_name} of {job}");
        // Of one moment, or a pack that is made between the two questions would be missed.
        let mut reading = self.readers.begin().await.reading(what)?;
        let packs: Vec<Vec<u8>> = sqlx::query_scalar(
            "SELECT body FROM recording_pack WHERE job = (SELECT num FROM job WHERE id = ?) AND loop_name = ? ORDER BY id",
        )
        .bind(job)
        .bind(loop_name)
        .fetch_all(&mut *reading)
        .await
        .reading(what)?;
        let fresh: Vec<String> = sqlx::query_scalar(
            "SELECT line FROM recording_line WHERE job = (SELECT num FROM job WHERE id = ?) AND loop_name = ? ORDER BY id",
        )
        .bind(job)
        .bind(loop_name)
        .fetch_all(&mut *reading)
        .await
        .reading(what)?;
        let stored = packs.iter().map(Vec::len).chain(fresh.iter().map(String::len)).sum::<usize>();
        let mut lines = Vec::new();
        for pack in packs {
            lines.extend(pack::unpack(&pack).map_err(|cause| StoreError::Unpack { what: what(), cause })?);
        }
        lines.extend(fresh);
        Ok(Recording { lines, stored_bytes: stored as u64 })
    }
}

/// Stores new lines, by loop; packs what is enough for a pack, or all of it when the job has `ended`.
pub(super) async fn insert(tx: &mut Tx, job: i64, lines: &[(String, String)], ended: bool) -> Result<()> {
    for (name, line) in lines {
        sqlx::query("INSERT INTO recording_line (job, loop_name, line) VALUES (?, ?, ?)")
            .bind(job)
            .bind(name)
            .bind(line)
            .execute(&mut tx.conn)
            .await
            .writing(|| format!("a line of the recording of loop {name}"))?;
    }
    if lines.is_empty() && !ended {
        return Ok(());
    }
    let full: Vec<(String, i64)> =
        sqlx::query_as("SELECT loop_name, count(*) FROM recording_line WHERE job = ? GROUP BY loop_name HAVING ? <= count(*)")
            .bind(job)
            .bind(if ended { 1 } else { PACK })
            .fetch_all(&mut tx.conn)
            .await
            .writing(|| "the packs of a recording".to_owned())?;
    for (name, waiting) in full {
        put_away(tx, job, &name, waiting).await?;
    }
    Ok(())
}

/// Puts all lines of a loop that stand alone into one pack.
async fn put_away(tx: &mut Tx, job: i64, name: &str, waiting: i64) -> Result<()> {
    let what = || format!("a pack of the recording of loop {name}");
    let lines: Vec<String> = sqlx::query_scalar("SELECT line FROM recording_line WHERE job = ? AND loop_name = ? ORDER BY id")
        .bind(job)
        .bind(name)
        .fetch_all(&mut tx.conn)
        .await
        .writing(what)?;
    sqlx::query("DELETE FROM recording_line WHERE job = ? AND loop_name = ?")
        .bind(job)
        .bind(name)
        .execute(&mut tx.conn)
        .await
        .writing(what)?;
    sqlx::query("INSERT INTO recording_pack (job, loop_name, lines, body) VALUES (?, ?, ?, ?)")
        .bind(job)
        .bind(name)
        .bind(waiting)
        .bind(pack::pack(&lines))
        .execute(&mut tx.conn)
        .await
        .writing(what)?;
    sqlx::query(
        "DELETE FROM recording_pack WHERE id IN (
             SELECT id FROM (SELECT id, sum(length(body)) OVER (ORDER BY id DESC) AS bytes FROM recording_pack WHERE job = ? AND loop_name = ?)
             WHERE ? < bytes)",
    )
    .bind(job)
    .bind(name)
    .bind(KEPT_BYTES)
    .execute(&mut tx.conn)
    .await
    .writing(what)?;
    Ok(())
}
