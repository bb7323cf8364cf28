//! Clusters by REST and as a page of plain forms, both for administrators alone. What is sent comes back nowhere.

use std::collections::BTreeMap;

use app::api::error::ApiError;
use app::clusters::{ClusterView, Typed, page};
use app::viewer::Viewer;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde_json::{Map, Value};

use super::Web;
use super::failure::Failure;
use super::guard::refuse;
use crate::access::administers;

pub fn routes() -> Router<Web> {
    Router::new()
        .route("/api/v1/clusters", get(list).post(add))
        .route("/api/v1/clusters/{name}", get(one).put(change).delete(remove))
        .route("/api/v1/clusters/{name}/test", post(one))
        .route("/clusters", get(show).post(add_by_form))
        .route("/clusters/{name}", post(change_by_form))
        .route("/clusters/{name}/test", post(test_by_form))
        .route("/clusters/{name}/remove", post(remove_by_form))
}

/// Refuses everybody else.
struct Admin(String);

impl axum::extract::FromRequestParts<Web> for Admin {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, _: &Web) -> Result<Self, Response> {
        match parts.extensions.get::<Viewer>() {
            Some(viewer) if administers(&viewer.name) => Ok(Self(viewer.name.clone())),
            Some(_) => Err(refuse(StatusCode::FORBIDDEN, "clusters are looked at and changed by an administrator")),
            None => Err(refuse(StatusCode::UNAUTHORIZED, "sign in first")),
        }
    }
}

async fn list(State(web): State<Web>, _: Admin) -> Result<Json<Vec<ClusterView>>, Failure> {
    Ok(Json(web.server.manager.clusters().await?))
}

async fn one(State(web): State<Web>, _: Admin, Path(name): Path<String>) -> Result<Json<ClusterView>, Failure> {
    Ok(Json(web.server.manager.try_cluster(&name).await?))
}

/// A body that cannot be read is not quoted.
fn body(sent: Result<Json<Value>, JsonRejection>) -> Result<Value, Box<Response>> {
    match sent {
        Ok(Json(sent @ Value::Object(_))) => Ok(sent),
        Ok(_) => Err(Box::new(refuse(StatusCode::BAD_REQUEST, "the body must be an object with name and kubeconfig"))),
        Err(rejection) => Err(Box::new(refuse(rejection.status(), "the body must be JSON, sent as application/json"))),
    }
}

async fn add(State(web): State<Web>, Admin(admin): Admin, sent: Result<Json<Value>, JsonRejection>) -> Response {
    let sent = match body(sent) {
        Ok(sent) => sent,
        Err(response) => return *response,
    };
    match web.server.manager.add_cluster(&sent, &admin).await {
        Ok(view) => (StatusCode::CREATED, Json(view)).into_response(),
        Err(error) => Failure::from(error).into_response(),
    }
}

async fn change(
    State(web): State<Web>,
    Admin(admin): Admin,
    Path(name): Path<String>,
    sent: Result<Json<Value>, JsonRejection>,
) -> Response {
    let sent = match body(sent) {
        Ok(sent) => sent,
        Err(response) => return *response,
    };
    match web.server.manager.change_cluster(&name, &sent, &admin).await {
        Ok(view) => Json(view).into_response(),
        Err(error) => Failure::from(error).into_response(),
    }
}

async fn remove(State(web): State<Web>, Admin(admin): Admin, Path(name): Path<String>) -> Result<StatusCode, Failure> {
    web.server.manager.remove_cluster(&name, &admin).await?;
    Ok(StatusCode::NO_CONTENT)
}

type Fields = BTreeMap<String, String>;

async fn show(State(web): State<Web>, viewer: Option<Extension<Viewer>>, Query(query): Query<Fields>) -> Response {
    let Some(Extension(viewer)) = viewer else { return Html(app::clusters::stranger()).into_response() };
    if !administers(&viewer.name) {
        return refuse(StatusCode::FORBIDDEN, "clusters are looked at and changed by an administrator");
    }
    // Only words of this server, by what was done.
    let of = query.get("of").map_or("", String::as_str);
    let said = match query.get("done").map(String::as_str) {
        Some("added") => Some(format!("{of} was added.")),
        Some("changed") => Some(format!("{of} was changed; its jobs go on by the new kubeconfig.")),
        Some("removed") => Some(format!("{of} was removed.")),
        Some("tested") => Some(format!("{of} was asked just now.")),
        _ => None,
    };
    drawn(&web, &viewer.name, Typed::default(), said, StatusCode::OK).await
}

async fn drawn(web: &Web, viewer: &str, typed: Typed, said: Option<String>, status: StatusCode) -> Response {
    match web.server.manager.clusters().await {
        Ok(clusters) => (status, Html(page(viewer, clusters, typed, said))).into_response(),
        Err(error) => Failure::from(error).into_response(),
    }
}

async fn add_by_form(State(web): State<Web>, Admin(admin): Admin, Form(fields): Form<Fields>) -> Response {
    let added = web.server.manager.add_cluster(&sent(&fields), &admin).await;
    let name = fields.get("name").map_or("", |name| name.trim()).to_owned();
    answered(&web, &admin, added.map(drop), ("added", &name), typed(&fields, None)).await
}

async fn change_by_form(State(web): State<Web>, Admin(admin): Admin, Path(name): Path<String>, Form(fields): Form<Fields>) -> Response {
    let changed = web.server.manager.change_cluster(&name, &sent(&fields), &admin).await;
    answered(&web, &admin, changed.map(drop), ("changed", &name), typed(&fields, Some(&name))).await
}

async fn test_by_form(State(web): State<Web>, Admin(admin): Admin, Path(name): Path<String>) -> Response {
    let tested = web.server.manager.try_cluster(&name).await;
    answered(&web, &admin, tested.map(drop), ("tested", &name), Typed::default()).await
}

async fn remove_by_form(State(web): State<Web>, Admin(admin): Admin, Path(name): Path<String>) -> Response {
    let removed = web.server.manager.remove_cluster(&name, &admin).await;
    answered(&web, &admin, removed, ("removed", &name), Typed::default()).await
}

/// The page again: by a way that a reload does not repeat, or with what was wrong.
async fn answered(web: &Web, viewer: &str, outcome: Result<(), ApiError>, (done, of): (&str, &str), mut typed: Typed) -> Response {
    let Err(error) = outcome else { return Redirect::to(&format!("/clusters?done={done}&of={of}")).into_response() };
    let status = app::backend::status(&error);
    typed.errors = match error {
        ApiError::Invalid { errors } => errors,
        other => vec![control::plugin::FieldError::new("", other.to_string())],
    };
    drawn(web, viewer, typed, None, status).await
}

/// As a script would send it.
fn sent(fields: &Fields) -> Value {
    let filled = fields.iter().filter(|(_, value)| !value.trim().is_empty());
    Value::Object(filled.map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect::<Map<_, _>>())
}

/// Without the kubeconfig, which goes nowhere.
fn typed(fields: &Fields, of: Option<&str>) -> Typed {
    let text = |name: &str| fields.get(name).cloned().unwrap_or_default();
    Typed {
        of: of.map(str::to_owned),
        name: text("name"),
        context: text("context"),
        namespace: text("namespace"),
        pods_listen: text("pods_listen"),
        in_cluster: fields.contains_key("in_cluster"),
        errors: Vec::new(),
    }
}
