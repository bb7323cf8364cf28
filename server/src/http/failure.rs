//! Errors of the API: whatever goes wrong under /api is `{"errors": [{field, message}]}`.

use app::api::error::ApiError;
use app::backend::status;
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use control::plugin::FieldError;
use serde_json::json;

use super::guard::refuse;

/// What a rejection says is short; more than this is no sentence.
const LONGEST: usize = 4 << 10;

/// An error on its way to a client.
pub struct Failure(ApiError);

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = status(&self.0);
        let errors = match self.0 {
            ApiError::Invalid { errors } => errors,
            other => vec![FieldError::new("", other.to_string())],
        };
        (status, Json(json!({ "errors": errors }))).into_response()
    }
}

/// Nothing is there.
pub async fn unknown(uri: Uri) -> Response {
    refuse(StatusCode::NOT_FOUND, &format!("there is no {} in this API", uri.path()))
}

/// Puts what the router and the extractors say by themselves (a query that cannot be read, a method that is not
/// allowed) into the one form of errors. Server functions of the pages have a form of their own.
pub async fn uniform(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if !path.starts_with("/api/") || path.starts_with("/api/fn/") {
        return next.run(request).await;
    }
    let method = request.method().clone();
    let response = next.run(request).await;
    let json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if json || !(response.status().is_client_error() || response.status().is_server_error()) {
        return response;
    }
    let status = response.status();
    // The router adds the header with the methods that are allowed.
    let message = match status {
        StatusCode::METHOD_NOT_ALLOWED => format!("{method} is not possible here; the header Allow says what is"),
        _ => said(response.into_body(), status).await,
    };
    refuse(status, &message)
}

async fn said(body: Body, status: StatusCode) -> String {
    let text = to_bytes(body, LONGEST).await.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned()).unwrap_or_default();
    if text.is_empty() { status.canonical_reason().unwrap_or("it failed").to_lowercase() } else { text }
}
