//! Signing in by a one-time link, and out again.

use axum::extract::{Form, Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::Web;
use super::guard::{cookie, cookie_name, refuse};
use crate::access::tokens;

#[derive(Deserialize)]
pub struct Link {
    token: String,
    #[serde(default)]
    next: String,
}

/// Only paths of this server.
fn next_page(next: &str) -> &str {
    if next.starts_with('/') && !next.starts_with("//") && !next.contains(|sign: char| sign == '\\' || sign.is_control()) {
        next
    } else {
        "/"
    }
}

/// Signs in at once. Links are good once and for a quarter of an hour.
pub async fn page(State(web): State<Web>, Query(link): Query<Link>, headers: HeaderMap) -> Response {
    enter(&web, &link, &headers).await
}

pub async fn sign_in(State(web): State<Web>, headers: HeaderMap, Form(link): Form<Link>) -> Response {
    enter(&web, &link, &headers).await
}

async fn enter(web: &Web, link: &Link, headers: &HeaderMap) -> Response {
    match tokens::open_session(&web.store, &link.token).await {
        Ok(Some(secret)) => {
            let seconds = tokens::SESSION_MS / 1000;
            let name = cookie_name(headers);
            let cookie = format!("{name}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}");
            ([(SET_COOKIE, cookie)], Redirect::to(next_page(&link.next))).into_response()
        }
        // Used already or too old: who is signed in does not need it, others are told there how to get a new one.
        Ok(None) => Redirect::to(next_page(&link.next)).into_response(),
        Err(error) => {
            tracing::error!("could not sign in: {error}");
            refuse(StatusCode::SERVICE_UNAVAILABLE, "the store did not answer")
        }
    }
}

/// Ends the session on the server too: a copy of the cookie is worth nothing afterwards.
pub async fn sign_out(State(web): State<Web>, headers: HeaderMap) -> Response {
    if let Some(secret) = cookie(&headers)
        && let Err(error) = web.store.drop_session(&tokens::hash(secret.trim())).await
    {
        tracing::error!("could not sign out: {error}");
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "the store did not answer; you are still signed in");
    }
    // In other tabs too: what they show goes on no longer.
    web.signed_out.send_modify(|count| *count += 1);
    let cookie = format!("{}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0", cookie_name(&headers));
    ([(SET_COOKIE, cookie)], Redirect::to("/")).into_response()
}
