//! What the submit page is drawn from: the catalog, and what was typed when it was refused, or another job's submission.

use control::plugin::Catalog;
use serde::{Deserialize, Serialize};

use crate::form::submitted::SubmitForm;

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
