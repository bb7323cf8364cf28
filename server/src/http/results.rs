//! What a job made: single results, all of them as a table, its series as CSV, its charts as SVG.

use app::api::error::ApiError;
use app::backend::Backend as _;
use app::chart::kinds::of_detail;
use app::chart::{ChartKind, Theme, svg};
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use control::live::ItemState;
use serde::Deserialize;

use super::Web;
use super::v1::Failure;
use crate::clock::now_ms;

/// One result as it was published. Workers are programs of users: nothing they write may run as a page here.
pub async fn result(State(web): State<Web>, Path((id, index)): Path<(String, u64)>) -> Result<Response, Failure> {
    web.server.manager.row(&id).await?;
    let queue = web.server.manager.queue(&id)?;
    let found = queue.result(index).map_err(|error| crate::manager::internal(&error))?;
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

/// Items with their results, one line each: index, state, item, result (binary results by their size).
pub async fn table(State(web): State<Web>, Path(id): Path<String>) -> Result<Response, Failure> {
    web.server.manager.row(&id).await?;
    let queue = web.server.manager.queue(&id)?;
    let total = queue.counts().total;
    // Streamed in lots: two million lines do not fit into one string.
    let lots = (0..total.div_ceil(1000)).map(move |lot| {
        let mut text = String::new();
        for item in queue.items(None, lot * 1000, 1000) {
            let result = match item.state {
                ItemState::Done => queue.result(item.index).ok().flatten(),
                _ => None,
            };
            let shown = match &result {
                Some(bytes) => match std::str::from_utf8(bytes) {
                    Ok(text) => text.trim_end().replace(['\t', '\n', '\r'], " "),
                    Err(_) => format!("{} bytes", bytes.len()),
                },
                None => item.error.clone().unwrap_or_default().replace(['\t', '\n', '\r'], " "),
            };
            let state = serde_json::to_value(item.state).ok().and_then(|state| state.as_str().map(str::to_owned)).unwrap_or_default();
            text.push_str(&format!("{}\t{state}\t{}\t{shown}\n", item.index, item.item.replace('\t', " ")));
        }
        Ok::<_, std::convert::Infallible>(text)
    });
    let headers = [
        (CONTENT_TYPE, "text/tab-separated-values; charset=utf-8".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{id}-results.tsv\"")),
    ];
    Ok((headers, Body::from_stream(futures::stream::iter(lots))).into_response())
}

#[derive(Deserialize)]
pub struct Range {
    from: Option<i64>,
    to: Option<i64>,
    #[serde(default = "wide")]
    width: u32,
}

fn wide() -> u32 {
    4000
}

/// All series: time in ms since 1970, name, minimum, maximum and last value of each bucket.
pub async fn series(State(web): State<Web>, Path(id): Path<String>, Query(range): Query<Range>) -> Result<Response, Failure> {
    let row = web.server.manager.row(&id).await?;
    let from = range.from.unwrap_or(row.started_at.unwrap_or(row.submitted_at));
    let to = range.to.unwrap_or_else(|| row.ended_at.unwrap_or_else(now_ms));
    let all = web.server.series(&id, from, to.max(from + 1), range.width.clamp(1, 100_000)).await?;
    let mut text = "at_ms,series,min,max,last\n".to_owned();
    for one in all {
        for point in one.points {
            text.push_str(&format!("{},{},{},{},{}\n", point.at, one.name, point.min, point.max, point.last));
        }
    }
    let headers =
        [(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, format!("attachment; filename=\"{id}-series.csv\""))];
    Ok((headers, text).into_response())
}

/// A chart as it is on the page, for export.
pub async fn chart(
    State(web): State<Web>,
    Path((id, name)): Path<(String, String)>,
    Query(look): Query<Look>,
) -> Result<Response, Failure> {
    let detail = web.server.job(&id, 1000).await?;
    let known = || ApiError::NotFound { what: format!("chart {name}; known are progress.svg, replicas.svg, cpu.svg, error.svg") };
    let kind = name.strip_suffix(".svg").and_then(ChartKind::from_word).ok_or_else(known)?;
    let chart = of_detail(kind, &detail, now_ms(), 0);
    let svg = svg(&chart, (980, kind.height()), Theme::from_word(&look.theme));
    Ok(([(CONTENT_TYPE, "image/svg+xml"), (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; sandbox")], svg)
        .into_response())
}

#[derive(Deserialize)]
pub struct Look {
    /// `light`, `dark`, or as the reader's system is.
    #[serde(default)]
    theme: String,
}
