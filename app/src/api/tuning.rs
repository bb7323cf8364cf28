//! Changing a running loop's parameters.

use std::collections::BTreeMap;

use leptos::prelude::*;

use crate::api::error::ApiError;

/// Appends a tuning on top of `base_revision` and returns the new revision. Names in `params` are dotted.
#[server(prefix = "/api/fn", endpoint = "tune")]
pub async fn tune(
    id: String,
    loop_name: String,
    base_revision: u32,
    #[server(default)] params: BTreeMap<String, String>,
) -> Result<u32, ApiError> {
    let (backend, viewer) = crate::backend::signed_in()?;
    let nested = crate::form::names::nested(&params);
    let tuned = backend.tune(&id, &loop_name, base_revision, nested, &viewer.name).await;
    crate::backend::answer_form(<Tune as leptos::server_fn::ServerFn>::PATH, (loop_name, params), tuned)
}
