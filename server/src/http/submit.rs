//! The submit form, posted as plain multipart: a file is streamed to disk, everything else is checked at once.

use std::collections::BTreeMap;

use app::form::submitted::SubmitForm;
use app::viewer::Viewer;
use axum::body::Body;
use axum::extract::{FromRequest as _, Multipart, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use control::plugin::FieldError;
use leptos::prelude::provide_context;

use super::guard::refuse;
use super::{Web, pages, uploads};
use crate::manager::{form, submission};
use crate::queue::without_credentials;

/// Most bytes of one text field.
const TEXT_LIMIT: usize = submission::INLINE_LIMIT + 1024;
/// What an offer may change.
const OFFERED: [&str; 2] = ["objective.deadline_s", "replicas.max"];
/// Most fields of a form.
const FIELDS_LIMIT: usize = 2000;

pub async fn submit(State(web): State<Web>, request: Request) -> Response {
    let Some(viewer) = request.extensions().get::<Viewer>().cloned() else {
        return refuse(StatusCode::UNAUTHORIZED, "sign in first");
    };
    let (parts, body) = request.into_parts();
    let multipart = match Multipart::from_request(Request::from_parts(parts.clone(), body), &web).await {
        Ok(multipart) => multipart,
        Err(error) => return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, &format!("the form must come as multipart/form-data: {error}")),
    };
    let (mut values, mut errors) = match read(&web, multipart).await {
        Ok(read) => read,
        Err((status, message)) => return refuse(status, &message),
    };
    let asked = asks_quote(&mut values);
    let mut quoted = None;
    if errors.is_empty() {
        match submission::parse(&form::to_submission(&values), &web.server.manager.shared.clusters) {
            Ok(spec) if asked => quoted = Some(web.server.manager.quote(&spec).await),
            Ok(spec) => match web.server.manager.submit(spec, &viewer.name).await {
                Ok(id) => return Redirect::to(&format!("/jobs/{id}")).into_response(),
                Err(app::api::error::ApiError::Invalid { errors: found }) => errors = found,
                Err(error) => errors.push(FieldError::new("", error.to_string())),
            },
            Err(found) => errors = found,
        }
    }
    // The same page again, with what was typed and every problem at its field; a password is not sent back.
    if let Some(url) = values.get_mut("queue.url") {
        *url = without_credentials(url);
    }
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let submitted = SubmitForm { values, errors, quoted };
    let context = pages::context(&web);
    let options = web.leptos.clone();
    let render = leptos_axum::render_app_async_with_context(
        move || {
            context();
            provide_context(submitted.clone());
        },
        move || app::shell(options.clone()),
    );
    let mut response = render(Request::from_parts(parts, Body::empty())).await.into_response();
    *response.status_mut() = status;
    response
}

/// Whether a quote is asked for; an offer of the last one that was taken is filled in.
fn asks_quote(values: &mut BTreeMap<String, String>) -> bool {
    let asked = values.remove("quote").is_some();
    let Some(taken) = values.remove("take") else { return asked };
    if let Some((name, value)) = taken.split_once('=')
        && OFFERED.contains(&name)
    {
        values.insert(name.to_owned(), value.to_owned());
    }
    true
}

type Fields = (BTreeMap<String, String>, Vec<FieldError>);

async fn read(web: &Web, mut multipart: Multipart) -> Result<Fields, (StatusCode, String)> {
    let broken =
        |error: axum::extract::multipart::MultipartError| (StatusCode::BAD_REQUEST, format!("the form could not be read: {error}"));
    let mut values = BTreeMap::new();
    let mut errors = Vec::new();
    while let Some(mut field) = multipart.next_field().await.map_err(broken)? {
        let Some(name) = field.name().map(str::to_owned) else { continue };
        if values.len() >= FIELDS_LIMIT {
            return Err((StatusCode::PAYLOAD_TOO_LARGE, format!("the form has more than {FIELDS_LIMIT} fields")));
        }
        if field.file_name().is_some() {
            if field.file_name() == Some("") {
                continue;
            }
            match uploads::store(&web.server.manager.uploads(), &mut field).await {
                Ok(stored) if stored.items > 0 => {
                    values.insert("workload.upload".to_owned(), stored.upload);
                }
                Ok(_) => {}
                Err(error) => errors.push(FieldError::new("workload.upload", error.to_string())),
            }
            continue;
        }
        let mut text = Vec::new();
        while let Some(chunk) = field.chunk().await.map_err(broken)? {
            if text.len() + chunk.len() > TEXT_LIMIT {
                return Err((StatusCode::PAYLOAD_TOO_LARGE, format!("{name} is longer than {TEXT_LIMIT} bytes; upload a file instead")));
            }
            text.extend_from_slice(&chunk);
        }
        let Ok(text) = String::from_utf8(text) else {
            errors.push(FieldError::new(name, "must be UTF-8 text"));
            continue;
        };
        // A file that was just sent wins over the id of an earlier one.
        if name != "workload.upload" || !values.contains_key(&name) || !text.is_empty() {
            values.entry(name).or_insert_with(|| text.replace("\r\n", "\n"));
        }
    }
    Ok((values, errors))
}
