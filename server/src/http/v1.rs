//! The JSON API: submit, look, command, tune. Errors are always `{"errors": [{field, message}]}`.

use app::api::error::ApiError;
use app::backend::{Backend as _, JobCommand};
use app::viewer::Viewer;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use control::live::{ItemState, ItemView, JobDetail, JobSummary};
use control::plugin::{Catalog, FieldError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Web;
use super::failure::Failure;
use crate::manager::submission;
use crate::queue::{Look, Start};

/// Items of one answer, and bytes of their texts.
const ITEMS_LIMIT: u32 = 5000;
const ITEMS_BYTES: usize = 4 << 20;

pub fn routes() -> Router<Web> {
    Router::new()
        .route("/api/v1/catalog", get(catalog))
        .route("/api/v1/jobs", get(jobs).post(submit))
        .route("/api/v1/jobs/{id}", get(job).delete(delete))
        .route("/api/v1/jobs/{id}/items", get(items))
        .route("/api/v1/jobs/{id}/items/retry", post(retry))
        .route("/api/v1/jobs/{id}/loops/{name}/recording", get(recording))
        .route("/api/v1/jobs/{id}/loops/{name}/tunings", post(tune))
        .route("/api/v1/jobs/{id}/{command}", post(command))
}

/// A body that is not JSON is one clear error as well.
fn body(result: Result<Json<Value>, JsonRejection>) -> Result<Value, Box<Response>> {
    result.map(|Json(value)| value).map_err(|rejection| {
        let status = rejection.status();
        let message = match status {
            StatusCode::PAYLOAD_TOO_LARGE => format!(
                "the body is longer than {} MiB; a long list of items goes to /api/v1/uploads, and its id into workload.upload",
                super::JSON_LIMIT >> 20
            ),
            _ => rejection.body_text(),
        };
        Box::new(super::guard::refuse(status, &message))
    })
}

async fn catalog(State(web): State<Web>) -> Json<Catalog> {
    Json(web.server.catalog())
}

#[derive(Deserialize)]
struct Limit {
    #[serde(default = "hundred")]
    limit: u32,
}

fn hundred() -> u32 {
    100
}

async fn jobs(State(web): State<Web>, Query(limit): Query<Limit>) -> Result<Json<Vec<JobSummary>>, Failure> {
    Ok(Json(web.server.jobs(limit.limit.min(10_000)).await?.1))
}

async fn submit(State(web): State<Web>, Extension(viewer): Extension<Viewer>, sent: Result<Json<Value>, JsonRejection>) -> Response {
    let sent = match body(sent) {
        Ok(sent) => sent,
        Err(response) => return *response,
    };
    let submitted = match submission::parse(&sent, &web.server.manager.shared.clusters) {
        Ok(spec) => web.server.manager.submit(spec, &viewer.name).await,
        Err(errors) => Err(ApiError::Invalid { errors }),
    };
    match submitted {
        Ok(id) => (StatusCode::ACCEPTED, Json(json!({ "job_id": id }))).into_response(),
        Err(error) => Failure::from(error).into_response(),
    }
}

async fn job(State(web): State<Web>, Path(id): Path<String>) -> Result<Json<JobDetail>, Failure> {
    Ok(Json(web.server.job(&id, 1000).await?))
}

async fn delete(State(web): State<Web>, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    web.server.manager.delete(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct Page {
    state: Option<ItemState>,
    #[serde(default)]
    offset: u64,
    /// The index of the last item that was seen: the cheap way through many. Stronger than `offset`.
    after: Option<u64>,
    #[serde(default = "hundred")]
    limit: u32,
}

/// An answer may end before `limit`, when its texts are long; an empty one is the end.
async fn items(State(web): State<Web>, Path(id): Path<String>, Query(page): Query<Page>) -> Result<Json<Vec<ItemView>>, Failure> {
    let start = page.after.map_or(Start::Skip(page.offset), |index| Start::Index(index.saturating_add(1)));
    let look = Look { state: page.state, start, limit: page.limit.min(ITEMS_LIMIT), text: usize::MAX, bytes: ITEMS_BYTES };
    Ok(Json(web.server.look(&id, look).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Retry {
    /// Empty: every dead item.
    #[serde(default)]
    indexes: Vec<u64>,
}

async fn retry(State(web): State<Web>, Path(id): Path<String>, sent: Result<Json<Retry>, JsonRejection>) -> Response {
    let retry = match sent {
        Ok(Json(retry)) => retry,
        Err(rejection) => return super::guard::refuse(rejection.status(), &rejection.body_text()),
    };
    match web.server.retry_items(&id, retry.indexes).await {
        Ok(count) => Json(json!({ "retried": count })).into_response(),
        Err(error) => Failure::from(error).into_response(),
    }
}

async fn command(
    State(web): State<Web>,
    Extension(viewer): Extension<Viewer>,
    Path((id, command)): Path<(String, String)>,
) -> Result<StatusCode, Failure> {
    let command = match command.as_str() {
        "suspend" => JobCommand::Suspend,
        "resume" => JobCommand::Resume,
        "stop" => JobCommand::Stop,
        "terminate" => JobCommand::Terminate,
        "dismiss" => JobCommand::Dismiss,
        other => {
            let what = format!("the command {other}; known are suspend, resume, stop, terminate, dismiss");
            return Err(ApiError::NotFound { what }.into());
        }
    };
    web.server.command(&id, command, &viewer.name).await?;
    Ok(StatusCode::ACCEPTED)
}

/// How many bytes a recording takes in the store.
const STORED_BYTES: HeaderName = HeaderName::from_static("x-stored-bytes");

/// What a loop was told, one line of JSON for each, oldest first.
async fn recording(State(web): State<Web>, Path((id, name)): Path<(String, String)>) -> Result<Response, Failure> {
    let row = web.server.manager.row(&id).await?;
    if row.spec.loops.iter().all(|one| one.name != name) {
        return Err(ApiError::NotFound { what: format!("a loop {name} of job {id}") }.into());
    }
    let recording = web.store.recording(&id, &name).await.map_err(|error| crate::manager::internal(&error))?;
    let text: String = recording.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    let headers = [(CONTENT_TYPE, "application/jsonl; charset=utf-8".to_owned()), (STORED_BYTES, recording.stored_bytes.to_string())];
    Ok((headers, text).into_response())
}

async fn tune(
    State(web): State<Web>,
    Extension(viewer): Extension<Viewer>,
    Path((id, name)): Path<(String, String)>,
    sent: Result<Json<Value>, JsonRejection>,
) -> Response {
    let sent = match body(sent) {
        Ok(sent) => sent,
        Err(response) => return *response,
    };
    let mut errors = Vec::new();
    let base = sent.get("base_revision").and_then(Value::as_u64).and_then(|revision| u32::try_from(revision).ok());
    if base.is_none() {
        errors.push(FieldError::new("base_revision", "is missing; it is the number of the revision that you saw"));
    }
    let params = sent.get("params").filter(|params| params.is_object());
    if params.is_none() {
        errors.push(FieldError::new("params", "is missing; it is an object with the loop's parameters"));
    }
    let (Some(base), Some(params)) = (base, params) else {
        return Failure::from(ApiError::Invalid { errors }).into_response();
    };
    match web.server.tune(&id, &name, base, params.clone(), &viewer.name).await {
        Ok(revision) => (StatusCode::ACCEPTED, Json(json!({ "revision": revision }))).into_response(),
        Err(error) => Failure::from(error).into_response(),
    }
}
