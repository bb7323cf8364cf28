//! What can go wrong between page and server, in words for people. Known to both sides.

use control::plugin::FieldError;
use leptos::server_fn::{
    codec::JsonEncoding,
    error::{FromServerFnError, ServerFnErrorErr},
};
use serde::{Deserialize, Serialize};

/// The error of every server function and of the backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum ApiError {
    /// What was asked for is not there: `job kj-…`.
    #[error("Not found: {what}.")]
    NotFound { what: String },
    /// All problems of what was sent, each by its field.
    #[error("{}", said(errors))]
    Invalid { errors: Vec<FieldError> },
    /// Someone else was faster, or the phase does not allow it.
    #[error("{message}")]
    Conflict { message: String },
    #[error("Please sign in: open the link that the server printed when it started.")]
    Unauthorized,
    #[error("{message}")]
    Internal { message: String },
}

fn said(errors: &[FieldError]) -> String {
    let one =
        |error: &FieldError| if error.field.is_empty() { error.message.clone() } else { format!("{}: {}", error.field, error.message) };
    errors.iter().map(one).collect::<Vec<_>>().join(" · ")
}

impl FromServerFnError for ApiError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(value: ServerFnErrorErr) -> Self {
        let message = match value {
            ServerFnErrorErr::Request(_) => "The server cannot be reached. Is it running?".to_owned(),
            other => other.to_string(),
        };
        Self::Internal { message }
    }
}
