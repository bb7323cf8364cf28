//! Frames: the messages of a job's live stream, read by a cursor that neither skips nor repeats.

use control::live::{Frame, JobSummary, LoopView, Mark, ReplicaView};
use sqlx::SqliteConnection;

use super::error::{During, Result, decode, encode};
use super::{Store, Tx, replicas};

impl Store {
    /// Frames of a job after `seq`, oldest first, at most `limit`.
    pub async fn frames_after(&self, job: &str, seq: i64, limit: u32) -> Result<Vec<Frame>> {
        let what = || format!("the frames of {job}");
        let rows: Vec<(i64, String)> = sqlx::query_as(
            "SELECT seq, body FROM frame
             WHERE job = (SELECT num FROM job WHERE id = ?) AND seq > ? ORDER BY seq LIMIT ?",
        )
        .bind(job)
        .bind(seq)
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .reading(what)?;
        rows.into_iter().map(|(seq, body)| Ok(Frame { seq, ..decode(&body, what)? })).collect()
    }

    /// The newest seq whose frame is no longer kept; 0 when none is missing. A cursor that stands
    /// before it has missed something and must reload.
    pub async fn frames_floor(&self, job: &str) -> Result<i64> {
        let floor: Option<i64> = sqlx::query_scalar("SELECT frames_floor FROM job_state WHERE job = (SELECT num FROM job WHERE id = ?)")
            .bind(job)
            .fetch_optional(&self.readers)
            .await
            .reading(|| format!("the oldest frame of {job}"))?;
        Ok(floor.unwrap_or(0))
    }
}

/// Stores a frame. The seq inside the body is that of the column, known only now.
pub(super) async fn insert(tx: &mut Tx, job: i64, seq: i64, at: i64, body: &str) -> Result<()> {
    sqlx::query("INSERT INTO frame (seq, job, at, body) VALUES (?, ?, ?, ?)")
        .bind(seq)
        .bind(job)
        .bind(at)
        .bind(body)
        .execute(&mut tx.conn)
        .await
        .writing(|| format!("frame {seq}"))?;
    Ok(())
}

/// What happened between two ticks, told at once: a tuning, a phase. The replicas are as before.
pub(super) struct News {
    pub(super) at: i64,
    pub(super) summary: JobSummary,
    pub(super) marks: Vec<Mark>,
    pub(super) loops: Option<Vec<LoopView>>,
}

pub(super) async fn tell(tx: &mut Tx, job: i64, seq: i64, news: News) -> Result<()> {
    let replicas = newest_replicas(&mut tx.conn, job).await?;
    let frame = Frame {
        seq,
        at: news.at,
        summary: news.summary,
        samples: std::collections::BTreeMap::new(),
        marks: news.marks,
        loops: news.loops,
        replicas,
    };
    let body = encode(&frame, || format!("frame {seq}"))?;
    insert(tx, job, seq, news.at, &body).await
}

/// The replicas as the newest frame shows them, or as they are stored when no frame is kept.
pub(super) async fn newest_replicas(conn: &mut SqliteConnection, job: i64) -> Result<Vec<ReplicaView>> {
    let what = || format!("the newest frame of job number {job}");
    let body: Option<String> = sqlx::query_scalar("SELECT body FROM frame WHERE job = ? ORDER BY seq DESC LIMIT 1")
        .bind(job)
        .fetch_optional(&mut *conn)
        .await
        .reading(what)?;
    match body {
        Some(body) => Ok(decode::<Frame>(&body, what)?.replicas),
        None => replicas::views(conn, job).await,
    }
}
