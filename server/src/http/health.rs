//! What probes ask: whether this server lives, and whether it can serve.

use axum::extract::State;
use axum::http::StatusCode;

use super::Web;

/// Nothing is asked of anybody: a store that is slow is no reason to kill the server.
pub async fn lives() -> &'static str {
    "ok"
}

pub async fn ready(State(web): State<Web>) -> (StatusCode, String) {
    if web.stop.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "not ready: stopping".to_owned());
    }
    match web.store.answers().await {
        Ok(()) => (StatusCode::OK, "ok".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {error}")),
    }
}
