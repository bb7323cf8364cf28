//! What replicas print.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::api::error::ApiError;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    Stdout,
    Stderr,
}

/// A piece of a log by byte offsets. `from` may be later than asked when the head was cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogChunk {
    pub from: u64,
    pub next: u64,
    pub text: String,
}

/// From a byte offset on; without one, the last 64 KiB.
#[server(prefix = "/api/fn", endpoint = "replica_log")]
pub async fn replica_log(id: String, replica: String, stream: LogStream, from: Option<u64>) -> Result<LogChunk, ApiError> {
    let (backend, _) = crate::backend::signed_in()?;
    crate::backend::answer(backend.replica_log(&id, &replica, stream, from).await)
}
