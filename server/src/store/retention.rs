//! Housekeeping: what is too old goes, in bites small enough that no tick waits for them.

use std::sync::atomic::Ordering;

use sqlx::AssertSqlSafe;

use super::error::{During, Result};
use super::{Store, Tx};

const HOUR_MS: i64 = 3_600_000;
/// Each tier with its step and how long it is kept, in milliseconds.
const TIERS: [(&str, i64, i64); 3] = [
    ("sample_second", 1_000, 36 * HOUR_MS),
    ("sample_minute", 60_000, 30 * 24 * HOUR_MS),
    ("sample_hour", HOUR_MS, 2 * 365 * 24 * HOUR_MS),
];
/// A reader who was away longer reloads the page.
const FRAMES_KEPT_MS: i64 = HOUR_MS;
/// Two hours at one frame a second.
const FRAMES_KEPT: i64 = 7_200;
/// Rows deleted in one command: a few milliseconds of the writer.
const BITE: i64 = 4_000;
/// Frames are large rows.
const FRAME_BITE: i64 = 400;
/// Series looked at in one command, and commands of that sort in one housekeeping. The next one goes
/// on from there, so that a call has an end however many series there are.
const SERIES: i64 = 256;
const SWEEPS: usize = 64;

impl Store {
    /// Deletes what is older than its retention: samples (36 hours by the second, 30 days by the
    /// minute, 2 years by the hour), frames, expired tokens, and samples of deleted jobs. To be
    /// called every minute or so; with very many series one call does a part of them.
    pub async fn housekeeping(&self, now: i64) -> Result<()> {
        while self.write(move |tx| Box::pin(old_frames(tx, now))).await? == FRAME_BITE {}
        self.crowded_frames().await?;
        self.write(move |tx| Box::pin(tokens(tx, now))).await?;
        for _ in 0..SWEEPS {
            let after = self.swept.load(Ordering::Relaxed);
            while BITE <= self.write(move |tx| Box::pin(samples(tx, after, now))).await? {}
            let next: Option<i64> = sqlx::query_scalar("SELECT max(id) FROM (SELECT id FROM series WHERE id > ? ORDER BY id LIMIT ?)")
                .bind(after)
                .bind(SERIES)
                .fetch_one(&self.readers)
                .await
                .reading(|| "the series".to_owned())?;
            self.swept.store(next.unwrap_or(0), Ordering::Relaxed);
            if next.is_none() {
                break;
            }
        }
        Ok(())
    }

    async fn crowded_frames(&self) -> Result<()> {
        let what = || "the jobs with many frames".to_owned();
        let crowded: Vec<(i64, i64)> = sqlx::query_as("SELECT job, count(*) - ?1 FROM frame GROUP BY job HAVING count(*) > ?1")
            .bind(FRAMES_KEPT)
            .fetch_all(&self.readers)
            .await
            .reading(what)?;
        for (job, mut surplus) in crowded {
            while 0 < surplus {
                let bite = surplus.min(FRAME_BITE);
                self.write(move |tx| Box::pin(oldest_frames(tx, job, bite))).await?;
                surplus -= bite;
            }
        }
        Ok(())
    }
}

async fn old_frames(tx: &mut Tx, now: i64) -> Result<i64> {
    let gone: Vec<(i64, i64)> =
        sqlx::query_as("DELETE FROM frame WHERE seq IN (SELECT seq FROM frame WHERE at < ? ORDER BY at LIMIT ?) RETURNING job, seq")
            .bind(now - FRAMES_KEPT_MS)
            .bind(FRAME_BITE)
            .fetch_all(&mut tx.conn)
            .await
            .writing(|| "the end of old frames".to_owned())?;
    raise_floors(tx, gone).await
}

async fn oldest_frames(tx: &mut Tx, job: i64, count: i64) -> Result<i64> {
    let gone: Vec<(i64, i64)> =
        sqlx::query_as("DELETE FROM frame WHERE seq IN (SELECT seq FROM frame WHERE job = ? ORDER BY seq LIMIT ?) RETURNING job, seq")
            .bind(job)
            .bind(count)
            .fetch_all(&mut tx.conn)
            .await
            .writing(|| "the end of surplus frames".to_owned())?;
    raise_floors(tx, gone).await
}

/// Remembers, for each job, the newest frame that is gone. Answers how many are.
async fn raise_floors(tx: &mut Tx, gone: Vec<(i64, i64)>) -> Result<i64> {
    let count = i64::try_from(gone.len()).unwrap_or(i64::MAX);
    let mut floors = std::collections::BTreeMap::<i64, i64>::new();
    for (job, seq) in gone {
        let floor = floors.entry(job).or_default();
        *floor = seq.max(*floor);
    }
    for (job, floor) in floors {
        sqlx::query("UPDATE job_state SET frames_floor = max(frames_floor, ?) WHERE job = ?")
            .bind(floor)
            .bind(job)
            .execute(&mut tx.conn)
            .await
            .writing(|| format!("the oldest frame of job number {job}"))?;
    }
    Ok(count)
}

async fn tokens(tx: &mut Tx, now: i64) -> Result<()> {
    sqlx::query("DELETE FROM token WHERE expires_at <= ?")
        .bind(now)
        .execute(&mut tx.conn)
        .await
        .writing(|| "the end of expired tokens".to_owned())?;
    Ok(())
}

/// One bite of old samples among the series after `after`; answers the most rows that one tier lost.
async fn samples(tx: &mut Tx, after: i64, now: i64) -> Result<i64> {
    let mut most = 0;
    for (table, step_ms, kept_ms) in TIERS {
        // Of a deleted job everything is old.
        let gone = sqlx::query(AssertSqlSafe(format!(
            "DELETE FROM {table} WHERE (series, at) IN (
                 SELECT v.series, v.at FROM (SELECT id, job FROM series WHERE id > ?1 ORDER BY id LIMIT ?2) s
                 CROSS JOIN {table} v ON v.series = s.id AND v.at < iif(s.job IS NULL, 9223372036854775807, ?3)
                 LIMIT ?4)"
        )))
        .bind(after)
        .bind(SERIES)
        .bind((now - kept_ms).div_euclid(step_ms))
        .bind(BITE)
        .execute(&mut tx.conn)
        .await
        .writing(|| format!("the end of old rows of {table}"))?;
        most = most.max(i64::try_from(gone.rows_affected()).unwrap_or(i64::MAX));
    }
    if most == 0 {
        sqlx::query(
            "DELETE FROM series WHERE job IS NULL
               AND id IN (SELECT id FROM series WHERE id > ? ORDER BY id LIMIT ?)",
        )
        .bind(after)
        .bind(SERIES)
        .execute(&mut tx.conn)
        .await
        .writing(|| "the end of series of deleted jobs".to_owned())?;
    }
    Ok(most)
}
