//! Tunings: every revision of a loop's parameters, by whom and when, and what the laws remember.

use std::collections::{BTreeMap, BTreeSet};

use control::live::{LoopView, Mark, MarkKind};
use serde_json::Value;
use sqlx::{Row, SqliteConnection};

use super::error::{During, Result, StoreError, decode, encode};
use super::{Store, Tx, frames, jobs, marks};

/// Somebody else tuned the loop first; this is what runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    pub current: LoopView,
}

impl Store {
    /// Appends a revision if `base_revision` is still the newest. It becomes a mark and a frame
    /// at once. `params` must have been checked; the same values as now make no revision, and are answered with what runs.
    pub async fn add_tuning(
        &self,
        job: &str,
        loop_name: &str,
        base_revision: u32,
        params: Value,
        author: &str,
        at: i64,
    ) -> Result<std::result::Result<LoopView, Conflict>> {
        let tuning = Tuning { job: job.to_owned(), loop_name: loop_name.to_owned(), base_revision, params, author: author.to_owned(), at };
        self.write(move |tx| Box::pin(append(tx, tuning))).await
    }

    /// The loops of a job in the order of its spec, each with the tuning that runs now.
    pub async fn loops(&self, job: &str) -> Result<Vec<LoopView>> {
        let mut conn = self.readers.acquire().await.reading(|| format!("the loops of {job}"))?;
        read(&mut conn, job).await
    }

    /// What the laws of a job remember, by loop; loops that never decided are left out.
    pub async fn memories(&self, job: &str) -> Result<BTreeMap<String, Value>> {
        let what = || format!("the memories of {job}");
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT name, memory FROM control_loop
             WHERE job = (SELECT num FROM job WHERE id = ?) AND memory IS NOT NULL",
        )
        .bind(job)
        .fetch_all(&self.readers)
        .await
        .reading(what)?;
        rows.into_iter().map(|(name, memory)| Ok((name, decode(&memory, what)?))).collect()
    }
}

struct Tuning {
    job: String,
    loop_name: String,
    base_revision: u32,
    params: Value,
    author: String,
    at: i64,
}

async fn append(tx: &mut Tx, tuning: Tuning) -> Result<std::result::Result<LoopView, Conflict>> {
    let Tuning { job, loop_name, base_revision, params, author, at } = tuning;
    let num = jobs::number(&mut tx.conn, &job).await?;
    let Some(current) = read(&mut tx.conn, &job).await?.into_iter().find(|view| view.name == loop_name) else {
        return Err(StoreError::UnknownLoop { job, loop_name });
    };
    if current.revision != base_revision {
        return Ok(Err(Conflict { current }));
    }
    let changes = in_words(&current.params, &params);
    if changes.is_empty() {
        return Ok(Ok(current));
    }
    insert(tx, num, &loop_name, current.revision + 1, &params, &author, at).await?;
    let mark =
        Mark { at, kind: MarkKind::Tuned, text: format!("{changes}, by {author}"), loop_name: Some(loop_name.clone()), decision: None };
    let loops = read(&mut tx.conn, &job).await?;
    let tuned = loops.iter().find(|view| view.name == loop_name).cloned().ok_or(StoreError::UnknownLoop { job, loop_name })?;
    let seq = tx.next_seq();
    marks::insert(tx, num, seq, std::slice::from_ref(&mark)).await?;
    let summary = jobs::touch(tx, num, seq).await?;
    frames::tell(tx, num, seq, frames::News { at, summary, marks: vec![mark], loops: Some(loops) }).await?;
    Ok(Ok(tuned))
}

