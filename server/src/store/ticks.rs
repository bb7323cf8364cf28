//! One tick of a job: its frame, samples, loop memories and marks, stored together or not at all.

use std::collections::BTreeMap;

use control::job::Phase;
use control::live::{Frame, JobSummary, LoopView, Mark, ReplicaView};
use serde_json::Value;

use super::error::{During, Result, StoreError, encode};
use super::{Store, Tx, frames, marks, recordings, samples};

/// What one tick of a job found out. Times are milliseconds since 1970.
#[derive(Debug, Clone)]
pub struct Tick {
    pub job: String,
    pub at: i64,
    pub summary: JobSummary,
    /// Series name and value. Values that are not finite are left out.
    pub samples: Vec<(String, f64)>,
    /// Loop name and what its law remembers.
    pub memories: Vec<(String, Value)>,
    /// Loop name and a line of its recording, in order.
    pub recorded: Vec<(String, String)>,
    pub marks: Vec<Mark>,
    /// Only when a tuning changed since the tick before.
    pub loops: Option<Vec<LoopView>>,
    pub replicas: Vec<ReplicaView>,
}

impl Store {
    /// Stores a tick and answers its seq. The phase and its times stay those that `set_phase` set,
    /// whatever the summary says; its reason is taken while the job has not ended.
    pub async fn tick(&self, mut tick: Tick) -> Result<i64> {
        tick.samples.retain(|(name, value)| {
            if !value.is_finite() {
                tracing::warn!(job.id = %tick.job, "a value of {name} is not finite and was left out");
            }
            value.is_finite()
        });
        let what = || format!("the tick of {}", tick.job);
        // Encoded here, not by the writer, which everybody waits for.
        let summary = encode(&tick.summary, what)?;
        let memories = tick.memories.iter().map(|(name, memory)| Ok((name.clone(), encode(memory, what)?))).collect::<Result<Vec<_>>>()?;
        let frame = Frame {
            seq: 0,
            at: tick.at,
            summary: tick.summary,
            samples: tick.samples.iter().cloned().collect::<BTreeMap<_, _>>(),
            marks: tick.marks,
            loops: tick.loops,
            replicas: tick.replicas,
        };
        let body = encode(&frame, || format!("the tick of {}", tick.job))?;
        let ready = Ready { job: tick.job, frame, summary, body, samples: tick.samples, memories, recorded: tick.recorded };
        self.write(move |tx| Box::pin(store(tx, ready))).await
    }
}

struct Ready {
    job: String,
    frame: Frame,
    summary: String,
    body: String,
    samples: Vec<(String, f64)>,
    memories: Vec<(String, String)>,
    recorded: Vec<(String, String)>,
}

type State = (i64, String, Option<String>, Option<i64>, Option<i64>);

async fn store(tx: &mut Tx, mut tick: Ready) -> Result<i64> {
    let what = || format!("the tick of {}", tick.job);
    let seq = tx.next_seq();
    let state: Option<State> = sqlx::query_as(
        // A tick of another phase was on its way when the phase changed: its reason is of the past.
        "UPDATE job_state SET summary = ?1, changed_seq = ?2,
             reason = CASE WHEN ended_at IS NULL AND phase = ?3 THEN ?4 ELSE reason END
         WHERE job = (SELECT num FROM job WHERE id = ?5)
         RETURNING job, phase, reason, started_at, ended_at",
    )
    .bind(&tick.summary)
    .bind(seq)
    .bind(tick.frame.summary.phase.word())
    .bind(&tick.frame.summary.reason)
    .bind(&tick.job)
    .fetch_optional(&mut tx.conn)
    .await
    .writing(what)?;
    let Some((job, phase, reason, started_at, ended_at)) = state else {
        return Err(StoreError::UnknownJob { id: tick.job });
    };
    let summary = &mut tick.frame.summary;
    let phase = Phase::from_word(&phase).ok_or_else(|| StoreError::Word { what: what(), word: phase })?;
    if (summary.phase, &summary.reason, summary.started_at, summary.ended_at) != (phase, &reason, started_at, ended_at) {
        // The phase was set while the tick was on its way: its viewers must not see the old one.
        (summary.phase, summary.reason, summary.started_at, summary.ended_at) = (phase, reason, started_at, ended_at);
        tick.body = encode(&tick.frame, || format!("the tick of {}", tick.job))?;
    }
    samples::insert(tx, job, tick.frame.at, &tick.samples).await?;
    if phase.ended() {
        // Most likely the last tick: ids of its series need not be at hand any longer.
        tx.series.remove(&job);
    }
    for (name, memory) in &tick.memories {
        sqlx::query("UPDATE control_loop SET memory = ? WHERE job = ? AND name = ?")
            .bind(memory)
            .bind(job)
            .bind(name)
            .execute(&mut tx.conn)
            .await
            .writing(|| format!("the memory of loop {name} of {}", tick.job))?;
    }
    recordings::insert(tx, job, &tick.recorded, phase.ended()).await?;
    marks::insert(tx, job, seq, &tick.frame.marks).await?;
    frames::insert(tx, job, seq, tick.frame.at, &tick.body).await?;
    Ok(seq)
}
