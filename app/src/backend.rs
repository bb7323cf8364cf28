//! The doorway to the server: what pages may ask of it. The server implements it and puts it into context.
//! `app` knows neither SQL nor processes, so pages render against a fake in tests.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use axum::{
    extract::Query,
    http::{
        HeaderValue, Method, StatusCode, Uri,
        header::{ACCEPT, LOCATION, REFERER},
        request::Parts,
    },
};
use control::{
    live::{ItemState, ItemView, JobDetail, JobSummary},
    plugin::Catalog,
};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use serde_json::Value;

pub use crate::api::{
    error::ApiError,
    jobs::JobCommand,
    logs::{LogChunk, LogStream},
};
use crate::{
    api::{
        jobs::Refused,
        results::{ResultView, ResultsPage, SHOWN, TILES, is_picture},
        what_if::WhatIfPage,
    },
    viewer::Viewer,
};

/// Everything that pages and server functions need of the server.
#[async_trait]
pub trait Backend: Send + Sync {
    /// All kinds of plugins, for forms.
    fn catalog(&self) -> Catalog;
    /// The names of the metrics that each kind of monitor publishes.
    fn metrics(&self) -> Vec<(String, Vec<String>)>;
    /// Newest first, and the place in the live stream after which their changes come.
    async fn jobs(&self, limit: u32) -> Result<(i64, Vec<JobSummary>), ApiError>;
    /// One job with its series decimated to `width` points each.
    async fn job(&self, id: &str, width: u32) -> Result<JobDetail, ApiError>;
    async fn command(&self, id: &str, command: JobCommand, by: &str) -> Result<(), ApiError>;
    /// Appends a tuning and returns its revision; `Conflict` when `base_revision` is not the newest.
    async fn tune(&self, id: &str, loop_name: &str, base_revision: u32, params: Value, by: &str) -> Result<u32, ApiError>;
    async fn items(&self, id: &str, state: Option<ItemState>, offset: u64, limit: u32) -> Result<Vec<ItemView>, ApiError>;
    /// How the results of these items begin; `None` where the result is no text.
    async fn excerpts(&self, id: &str, indexes: &[u64]) -> Result<Vec<Option<String>>, ApiError>;
    /// What the results page shows: all tiles, or some rows in workload order from `from` on.
    async fn results(&self, id: &str, from: u64) -> Result<ResultsPage, ApiError> {
        let done = Some(ItemState::Done);
        let first = self.items(id, done, from, SHOWN).await?;
        if first.iter().any(is_picture) {
            let tiles = self.items(id, done, 0, TILES).await?;
            return Ok(ResultsPage { tiles, rows: Vec::new() });
        }
        if first.is_empty() {
            return Ok(ResultsPage::default());
        }
        let indexes: Vec<u64> = first.iter().map(|item| item.index).collect();
        let starts = self.excerpts(id, &indexes).await?;
        let rows = first.into_iter().zip(starts).map(|(item, starts)| ResultView { item, starts }).collect();
        Ok(ResultsPage { tiles: Vec::new(), rows })
    }
    /// The job's course simulated, as it was and as it was asked.
    async fn what_if(&self, id: &str, asked: BTreeMap<String, String>) -> Result<WhatIfPage, ApiError>;
    /// Gives dead items another life; no indexes mean every dead item. Returns how many.
    async fn retry_items(&self, id: &str, indexes: Vec<u64>) -> Result<u64, ApiError>;
    /// A piece of a replica's output; `None` means its last 64 KiB.
    async fn replica_log(&self, id: &str, replica: &str, stream: LogStream, from: Option<u64>) -> Result<LogChunk, ApiError>;
}

/// The backend and the person who asks; every server function starts with this.
pub(crate) fn signed_in() -> Result<(Arc<dyn Backend>, Viewer), ApiError> {
    let viewer = use_context::<Viewer>().ok_or(ApiError::Unauthorized)?;
    let backend = use_context::<Arc<dyn Backend>>().ok_or_else(|| ApiError::Internal { message: "The server is not ready.".to_owned() })?;
    Ok((backend, viewer))
}

