//! What the submit page is drawn from: the catalog, and what was typed when it was refused, or another job's submission.

use control::plugin::Catalog;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{api::error::ApiError, form::submitted::SubmitForm};

/// The submit page's data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubmitPage {
    pub catalog: Catalog,
    /// The metrics of each kind of monitor.
    pub metrics: Vec<(String, Vec<String>)>,
    /// Empty on a fresh page.
    pub form: SubmitForm,
    /// The labels of the inputs with problems, in the order of the problems.
    pub labels: Vec<Option<String>>,
    /// The job whose submission is in the form: id and name.
    pub from: Option<(String, String)>,
}

/// Read through a resource, so that hydration sees the values that the server saw. `from` is the id of a job.
#[server(prefix = "/api/fn", endpoint = "submission")]
pub async fn submission(from: Option<String>) -> Result<SubmitPage, ApiError> {
    let (backend, _) = crate::backend::signed_in()?;
    let refused = use_context::<SubmitForm>();
    let job = match from.filter(|_| refused.is_none()) {
        Some(id) => Some(crate::backend::answer(backend.job(&id, 50).await)?),
        None => None,
    };
    Ok(crate::form::again::page(backend.catalog(), backend.metrics(), refused, job.as_ref()))
}
