//! What would have been: a job's course as it was, simulated, and simulated otherwise.

use control::plugin::KindInfo;
use serde::{Deserialize, Serialize};

use crate::form::submitted::SubmitForm;

/// Everything that the page shows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WhatIfPage {
    pub loops: Vec<String>,
    pub loop_name: String,
    pub laws: Vec<KindInfo>,
    /// What was typed, or the law with its params as they are now; and what is wrong with it.
    pub form: SubmitForm,
    /// As it was, the same simulated and, when something was asked, otherwise simulated.
    pub courses: Vec<Course>,
    /// Why there are none.
    pub trouble: Option<String>,
    /// Progress and replicas of all courses over each other, for wide and for narrow windows: SVG in the page's own colours.
    pub pictures: Vec<String>,
}

/// One course in figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Course {
    pub name: String,
    /// From the job's start; `None` when it did not end.
    pub done_s: Option<f64>,
    pub deadline_s: Option<f64>,
    pub replica_seconds: f64,
    pub peak: u32,
    pub moves: u32,
}
