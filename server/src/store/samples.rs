//! Samples in three tiers (second, minute, hour), all written with every tick, and read back
//! decimated so that no peak is lost.

use control::live::{Point, Series};
use sqlx::{AssertSqlSafe, QueryBuilder, Sqlite, SqliteConnection};

use super::error::{During, Result, encode};
use super::{Store, Tx};

/// Rows of one INSERT at most; each row count is a prepared statement of its own.
const ROWS: usize = 24;
/// Buckets of one answer at most, whatever was asked: more than a day by the second, for exports.
const WIDEST: i64 = 100_000;
/// A coarser tier is taken when its step is at most this many buckets: a point every third pixel,
/// with its minimum and maximum, looks the same and is sixty times less to read.
const COARSER: i64 = 3;
/// Buckets of up to so many steps are made from all rows, larger ones by the database.
const FEW: i64 = 4;

/// A tier: its table, its step in milliseconds, and its columns of minimum, maximum and last.
struct Tier {
    table: &'static str,
    step_ms: i64,
    min: &'static str,
    max: &'static str,
    last: &'static str,
}

const SECOND: Tier = Tier { table: "sample_second", step_ms: 1_000, min: "value", max: "value", last: "value" };
const MINUTE: Tier = Tier { table: "sample_minute", step_ms: 60_000, min: "min", max: "max", last: "last" };
const HOUR: Tier = Tier { table: "sample_hour", step_ms: 3_600_000, min: "min", max: "max", last: "last" };

impl Store {
    /// Series of a job between two moments (milliseconds since 1970, `to` included), each with at
    /// most `width` points that keep minimum, maximum and last. No `names` means all. Buckets lie on
    /// a fixed grid, so that points do not dance when the window moves; the first and the last one
    /// may reach beyond the window. Series without a sample there are left out.
    pub async fn series(&self, job: &str, names: &[String], from: i64, to: i64, width: u32) -> Result<Vec<Series>> {
        let mut conn = self.readers.acquire().await.reading(|| format!("the series of {job}"))?;
        read(&mut conn, job, names, from, to, width).await
    }
}

/// How a window is cut into buckets, in steps of a tier.
struct Cut {
    tier: &'static Tier,
    /// First step of the first bucket.
    first: i64,
    /// Steps in a bucket.
    steps: i64,
    buckets: i64,
}

impl Cut {
    fn of(from: i64, to: i64, width: u32) -> Cut {
        let width = i64::from(width).clamp(2, WIDEST);
        let bucket_ms = to.saturating_sub(from).max(0) / width;
        let tier = [&HOUR, &MINUTE].into_iter().find(|tier| tier.step_ms <= COARSER.saturating_mul(bucket_ms)).unwrap_or(&SECOND);
        let (low, high) = (from.div_euclid(tier.step_ms), to.max(from).div_euclid(tier.step_ms));
        let count = high - low + 1;
        // One bucket is kept in reserve: on the grid, a window can touch one more.
        let steps = if count <= width { 1 } else { (count + width - 2) / (width - 1) };
        let first = low.div_euclid(steps) * steps;
        Cut { tier, first, steps, buckets: (high - first) / steps + 1 }
    }
}

/// Name, bucket, minimum, maximum and last; the values are NULL in an empty bucket.
type Cell = (String, i64, Option<f64>, Option<f64>, Option<f64>);

/// The job and the names that were asked for.
const CHOSEN: &str = "s.job = (SELECT num FROM job WHERE id = ?4)
    AND (?5 = '[]' OR s.name IN (SELECT value FROM json_each(?5)))";

pub(super) async fn read(conn: &mut SqliteConnection, job: &str, names: &[String], from: i64, to: i64, width: u32) -> Result<Vec<Series>> {
    let what = || format!("the series of {job}");
    let cut = Cut::of(from, to, width);
    let sql = if cut.steps <= FEW { every_step(cut.tier) } else { every_bucket(cut.tier) };
    let cells: Vec<Cell> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(cut.first)
        .bind(cut.steps)
        .bind(cut.buckets)
        .bind(job)
        .bind(encode(&names, what)?)
        .fetch_all(conn)
        .await
        .reading(what)?;
    let mut found: Vec<Series> = Vec::new();
    for cell in cells {
        let (name, n, Some(min), Some(max), Some(last)) = cell else { continue };
        let at = (cut.first + n * cut.steps) * cut.tier.step_ms;
        if found.last().is_none_or(|series| series.name != name) {
            found.push(Series { name, points: Vec::new() });
        }
        let Some(Series { points, .. }) = found.last_mut() else { continue };
        match points.last_mut() {
            Some(point) if point.at == at => {
                *point = Point { at, min: min.min(point.min), max: max.max(point.max), last };
            }
            _ => points.push(Point { at, min, max, last }),
        }
    }
    Ok(found)
}

