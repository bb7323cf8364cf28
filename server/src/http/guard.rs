//! Who may come in: the right Host, the same origin for every change, and a session or a token.

use app::api::error::ApiError;
use app::viewer::Viewer;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Web;
use crate::access::tokens;
use crate::clock::now_ms;

/// By which the session or token of a request is known in the store.
#[derive(Debug, Clone)]
pub struct Session(pub Vec<u8>);

/// The cookie that carries a session's secret. Browsers tell cookies apart by host and not by port: two servers on one
/// machine must not sign each other out.
pub fn cookie_name(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let port = host.rsplit_once(':').map(|(_, port)| port).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    format!("asperathos_session_{}", port.unwrap_or("80"))
}

/// `local` runs commands, so a page from elsewhere must never reach it through somebody's browser:
/// a rebound name fails at Host, a foreign form or script at Origin, a stranger at the session.
pub async fn guard(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    // Pages read the errors of their own functions, scripts those of the API.
    let of_page = request.uri().path().starts_with("/api/fn/");
    let refuse = |status: StatusCode, message: &str| match status {
        StatusCode::UNAUTHORIZED if of_page => (status, Json(ApiError::Unauthorized)).into_response(),
        _ if of_page => (status, Json(ApiError::Internal { message: message.to_owned() })).into_response(),
        _ => refuse(status, message),
    };
    let headers = request.headers();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    if !web.hosts.contains(&host) {
        let message = format!("this server does not answer to the name \"{host}\"; start it with --host NAME to allow it");
        return refuse(StatusCode::MISDIRECTED_REQUEST, &message);
    }
    let change = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Bearer "));
    let secret = bearer.map(str::to_owned).or_else(|| cookie(headers));
    if change && bearer.is_none() && !same_origin(headers, &host) {
        return refuse(
            StatusCode::FORBIDDEN,
            "a change must come from this server's own pages (Origin), or carry an API token (Authorization: Bearer …)",
        );
    }
    let session = secret.map(|secret| Session(tokens::hash(secret.trim())));
    let user = match &session {
        Some(Session(hash)) => match web.store.session(hash, now_ms()).await {
            Ok(user) => user,
            Err(error) => {
                tracing::error!("could not look up a session: {error}");
                return refuse(StatusCode::SERVICE_UNAVAILABLE, "the store did not answer");
            }
        },
        None => None,
    };
    match user {
        Some(name) => {
            request.extensions_mut().insert(Viewer { name });
            session.map(|session| request.extensions_mut().insert(session));
            next.run(request).await
        }
        None if open(request.uri().path()) => next.run(request).await,
        // A person gets the page that says how to sign in; a script gets one clear line.
        None if request.method() == Method::GET && page(request.uri().path()) && wants_html(request.headers()) => {
            let mut response = next.run(request).await;
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            response
        }
        None => refuse(
            StatusCode::UNAUTHORIZED,
            "sign in by the link that the server printed (asperathos link prints a new one), or send Authorization: Bearer TOKEN",
        ),
    }
}

/// The secret of the browser's session.
pub fn cookie(headers: &HeaderMap) -> Option<String> {
    let wanted = cookie_name(headers);
    let all = headers.get_all(header::COOKIE);
    all.iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| value.to_owned())
}

/// Browsers send Origin with every change; where it is missing, Sec-Fetch-Site decides.
fn same_origin(headers: &HeaderMap, host: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("origin"), text("sec-fetch-site")) {
        (Some(origin), _) => origin.split_once("://").is_some_and(|(_, name)| name.eq_ignore_ascii_case(host)),
        (None, Some(site)) => site == "same-origin",
        (None, None) => false,
    }
}

fn open(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz" | "/sign-in" | "/sign-out" | "/favicon.ico")
        || path.starts_with("/pkg/")
        || path.starts_with("/fonts/")
}

/// Paths that are drawn for people: without a viewer in its context it shows how to sign in, and nothing else.
fn page(path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    matches!((parts.next(), parts.next(), parts.next()), (Some("" | "submit" | "clusters"), None, None) | (Some("jobs"), _, None))
}

fn wants_html(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}

pub fn refuse(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "errors": [{ "field": "", "message": message }] }))).into_response()
}
