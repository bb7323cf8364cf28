//! What a page does to a job by a plain form, where the answer is another page.

use app::api::error::ApiError;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};

use super::Web;
use super::failure::Failure;

/// Removes an ended job and goes back to the list.
pub async fn delete(State(web): State<Web>, Path(id): Path<String>) -> Response {
    match web.server.manager.delete(&id).await {
        // Somebody else was faster: what was asked for is so.
        Ok(()) | Err(ApiError::NotFound { .. }) => Redirect::to("/jobs").into_response(),
        Err(ApiError::Conflict { .. }) => (StatusCode::CONFLICT, Html(NOT_ENDED)).into_response(),
        Err(error) => Failure::from(error).into_response(),
    }
}

const NOT_ENDED: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Not deleted · Asperathos</title>\
    <link rel=\"stylesheet\" href=\"/pkg/asperathos.css\"></head><body><main><section class=\"card empty\"><h1>Not deleted</h1>\
    <p>This job has not ended, or is just ending. Stop or terminate it first.</p>\
    <p><a class=\"button\" href=\"/jobs\">All jobs</a></p></section></main></body></html>";