/// A replica's log from the stream that was asked for; with none, from stdout, or from stderr while only that has anything.
pub(crate) async fn log(
    backend: &dyn Backend,
    id: &str,
    replica: &str,
    stream: Option<LogStream>,
    from: Option<u64>,
) -> Result<(LogStream, LogChunk), ApiError> {
    let first = stream.unwrap_or(LogStream::Stdout);
    let chunk = backend.replica_log(id, replica, first, from).await?;
    if stream.is_none() && chunk.text.is_empty() {
        let other = backend.replica_log(id, replica, LogStream::Stderr, from).await?;
        if !other.text.is_empty() {
            return Ok((LogStream::Stderr, other));
        }
    }
    Ok((first, chunk))
}

/// Gives an error its HTTP status. A form that was posted without WebAssembly is left alone:
/// its answer is a redirect back to the page, and a status would turn that into bare JSON.
pub(crate) fn answer<T>(result: Result<T, ApiError>) -> Result<T, ApiError> {
    if let (Err(error), Some(response)) = (&result, use_context::<ResponseOptions>())
        && !use_context::<Parts>().is_some_and(|parts| plain_form(&parts))
    {
        response.set_status(status(error));
    }
    result
}

fn plain_form(parts: &Parts) -> bool {
    parts.method == Method::POST && parts.headers.get(ACCEPT).is_some_and(|accept| accept.as_bytes().windows(9).any(|w| w == b"text/html"))
}

/// The same for what a form on a job's page sends: the way back to that page carries why it was refused and what was
/// typed (of which loop), and no longer what was refused before.
pub(crate) fn answer_form<T>(
    path: &str,
    (loop_name, typed): (String, BTreeMap<String, String>),
    result: Result<T, ApiError>,
) -> Result<T, ApiError> {
    if let (Some(response), Some(parts)) = (use_context::<ResponseOptions>(), use_context::<Parts>())
        && plain_form(&parts)
        && let Some(from) = parts.headers.get(REFERER).and_then(|from| from.to_str().ok()?.parse::<Uri>().ok())
    {
        let refused = result.as_ref().err().map(|error| Refused { path: path.to_owned(), error: error.clone(), loop_name, typed });
        if let Ok(back) = HeaderValue::from_str(&way_back(&from, refused.as_ref())) {
            response.insert_header(LOCATION, back);
        }
    }
    answer(result)
}

/// In the query of a page: what was refused.
const REFUSED: &str = "refused";

fn way_back(from: &Uri, refused: Option<&Refused>) -> String {
    let others = from
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && pair.split_once('=').is_none_or(|(name, _)| name != REFUSED));
    let refused = refused.and_then(|refused| serde_json::to_string(refused).ok());
    let refused = refused.map(|text| format!("{REFUSED}={}", crate::jobs::search::encoded(&text)));
    let query = others.map(str::to_owned).chain(refused).collect::<Vec<_>>().join("&");
    format!("{}{}{query}", from.path(), if query.is_empty() { "" } else { "?" })
}

/// What was refused on the way to the page that is drawn now.
pub(crate) fn refused() -> Option<Refused> {
    let parts = use_context::<Parts>()?;
    let Query(query) = Query::<BTreeMap<String, String>>::try_from_uri(&parts.uri).ok()?;
    serde_json::from_str(query.get(REFUSED)?).ok()
}

/// The HTTP status of an error, for pages and scripts alike.
pub fn status(error: &ApiError) -> StatusCode {
    match error {
        ApiError::NotFound { .. } => StatusCode::NOT_FOUND,
        ApiError::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        ApiError::Conflict { .. } => StatusCode::CONFLICT,
        ApiError::Unauthorized => StatusCode::UNAUTHORIZED,
        ApiError::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Milliseconds since 1970 by the server's clock; sent along so that the browser counts from the same moment.
pub(crate) fn clock() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_carries_what_was_refused_and_forgets_it_again() {
        let error = ApiError::Conflict { message: "Bob was faster & you < he".to_owned() };
        let typed = BTreeMap::from([("kp".to_owned(), "-1".to_owned())]);
        let refused = Refused { path: "/api/fn/tune".to_owned(), error, loop_name: "main".to_owned(), typed };
        let from: Uri = "http://localhost/jobs/kj-1?tab=live".parse().expect("an address");
        let back: Uri = way_back(&from, Some(&refused)).parse().expect("an address");
        let Query(query) = Query::<BTreeMap<String, String>>::try_from_uri(&back).expect("a query");
        assert_eq!((back.path(), query["tab"].as_str()), ("/jobs/kj-1", "live"));
        assert_eq!(serde_json::from_str::<Refused>(&query[REFUSED]).expect("what was refused"), refused);
        assert_eq!(way_back(&back, None), "/jobs/kj-1?tab=live");
    }
}
