//! What a person typed and what was wrong with it, kept while the page is drawn again.

use std::collections::BTreeMap;

use control::{controllers::deadline::quote::Quote, plugin::FieldError};
use serde::{Deserialize, Serialize};

use super::names;

/// A refused submission. The server puts it into context and draws the submit page again, status 422.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SubmitForm {
    /// By input name, as posted.
    pub values: BTreeMap<String, String>,
    /// By JSON path, as the check named them.
    pub errors: Vec<FieldError>,
    /// When a quote was asked for in place of the job.
    #[serde(default)]
    pub quoted: Option<Quoted>,
}

/// What it would take, or why nobody can say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quoted {
    Quote { items: u64, quote: Quote },
    Unknown { why: String },
}

/// The form as the page reads it: values or defaults, and errors by input name.
#[derive(Debug, Clone, Default)]
pub struct Filled {
    values: BTreeMap<String, String>,
    errors: Vec<FieldError>,
}

impl Filled {
    pub fn new(form: SubmitForm) -> Self {
        let errors =
            form.errors.into_iter().map(|error| FieldError::new(names::input(&error.field, &form.values), error.message)).collect();
        Self { values: form.values, errors }
    }

    /// Nothing was posted yet: defaults are shown.
    pub fn fresh(&self) -> bool {
        self.values.is_empty()
    }

    /// What was typed, or the default.
    pub fn value(&self, name: &str, default: &str) -> String {
        self.values.get(name).cloned().unwrap_or_else(|| default.to_owned())
    }

    /// What was typed, if anything was.
    pub fn typed(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned()
    }

    /// A checkbox: browsers post nothing for an empty one.
    pub fn checked(&self, name: &str, default: bool) -> bool {
        if self.fresh() { default } else { self.values.contains_key(name) }
    }

    /// Everything that is wrong with one input.
    pub fn error(&self, name: &str) -> Option<String> {
        let said: Vec<_> = self.errors.iter().filter(|e| e.field == name).map(|e| e.message.as_str()).collect();
        (!said.is_empty()).then(|| said.join(" "))
    }

    /// Whether an input whose name starts so has a problem: what folds it away has to be open.
    pub fn wrong(&self, start: &str) -> bool {
        self.errors.iter().any(|error| error.field.starts_with(start))
    }

    /// All problems, by input name.
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }
}
