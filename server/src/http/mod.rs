//! The web server: pages, live streams, results and the JSON API behind one guard.

mod clusters;
mod failure;
mod guard;
mod health;
mod jobs;
pub mod live;
mod pages;
mod results;
mod sign_in;
pub mod standby;
mod submit;
mod uploads;
mod v1;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{any, get, post};
use leptos::config::LeptosOptions;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;

use crate::backend::Server;
use crate::store::Store;

/// What every handler can reach.
#[derive(Clone, FromRef)]
pub struct Web {
    pub server: Arc<Server>,
    pub store: Store,
    pub leptos: LeptosOptions,
    pub hosts: Arc<Vec<String>>,
    /// Ends the live streams when the server stops.
    pub stop: CancellationToken,
    /// Counts sign-outs: streams then ask whether theirs was meant.
    pub signed_out: watch::Sender<u64>,
    pub streams: live::Streams,
}

/// The largest JSON body, bytes.
const JSON_LIMIT: usize = 16 << 20;

pub fn router(web: Web) -> Router {
    let streams = Router::new().route("/live/jobs", get(live::jobs)).route("/live/jobs/{id}", get(live::job));
    let large = Router::new()
        .route("/submit", post(submit::submit))
        .route("/api/v1/uploads", post(uploads::upload))
        .layer(axum::extract::DefaultBodyLimit::disable());
    let rest = Router::new()
        .route("/healthz", get(health::lives))
        .route("/readyz", get(health::ready))
        .route("/sign-in", get(sign_in::page).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/jobs/{id}/delete", post(jobs::delete))
        .route("/jobs/{id}/results/{index}", get(results::result))
        .route("/jobs/{id}/results.tsv", get(results::table))
        .route("/jobs/{id}/series.csv", get(results::series))
        .route("/jobs/{id}/chart/{name}", get(results::chart))
        .merge(v1::routes())
        .merge(clusters::routes())
        .route("/api/{*rest}", any(failure::unknown))
        .layer(axum::extract::DefaultBodyLimit::max(JSON_LIMIT));
    let pages = pages::routes(&web);
    Router::new()
        .merge(large)
        .merge(rest)
        .merge(pages)
        .layer(from_fn(failure::uniform))
        .layer(CompressionLayer::new())
        .merge(streams)
        .layer(from_fn_with_state(web.clone(), guard::guard))
        .layer(map_response(headers))
        .with_state(web)
}

/// Nobody may frame these pages, and nobody guesses content types.
async fn headers(mut response: Response) -> Response {
    use axum::http::HeaderValue;
    use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
    let headers = response.headers_mut();
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("frame-ancestors 'none'; base-uri 'self'; object-src 'none'; form-action 'self'"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}
