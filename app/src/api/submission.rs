//! What the submit page is drawn from: the catalog, and what was typed when it was refused.

use control::plugin::Catalog;
use serde::{Deserialize, Serialize};

use crate::form::submitted::SubmitForm;

/// The submit page's data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubmitPage {
    pub catalog: Catalog,
    /// Empty on a fresh page.
    pub form: SubmitForm,
}
