//! Jobs: what was submitted, the phase of its life, and its summary for lists.

use control::job::{JobSpec, Phase};
use control::live::{JobDetail, JobSummary, Mark, MarkKind, Record, ReplicaCounts};
use control::observation::Items;
use sqlx::sqlite::SqliteRow;
use sqlx::{Acquire, AssertSqlSafe, Row, SqliteConnection};

use super::error::{During, Result, StoreError, decode, encode};
use super::{Store, Tx, frames, marks, samples, tunings};

/// A submission that has been checked. Times are milliseconds since 1970.
#[derive(Debug, Clone)]
pub struct NewJob {
    pub id: String,
    pub spec: JobSpec,
    pub submitted_at: i64,
    pub deadline_at: i64,
    /// Who submitted it.
    pub by: String,
}

/// A job as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRow {
    pub id: String,
    pub spec: JobSpec,
    pub phase: Phase,
    pub reason: Option<String>,
    pub submitted_at: i64,
    pub started_at: Option<i64>,
    pub ended_at: Option<i64>,
    pub deadline_at: i64,
    pub by: String,
    pub summary: JobSummary,
}

/// What a summary is read from.
const STATE: &str = "phase, reason, started_at, ended_at, summary, changed_seq";

impl Store {
    /// The job, revision 1 of each of its loops and its first mark, in one transaction.
    pub async fn insert_job(&self, job: NewJob) -> Result<i64> {
        self.write(move |tx| Box::pin(insert(tx, job))).await
    }

    /// Sets the phase, with a mark and a frame. The first `Running` sets the start, a phase that
    /// is an end sets the end, and one that is not takes the end away.
    pub async fn set_phase(&self, id: &str, phase: Phase, reason: Option<String>, at: i64) -> Result<i64> {
        let id = id.to_owned();
        self.write(move |tx| Box::pin(set_phase(tx, id, phase, reason, at))).await
    }

    pub async fn job(&self, id: &str) -> Result<Option<JobRow>> {
        let mut conn = self.readers.acquire().await.reading(|| format!("job {id}"))?;
        read(&mut conn, id).await
    }

    /// Everything that a job's page needs, of one moment: frames after its `seq` go on exactly there.
    /// The series are those between `from` and `to`, decimated to `width`; the marks are the newest.
    pub async fn detail(&self, id: &str, from: i64, to: i64, width: u32, marks: u32) -> Result<Option<JobDetail>> {
        let what = || format!("job {id}");
        let mut conn = self.readers.acquire().await.reading(what)?;
        let mut moment = conn.begin().await.reading(what)?;
        let Some(row) = read(&mut moment, id).await? else { return Ok(None) };
        let seq = sqlx::query_scalar("SELECT seq FROM counter").fetch_one(&mut *moment).await.reading(what)?;
        let num = number(&mut moment, id).await?;
        Ok(Some(JobDetail {
            seq,
            summary: row.summary,
            spec: row.spec,
            loops: tunings::read(&mut moment, id).await?,
            marks: marks::read(&mut moment, id, marks).await?,
            series: samples::read(&mut moment, id, &[], from, to, width).await?,
            replicas: frames::newest_replicas(&mut moment, num).await?,
            record: Record::default(),
        }))
    }

    /// Newest first.
    pub async fn jobs(&self, limit: u32) -> Result<Vec<JobSummary>> {
        let what = || "the list of jobs".to_owned();
        let rows = sqlx::query(AssertSqlSafe(format!("SELECT {STATE} FROM job_state ORDER BY job DESC LIMIT ?")))
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .reading(what)?;
        rows.iter().map(summary).collect()
    }

    /// Jobs that changed after `seq`, in the order of their last change, with the seq to go on from.
    pub async fn jobs_changed_after(&self, seq: i64, limit: u32) -> Result<(i64, Vec<JobSummary>)> {
        let what = || "the jobs that changed".to_owned();
        let rows = sqlx::query(AssertSqlSafe(format!("SELECT {STATE} FROM job_state WHERE changed_seq > ? ORDER BY changed_seq LIMIT ?")))
            .bind(seq)
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .reading(what)?;
        let next = match rows.last() {
            Some(row) => row.try_get("changed_seq").reading(what)?,
            None => seq,
        };
        Ok((next, rows.iter().map(summary).collect::<Result<_>>()?))
    }

