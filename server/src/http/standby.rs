//! What a server answers that does not lead: that it lives, and who leads. Nothing else of it is there yet.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// `words` say what it waits for; until it leads.
pub async fn serve(listener: TcpListener, words: watch::Receiver<String>, leads: CancellationToken) {
    let waits = move || {
        let words = words.borrow().clone();
        async move { (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {words}")) }
    };
    let router = Router::new().route("/healthz", get(super::health::lives)).fallback(waits);
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(leads.cancelled_owned()).await {
        tracing::warn!("nobody is told that this server does not lead: {error}");
    }
}
