//! Another life for dead items.

use leptos::prelude::*;

use crate::api::error::ApiError;

/// Puts dead items back into the queue; without an index, all of them.
#[server(prefix = "/api/fn", endpoint = "retry")]
pub async fn retry(id: String, #[server(default)] index: Option<u64>) -> Result<u64, ApiError> {
    let (backend, _) = crate::backend::signed_in()?;
    crate::backend::answer_form(
        <Retry as leptos::server_fn::ServerFn>::PATH,
        Default::default(),
        backend.retry_items(&id, index.into_iter().collect()).await,
    )
}