pub(super) async fn insert(tx: &mut Tx, job: i64, loop_name: &str, revision: u32, params: &Value, author: &str, at: i64) -> Result<()> {
    let what = || format!("revision {revision} of loop {loop_name}");
    sqlx::query("INSERT INTO tuning (job, loop_name, revision, params, author, tuned_at) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(job)
        .bind(loop_name)
        .bind(revision)
        .bind(encode(params, what)?)
        .bind(author)
        .bind(at)
        .execute(&mut tx.conn)
        .await
        .writing(what)?;
    Ok(())
}

pub(super) async fn read(conn: &mut SqliteConnection, job: &str) -> Result<Vec<LoopView>> {
    let what = || format!("the loops of {job}");
    let rows = sqlx::query(
        "SELECT l.name, l.kind, l.metric, l.actuator, t.revision, t.params, t.author, t.tuned_at
         FROM control_loop l
         JOIN tuning t ON t.job = l.job AND t.loop_name = l.name AND t.revision =
              (SELECT max(n.revision) FROM tuning n WHERE n.job = l.job AND n.loop_name = l.name)
         WHERE l.job = (SELECT num FROM job WHERE id = ?) ORDER BY l.place",
    )
    .bind(job)
    .fetch_all(&mut *conn)
    .await
    .reading(what)?;
    let mut histories: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let all: Vec<(String, String)> =
        sqlx::query_as("SELECT loop_name, params FROM tuning WHERE job = (SELECT num FROM job WHERE id = ?) ORDER BY loop_name, revision")
            .bind(job)
            .fetch_all(conn)
            .await
            .reading(what)?;
    for (name, params) in all {
        histories.entry(name).or_default().push(decode(&params, what)?);
    }
    rows.iter()
        .map(|row| {
            let params: String = row.try_get("params").reading(what)?;
            let name: String = row.try_get("name").reading(what)?;
            Ok(LoopView {
                previous: histories.remove(&name).and_then(before),
                name,
                kind: row.try_get("kind").reading(what)?,
                metric: row.try_get("metric").reading(what)?,
                actuator: row.try_get("actuator").reading(what)?,
                revision: row.try_get("revision").reading(what)?,
                params: decode(&params, what)?,
                author: row.try_get("author").reading(what)?,
                tuned_at: row.try_get("tuned_at").reading(what)?,
            })
        })
        .collect()
}

/// What undo brings back, given every revision's values, oldest first: the newest that was not undone itself.
///
/// A revision that returns to the values before the newest that stands undoes it, whether somebody pressed a button or
/// typed them; so 40 → 60 → 80 → 60 → 40 leads back step by step, and then there is nothing to undo.
fn before(history: Vec<Value>) -> Option<Value> {
    let mut standing: Vec<Value> = Vec::new();
    for params in history {
        let same = |depth: usize| standing.iter().rev().nth(depth).is_some_and(|one| in_words(one, &params).is_empty());
        if same(1) {
            standing.pop();
        } else if !same(0) {
            standing.push(params);
        }
    }
    standing.into_iter().rev().nth(1)
}

/// `guards.cooldown_s 30 → 60, proportional_gain 1 → 2`, by name; empty when nothing differs.
fn in_words(before: &Value, after: &Value) -> String {
    let mut changes = Vec::new();
    collect("", Some(before), Some(after), &mut changes);
    changes.join(", ")
}

fn collect(path: &str, before: Option<&Value>, after: Option<&Value>, changes: &mut Vec<String>) {
    if before == after {
        return;
    }
    let inside = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if let (Some(Value::Object(old)), Some(Value::Object(new))) = (before, after) {
        for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            collect(&inside(name), old.get(name), new.get(name), changes);
        }
        return;
    }
    let word = |value: Option<&Value>| match value {
        None => "unset".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.as_f64().map_or_else(|| number.to_string(), |number| number.to_string()),
        Some(other) => other.to_string(),
    };
    // 1 and 1.0 are two values to JSON and one to people.
    let (old, new) = (word(before), word(after));
    if old != new {
        changes.push(format!("{path} {old} → {new}").trim_start().to_owned());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::before;

    fn undo(history: &[i32]) -> Option<i64> {
        before(history.iter().map(|gain| json!({ "gain": gain })).collect())?["gain"].as_i64()
    }

    #[test]
    fn undo_leads_back_step_by_step() {
        assert_eq!(undo(&[40]), None);
        assert_eq!(undo(&[40, 60, 80]), Some(60));
        assert_eq!(undo(&[40, 60, 80, 60]), Some(40));
        assert_eq!(undo(&[40, 60, 80, 60, 40]), None);
        assert_eq!(undo(&[40, 60, 80, 60, 90]), Some(60), "what was undone is not brought back");
        assert_eq!(undo(&[40, 60, 60, 60]), Some(40), "revisions without a change hide nothing");
    }
}
