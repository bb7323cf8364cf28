//! A job's items: a page of them, and another life for dead ones.

use control::live::{ItemState, ItemView};
use leptos::prelude::*;

use crate::api::error::ApiError;

/// Some items in workload order.
#[server(prefix = "/api/fn", endpoint = "items")]
pub async fn items(id: String, state: Option<ItemState>, offset: u64, limit: u32) -> Result<Vec<ItemView>, ApiError> {
    let (backend, _) = crate::backend::signed_in()?;
    crate::backend::answer(backend.items(&id, state, offset, limit).await)
}

/// Puts dead items back into the queue; without an index, all of them.
#[server(prefix = "/api/fn", endpoint = "retry")]
pub async fn retry(id: String, #[server(default)] index: Option<u64>) -> Result<u64, ApiError> {
    let (backend, _) = crate::backend::signed_in()?;
    crate::backend::answer(backend.retry_items(&id, index.into_iter().collect()).await)
}