    /// Jobs whose phase is not an end, oldest first: what a new life of the server takes up again.
    pub async fn unfinished(&self) -> Result<Vec<JobRow>> {
        let what = || "the unfinished jobs".to_owned();
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT j.id, j.spec, j.author, {STATE} FROM job_state s JOIN job j ON j.num = s.job
             WHERE s.ended_at IS NULL ORDER BY s.job"
        )))
        .fetch_all(&self.readers)
        .await
        .reading(what)?;
        rows.iter().map(job_row).collect()
    }

    /// The uploads that jobs refer to as their workload.
    pub async fn uploads(&self) -> Result<Vec<String>> {
        sqlx::query_scalar("SELECT spec ->> '$.workload.upload' FROM job WHERE spec ->> '$.workload.upload' IS NOT NULL")
            .fetch_all(&self.readers)
            .await
            .reading(|| "the uploads of jobs".to_owned())
    }

    /// Notes that somebody has seen how a job ended; lists hear of it.
    pub async fn dismiss(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.write(move |tx| Box::pin(dismiss(tx, id))).await
    }

    /// Forgets a job and all that belongs to it; its samples go with the next housekeepings.
    /// Deleting an unknown job is no error.
    pub async fn delete_job(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.write(move |tx| Box::pin(delete(tx, id))).await
    }
}

async fn insert(tx: &mut Tx, job: NewJob) -> Result<i64> {
    let what = || format!("job {}", job.id);
    let seq = tx.next_seq();
    let spec = &job.spec;
    let num: i64 = sqlx::query_scalar("INSERT INTO job (id, spec, author, submitted_at, deadline_at) VALUES (?, ?, ?, ?, ?) RETURNING num")
        .bind(&job.id)
        .bind(encode(spec, what)?)
        .bind(&job.by)
        .bind(job.submitted_at)
        .bind(job.deadline_at)
        .fetch_one(&mut tx.conn)
        .await
        .writing(what)?;
    let summary = JobSummary {
        id: job.id.clone(),
        name: spec.name.clone(),
        phase: Phase::Created,
        reason: None,
        submitted_at: job.submitted_at,
        started_at: None,
        ended_at: None,
        deadline_at: job.deadline_at,
        items: Items::default(),
        replicas: ReplicaCounts::default(),
        service_p50_s: None,
        service_p95_s: None,
        foretold: None,
        untaken_since: None,
        has_output: false,
        dismissed: false,
    };
    sqlx::query("INSERT INTO job_state (job, phase, summary, changed_seq) VALUES (?, ?, ?, ?)")
        .bind(num)
        .bind(Phase::Created.word())
        .bind(encode(&summary, what)?)
        .bind(seq)
        .execute(&mut tx.conn)
        .await
        .writing(what)?;
    for (place, each) in (0_i64..).zip(&spec.loops) {
        sqlx::query("INSERT INTO control_loop (job, name, place, kind, metric, actuator) VALUES (?, ?, ?, ?, ?, ?)")
            .bind(num)
            .bind(&each.name)
            .bind(place)
            .bind(&each.controller.kind)
            .bind(&each.metric)
            .bind(&each.actuator.kind)
            .execute(&mut tx.conn)
            .await
            .writing(|| format!("loop {} of {}", each.name, job.id))?;
        tunings::insert(tx, num, &each.name, 1, &each.controller.params, &job.by, job.submitted_at).await?;
    }
    let at = job.submitted_at;
    let mark = info(at, format!("submitted by {}", job.by));
    marks::insert(tx, num, seq, std::slice::from_ref(&mark)).await?;
    let loops = tunings::read(&mut tx.conn, &job.id).await?;
    frames::tell(tx, num, seq, frames::News { at, summary, marks: vec![mark], loops: Some(loops) }).await?;
    Ok(seq)
}

async fn dismiss(tx: &mut Tx, id: String) -> Result<()> {
    let what = || format!("that the end of {id} was seen");
    let num = number(&mut tx.conn, &id).await?;
    sqlx::query("UPDATE job_state SET summary = json_set(summary, '$.dismissed', json('true')) WHERE job = ?")
        .bind(num)
        .execute(&mut tx.conn)
        .await
        .writing(what)?;
    let seq = tx.next_seq();
    touch(tx, num, seq).await?;
    Ok(())
}

