//! The JSON API: submit, look, command, tune. Errors are always `{"errors": [{field, message}]}`.

use app::api::error::ApiError;
use app::backend::{Backend as _, JobCommand};
use app::viewer::Viewer;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use control::live::{ItemState, ItemView, JobDetail, JobSummary};
use control::plugin::{Catalog, FieldError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Web;
use crate::manager::submission;

pub fn routes() -> Router<Web> {
    Router::new()
        .route("/api/v1/catalog", get(catalog))
        .route("/api/v1/jobs", get(jobs).post(submit))
        .route("/api/v1/jobs/{id}", get(job).delete(delete))
        .route("/api/v1/jobs/{id}/items", get(items))
        .route("/api/v1/jobs/{id}/items/retry", post(retry))
        .route("/api/v1/jobs/{id}/loops/{name}/tunings", post(tune))
        .route("/api/v1/jobs/{id}/{command}", post(command))
}

/// An error on its way to a client.
pub struct Failure(ApiError);

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match &self.0 {
            ApiError::NotFound { .. } => StatusCode::NOT_FOUND,
            ApiError::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            ApiError::Conflict { .. } => StatusCode::CONFLICT,
            ApiError::Unauthorized => StatusCode::UNAUTHORIZED,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let errors = match self.0 {
            ApiError::Invalid { errors } => errors,
            other => vec![FieldError::new("", other.to_string())],
        };
        (status, Json(json!({ "errors": errors }))).into_response()
    }
}

/// A body that is not JSON is one clear error as well.
fn body(result: Result<Json<Value>, JsonRejection>) -> Result<Value, Box<Response>> {
    result.map(|Json(value)| value).map_err(|rejection| Box::new(super::guard::refuse(rejection.status(), &rejection.body_text())))
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
    Ok(Json(web.server.jobs(limit.limit.min(10_000)).await?))
}

async fn submit(State(web): State<Web>, Extension(viewer): Extension<Viewer>, sent: Result<Json<Value>, JsonRejection>) -> Response {
    let sent = match body(sent) {
        Ok(sent) => sent,
        Err(response) => return *response,
    };
    let submitted = match submission::parse(&sent) {
        Ok(spec) => web.server.manager.submit(spec, &viewer.name).await,
        Err(errors) => Err(ApiError::Invalid { errors }),
    };
    match submitted {
        Ok(id) => (StatusCode::ACCEPTED, Json(json!({ "job_id": id }))).into_response(),
        Err(error) => Failure(error).into_response(),
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
    #[serde(default = "hundred")]
    limit: u32,
}

async fn items(State(web): State<Web>, Path(id): Path<String>, Query(page): Query<Page>) -> Result<Json<Vec<ItemView>>, Failure> {
    Ok(Json(web.server.items(&id, page.state, page.offset, page.limit).await?))
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
        Err(error) => Failure(error).into_response(),
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
        other => {
            let what = format!("the command {other}; known are suspend, resume, stop, terminate");
            return Err(Failure(ApiError::NotFound { what }));
        }
    };
    web.server.command(&id, command, &viewer.name).await?;
    Ok(StatusCode::ACCEPTED)
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
        return Failure(ApiError::Invalid { errors }).into_response();
    };
    match web.server.tune(&id, &name, base, params.clone(), &viewer.name).await {
        Ok(revision) => (StatusCode::ACCEPTED, Json(json!({ "revision": revision }))).into_response(),
        Err(error) => Failure(error).into_response(),
    }
}
