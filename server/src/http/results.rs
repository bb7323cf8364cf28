//! What a job made: single results, all of them as a table, its series as CSV, its charts as SVG.

use app::api::error::ApiError;
use app::backend::Backend as _;
use app::chart::columns::{PLAN, columns, plan};
use app::chart::kinds::{Facts, build, by_name};
use app::chart::{ChartKind, Theme, svg, titled};
use axum::BoxError;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use control::live::{ItemState, JobSummary, Point, Series};
use futures::StreamExt as _;
use serde::Deserialize;

use super::Web;
use super::failure::Failure;
use crate::clock::now_ms;
use crate::queue::{Look, Queue, QueueError, Start};

/// Bytes of a table that are made at once.
const PIECE: usize = 256 << 10;

/// One result as it was published. Workers are programs of users: nothing they write may run as a page here.
pub async fn result(State(web): State<Web>, Path((id, index)): Path<(String, u64)>) -> Result<Response, Failure> {
    let queue = web.server.manager.queue(&web.server.manager.row(&id).await?).await?;
    let found = queue.result(index).map_err(|error| crate::manager::failed(&error))?;
    let bytes = found.ok_or_else(|| ApiError::NotFound { what: format!("a result of item {index} of job {id}") })?;
    let kind = match bytes.as_ref() {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        text if std::str::from_utf8(text).is_ok() => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    };
    let headers =
        [(CONTENT_TYPE, kind), (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"), (CACHE_CONTROL, "private, max-age=3600")];
    Ok((headers, bytes).into_response())
}

/// One line an item, after a line with the names of the columns. Text stands in the line; where the result is a
/// picture or other bytes, its size does, and its path is in the last column.
pub async fn table(State(web): State<Web>, Path(id): Path<String>) -> Result<Response, Failure> {
    let queue = web.server.manager.queue(&web.server.manager.row(&id).await?).await?;
    let headers = [
        (CONTENT_TYPE, "text/tab-separated-values; charset=utf-8".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{id}-results.tsv\"")),
    ];
    // Streamed piece by piece: two million lines do not fit into one string.
    let head = futures::stream::once(async { Ok("index\tstate\titem\tresult\tpath\n".to_owned()) });
    let lines = futures::stream::try_unfold((queue, id, 0), |(queue, id, from)| async move {
        // Results are read from disk.
        let piece = tokio::task::spawn_blocking(move || piece(&queue, &id, from).map(|(text, next)| (text, (queue, id, next))));
        match piece.await? {
            Ok((text, next)) => Ok::<_, BoxError>((!text.is_empty()).then_some((text, next))),
            Err(error) => Err(error.into()),
        }
    });
    Ok((headers, Body::from_stream(head.chain(lines))).into_response())
}

/// Lines from an item on, and the item to go on with; no text when there are no more.
fn piece(queue: &Queue, id: &str, mut from: u64) -> Result<(String, u64), QueueError> {
    let mut text = String::new();
    for item in queue.look(Look { state: None, start: Start::Index(from), limit: 1000, text: usize::MAX, bytes: PIECE }) {
        let (shown, path) = match (item.state, item.result_bytes, item.result_type.as_deref()) {
            (ItemState::Done, Some(_), Some("text/plain" | "application/json" | "image/svg+xml")) => {
                (one_line(String::from_utf8_lossy(&queue.result(item.index)?.unwrap_or_default()).trim_end()), String::new())
            }
            (ItemState::Done, Some(bytes), _) => (format!("{bytes} bytes"), format!("/jobs/{id}/results/{}", item.index)),
            _ => (one_line(item.error.unwrap_or_default().trim_end()), String::new()),
        };
        let state = serde_json::to_value(item.state).ok().and_then(|state| state.as_str().map(str::to_owned)).unwrap_or_default();
        text.push_str(&format!("{}\t{state}\t{}\t{shown}\t{path}\n", item.index, one_line(&item.item)));
        from = item.index + 1;
        if PIECE < text.len() {
            break;
        }
    }
    Ok((text, from))
}

/// What would end a column or a line becomes a space.
fn one_line(text: &str) -> String {
    text.replace(['\t', '\n', '\r'], " ")
}

#[derive(Deserialize)]
pub struct Range {
    from: Option<i64>,
    to: Option<i64>,
    #[serde(default = "wide")]
    width: u32,
    /// Only what this chart shows.
    chart: Option<String>,
}

fn wide() -> u32 {
    4000
}

/// The even pace at the moments of what is done: drawn, and therefore told, though nobody measures it.
fn even_pace(summary: &JobSummary, all: &[Series]) -> Option<Series> {
    let done = all.iter().find(|one| one.name == "done")?;
    let point = |at: i64| {
        let last = plan(summary, at);
        Point { at, min: last, max: last, last }
    };
    Some(Series { name: PLAN.to_owned(), points: done.points.iter().map(|done| point(done.at)).collect() })
}

/// All series: time in ms since 1970, name, minimum, maximum and last value of each bucket.
pub async fn series(State(web): State<Web>, Path(id): Path<String>, Query(range): Query<Range>) -> Result<Response, Failure> {
    let row = web.server.manager.row(&id).await?;
    let from = range.from.unwrap_or(row.started_at.unwrap_or(row.submitted_at));
    let to = range.to.unwrap_or_else(|| row.ended_at.unwrap_or_else(now_ms));
    let mut all = web.server.series(&id, from, to.max(from + 1), range.width.clamp(1, 100_000)).await?;
    if let Some(word) = &range.chart {
        let kind = ChartKind::from_word(word).ok_or_else(|| ApiError::NotFound { what: format!("chart {word}") })?;
        let wanted = columns(kind, &row.spec, &by_name(&all));
        all.retain(|one| wanted.iter().any(|column| column.series == one.name));
        if kind == ChartKind::Progress {
            all.extend(even_pace(&web.server.job(&id, 1).await?.summary, &all));
        }
    }
    let of = range.chart.unwrap_or_else(|| "series".to_owned());
    let mut text = "at_ms,series,min,max,last\n".to_owned();
    for one in all {
        for point in one.points {
            text.push_str(&format!("{},{},{},{},{}\n", point.at, one.name, point.min, point.max, point.last));
        }
    }
    let headers =
        [(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, format!("attachment; filename=\"{id}-{of}.csv\""))];
    Ok((headers, text).into_response())
}

/// A chart as it is on the page, for export.
pub async fn chart(
    State(web): State<Web>,
    Path((id, name)): Path<(String, String)>,
    Query(look): Query<ChartLook>,
) -> Result<Response, Failure> {
    let detail = web.server.job(&id, 1000).await?;
    let known = || ApiError::NotFound { what: format!("chart {name}; known are progress.svg, replicas.svg, cpu.svg, error.svg") };
    let kind = name.strip_suffix(".svg").and_then(ChartKind::from_word).ok_or_else(known)?;
    let series = by_name(&detail.series);
    let facts = Facts::of(&detail, &series, now_ms(), look.zone.clamp(-1440, 1440));
    let (width, theme) = (look.width.clamp(200, 4000), Theme::from_word(&look.theme));
    let svg = if look.title { titled(kind, &facts, width, theme) } else { svg(&build(kind, &facts), (width, kind.height()), theme) };
    Ok(([(CONTENT_TYPE, "image/svg+xml"), (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; sandbox")], svg)
        .into_response())
}

#[derive(Deserialize)]
pub struct ChartLook {
    /// `light`, `dark`, or as the reader's system is.
    #[serde(default)]
    theme: String,
    /// CSS pixels.
    #[serde(default = "usual")]
    width: u32,
    /// Minutes east of UTC.
    #[serde(default)]
    zone: i32,
    /// With title and legend, so that it can stand alone.
    #[serde(default)]
    title: bool,
}

fn usual() -> u32 {
    980
}
