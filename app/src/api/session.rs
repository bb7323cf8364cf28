//! Who is signed in.

use leptos::prelude::*;

use crate::{api::error::ApiError, viewer::Viewer};

/// The person who looks at the page; `None` before signing in.
#[server(prefix = "/api/fn", endpoint = "who")]
pub async fn who() -> Result<Option<Viewer>, ApiError> {
    Ok(use_context::<Viewer>())
}
