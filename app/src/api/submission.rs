//! What the submit page is drawn from: the catalog, and what was typed when it was refused.

use control::plugin::Catalog;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{api::error::ApiError, form::submitted::SubmitForm};

/// The submit page's data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubmitPage {
    pub catalog: Catalog,
    /// Empty on a fresh page.
    pub form: SubmitForm,
}

/// Read through a resource, so that hydration sees the values that the server saw.
#[server(prefix = "/api/fn", endpoint = "submission")]
pub async fn submission() -> Result<SubmitPage, ApiError> {
    let (backend, _) = crate::backend::signed_in()?;
    Ok(SubmitPage { catalog: backend.catalog(), form: use_context::<SubmitForm>().unwrap_or_default() })
}
