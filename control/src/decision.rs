//! What a law wants and why, and what the guards made of it.

use serde::{Deserialize, Serialize};

use crate::forecast::Forecast;
use crate::observation::ReplicaId;

/// A law's answer, before the guards.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Wish {
    /// Wanted replicas; may be fractional or out of bounds, guards see to it.
    pub value: f64,
    /// Named parts, such as `p`, `i`, `d`; each can be a line on a chart.
    pub terms: Vec<Term>,
    /// One sentence for people.
    pub why: String,
    /// From laws that predict.
    pub forecast: Option<Forecast>,
    /// The job should stop now, for this reason: it is late and its user chose so.
    pub give_up: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Term {
    pub name: String,
    pub value: f64,
}

/// A decision as it is recorded and shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub at_ms: u64,
    pub from: u32,
    pub to: u32,
    /// What the law wanted before the guards.
    pub wanted: f64,
    /// The metric that was seen.
    pub seen: f64,
    pub terms: Vec<Term>,
    /// Names of the guards that changed the value, in their order.
    pub guards: Vec<String>,
    pub why: String,
    /// Tuning revision that was in force.
    pub revision: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
    /// Which replicas should go first, when some should: the least work lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drain: Vec<ReplicaId>,
}