/// One walk along the key, every row: for buckets of few steps.
fn every_step(Tier { table, min, max, last, .. }: &Tier) -> String {
    format!(
        "SELECT s.name, (v.at - ?1) / ?2, v.{min}, v.{max}, v.{last}
         FROM series s CROSS JOIN {table} v ON v.series = s.id AND v.at >= ?1 AND v.at < ?1 + ?2 * ?3
         WHERE {CHOSEN} ORDER BY s.name, v.at"
    )
}

/// Three walks for each bucket and one row as their answer: no sorting, which a GROUP BY would need,
/// and few rows to hand over, which is the dear part.
fn every_bucket(Tier { table, min, max, last, .. }: &Tier) -> String {
    let inside = "series = s.id AND at >= ?1 + b.n * ?2 AND at < ?1 + (b.n + 1) * ?2";
    format!(
        "WITH RECURSIVE bucket (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM bucket WHERE n + 1 < ?3)
         SELECT s.name, b.n,
                (SELECT min({min}) FROM {table} WHERE {inside}),
                (SELECT max({max}) FROM {table} WHERE {inside}),
                (SELECT {last} FROM {table} WHERE {inside} ORDER BY at DESC LIMIT 1)
         FROM series s CROSS JOIN bucket b WHERE {CHOSEN} ORDER BY s.name, b.n"
    )
}

/// Writes one value of each series into every tier. Values must be finite.
pub(super) async fn insert(tx: &mut Tx, job: i64, at: i64, samples: &[(String, f64)]) -> Result<()> {
    let mut rows = Vec::with_capacity(samples.len());
    for (name, value) in samples {
        rows.push((series_id(tx, job, name).await?, at, *value));
    }
    insert_rows(tx, &rows).await
}

/// Rows are series id, milliseconds since 1970 and value.
pub(super) async fn insert_rows(tx: &mut Tx, rows: &[(i64, i64, f64)]) -> Result<()> {
    for rows in rows.chunks(ROWS) {
        let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO sample_second (series, at, value) ");
        insert.push_values(rows, |mut row, &(series, at, value)| {
            row.push_bind(series).push_bind(at.div_euclid(SECOND.step_ms)).push_bind(value);
        });
        insert.push(" ON CONFLICT DO UPDATE SET value = excluded.value");
        insert.build().execute(&mut tx.conn).await.writing(|| "samples by the second".to_owned())?;
        for tier in [&MINUTE, &HOUR] {
            let mut upsert = QueryBuilder::<Sqlite>::new("INSERT INTO ");
            upsert.push(tier.table).push(" (series, at, min, max, sum, n, last) ");
            upsert.push_values(rows, |mut row, &(series, at, value)| {
                row.push_bind(series).push_bind(at.div_euclid(tier.step_ms));
                row.push_bind(value).push_bind(value).push_bind(value).push("1").push_bind(value);
            });
            upsert.push(
                " ON CONFLICT DO UPDATE SET min = min(min, excluded.min), max = max(max, excluded.max),
                  sum = sum + excluded.sum, n = n + 1, last = excluded.last",
            );
            upsert.build().execute(&mut tx.conn).await.writing(|| format!("samples into {}", tier.table))?;
        }
    }
    Ok(())
}

pub(super) async fn series_id(tx: &mut Tx, job: i64, name: &str) -> Result<i64> {
    if let Some(id) = tx.series.get(&job).and_then(|names| names.get(name)) {
        return Ok(*id);
    }
    let id: i64 = sqlx::query_scalar(
        // The update changes nothing; without it an old row would not be returned.
        "INSERT INTO series (job, name) VALUES (?, ?) ON CONFLICT DO UPDATE SET name = excluded.name RETURNING id",
    )
    .bind(job)
    .bind(name)
    .fetch_one(&mut tx.conn)
    .await
    .writing(|| format!("the series {name}"))?;
    tx.series.entry(job).or_default().insert(name.to_owned(), id);
    Ok(id)
}
