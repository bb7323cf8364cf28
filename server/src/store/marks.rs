//! Marks: decisions, tunings, phases and failures on the time axis, kept with their reasons.

use control::live::{Mark, MarkKind};
use serde_json::Value;
use sqlx::{Row, SqliteConnection};

use super::error::{During, Result, StoreError, decode, encode};
use super::{Store, Tx};

impl Store {
    /// The newest `limit` marks of a job, oldest first. Empty for an unknown job.
    pub async fn marks(&self, job: &str, limit: u32) -> Result<Vec<Mark>> {
        let mut conn = self.readers.acquire().await.reading(|| format!("the marks of {job}"))?;
        read(&mut conn, job, limit).await
    }
}

pub(super) async fn insert(tx: &mut Tx, job: i64, seq: i64, marks: &[Mark]) -> Result<()> {
    for (place, mark) in (0_i64..).zip(marks) {
        let decision = match &mark.decision {
            Some(decision) => Some(encode(decision, || format!("a decision: {}", mark.text))?),
            None => None,
        };
        sqlx::query("INSERT INTO mark (job, seq, place, at, kind, text, loop_name, decision) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(job)
            .bind(seq)
            .bind(place)
            .bind(mark.at)
            .bind(word(mark.kind))
            .bind(&mark.text)
            .bind(&mark.loop_name)
            .bind(decision)
            .execute(&mut tx.conn)
            .await
            .writing(|| format!("the mark: {}", mark.text))?;
    }
    Ok(())
}

pub(super) async fn read(conn: &mut SqliteConnection, job: &str, limit: u32) -> Result<Vec<Mark>> {
    let what = || format!("the marks of {job}");
    let rows = sqlx::query(
        "SELECT at, kind, text, loop_name, decision FROM mark
         WHERE job = (SELECT num FROM job WHERE id = ?) ORDER BY seq DESC, place DESC LIMIT ?",
    )
    .bind(job)
    .bind(limit)
    .fetch_all(conn)
    .await
    .reading(what)?;
    rows.iter()
        .rev()
        .map(|row| {
            let kind: String = row.try_get("kind").reading(what)?;
            let decision: Option<String> = row.try_get("decision").reading(what)?;
            Ok(Mark {
                at: row.try_get("at").reading(what)?,
                kind: serde_json::from_value::<MarkKind>(Value::String(kind.clone()))
                    .map_err(|_| StoreError::Word { what: what(), word: kind })?,
                text: row.try_get("text").reading(what)?,
                loop_name: row.try_get("loop_name").reading(what)?,
                decision: decision.map(|text| decode(&text, what)).transpose()?,
            })
        })
        .collect()
}

/// The stored form, the same as in JSON.
fn word(kind: MarkKind) -> &'static str {
    match kind {
        MarkKind::More => "more",
        MarkKind::Fewer => "fewer",
        MarkKind::Tuned => "tuned",
        MarkKind::Failure => "failure",
        MarkKind::Info => "info",
    }
}
