//! Recordings: what every loop was told. New lines stand alone, so that none is lost with the process; older ones are
//! packed, and the oldest packs go when there are too many.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use super::error::{During, Result, StoreError};
use super::{Store, Tx};

/// Lines in one pack: more compress no better.
const PACK: i64 = 256;
/// Bytes of the packs of one loop: half a day of ticks every second, often more.
const KEPT_BYTES: i64 = 4 << 20;

impl Store {
    /// The recording of a loop, oldest line first, without ends of lines. Empty when there is none.
    pub async fn recording(&self, job: &str, loop_name: &str) -> Result<Vec<String>> {
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
        let mut lines = Vec::new();
        for pack in packs {
            let mut text = String::new();
            DeflateDecoder::new(pack.as_slice()).read_to_string(&mut text).map_err(|cause| StoreError::Unpack { what: what(), cause })?;
            lines.extend(text.lines().map(str::to_owned));
        }
        lines.extend(fresh);
        Ok(lines)
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
        pack(tx, job, &name, waiting).await?;
    }
    Ok(())
}

/// Puts all lines of a loop that stand alone into one pack.
async fn pack(tx: &mut Tx, job: i64, name: &str, waiting: i64) -> Result<()> {
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
        .bind(deflated(&lines))
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

fn deflated(lines: &[String]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    // Into memory: neither fails.
    for line in lines {
        drop(encoder.write_all(line.as_bytes()));
        drop(encoder.write_all(b"\n"));
    }
    encoder.finish().unwrap_or_default()
}