async fn set_phase(tx: &mut Tx, id: String, phase: Phase, reason: Option<String>, at: i64) -> Result<i64> {
    let num = number(&mut tx.conn, &id).await?;
    let seq = tx.next_seq();
    sqlx::query(
        "UPDATE job_state SET phase = ?1, reason = ?2,
             started_at = coalesce(started_at, CASE WHEN ?3 THEN ?5 END),
             ended_at = CASE WHEN ?4 THEN coalesce(ended_at, ?5) END
         WHERE job = ?6",
    )
    .bind(phase.word())
    .bind(&reason)
    .bind(phase == Phase::Running)
    .bind(phase.ended())
    .bind(at)
    .bind(num)
    .execute(&mut tx.conn)
    .await
    .writing(|| format!("the phase of {id}"))?;
    let text = reason.map_or_else(|| phase.word().to_owned(), |reason| format!("{}: {reason}", phase.word()));
    let kind = if phase == Phase::Failed { MarkKind::Failure } else { MarkKind::Info };
    let mark = Mark { kind, ..info(at, text) };
    marks::insert(tx, num, seq, std::slice::from_ref(&mark)).await?;
    let summary = touch(tx, num, seq).await?;
    frames::tell(tx, num, seq, frames::News { at, summary, marks: vec![mark], loops: None }).await?;
    Ok(seq)
}

async fn delete(tx: &mut Tx, id: String) -> Result<()> {
    let what = || format!("the end of {id}");
    let num: Option<i64> =
        sqlx::query_scalar("DELETE FROM job WHERE id = ? RETURNING num").bind(&id).fetch_optional(&mut tx.conn).await.writing(what)?;
    let Some(num) = num else { return Ok(()) };
    tx.series.remove(&num);
    tx.next_seq();
    sqlx::query("UPDATE series SET job = NULL WHERE job = ?").bind(num).execute(&mut tx.conn).await.writing(what)?;
    Ok(())
}

async fn read(conn: &mut SqliteConnection, id: &str) -> Result<Option<JobRow>> {
    let row = sqlx::query(AssertSqlSafe(format!(
        "SELECT j.id, j.spec, j.author, {STATE} FROM job j JOIN job_state s ON s.job = j.num WHERE j.id = ?"
    )))
    .bind(id)
    .fetch_optional(conn)
    .await
    .reading(|| format!("job {id}"))?;
    row.as_ref().map(job_row).transpose()
}

/// A job's number: short, so that rows are.
pub(super) async fn number(conn: &mut SqliteConnection, id: &str) -> Result<i64> {
    let num: Option<i64> =
        sqlx::query_scalar("SELECT num FROM job WHERE id = ?").bind(id).fetch_optional(conn).await.reading(|| format!("job {id}"))?;
    num.ok_or_else(|| StoreError::UnknownJob { id: id.to_owned() })
}

/// Marks a job as changed and gives its summary as it is now.
pub(super) async fn touch(tx: &mut Tx, job: i64, seq: i64) -> Result<JobSummary> {
    let row = sqlx::query(AssertSqlSafe(format!("UPDATE job_state SET changed_seq = ? WHERE job = ? RETURNING {STATE}")))
        .bind(seq)
        .bind(job)
        .fetch_one(&mut tx.conn)
        .await
        .writing(|| format!("the change of job number {job}"))?;
    summary(&row)
}

fn info(at: i64, text: String) -> Mark {
    Mark { at, kind: MarkKind::Info, text, loop_name: None, decision: None }
}

/// The columns are the truth of the phase; the summary was written by the last tick.
fn summary(row: &SqliteRow) -> Result<JobSummary> {
    let what = || "a job's summary".to_owned();
    let word: String = row.try_get("phase").reading(what)?;
    let text: String = row.try_get("summary").reading(what)?;
    Ok(JobSummary {
        phase: Phase::from_word(&word).ok_or_else(|| StoreError::Word { what: what(), word })?,
        reason: row.try_get("reason").reading(what)?,
        started_at: row.try_get("started_at").reading(what)?,
        ended_at: row.try_get("ended_at").reading(what)?,
        ..decode(&text, what)?
    })
}

fn job_row(row: &SqliteRow) -> Result<JobRow> {
    let what = || "a job".to_owned();
    let summary = summary(row)?;
    let spec: String = row.try_get("spec").reading(what)?;
    Ok(JobRow {
        id: row.try_get("id").reading(what)?,
        spec: decode(&spec, || format!("the spec of {}", summary.id))?,
        phase: summary.phase,
        reason: summary.reason.clone(),
        submitted_at: summary.submitted_at,
        started_at: summary.started_at,
        ended_at: summary.ended_at,
        deadline_at: summary.deadline_at,
        by: row.try_get("author").reading(what)?,
        summary,
    })
}
