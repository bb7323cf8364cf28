//! When a job will be done: what the deadline law publishes at every activation.

use serde::{Deserialize, Serialize};

/// A prediction of the finish, made at one moment. Times in milliseconds since the job's start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forecast {
    /// One finish in twenty comes earlier.
    pub p5_ms: u64,
    pub p50_ms: u64,
    /// One finish in twenty comes later.
    pub p95_ms: u64,
    /// Probability of finishing by the deadline, 0 to 1.
    pub p_meet: f64,
    /// Replica-seconds from the job's start to its end, expected.
    pub replica_seconds: f64,
    /// In the currency of the budget's price, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// Present when the deadline cannot be met any more: the earliest median finish, with all replicas that
    /// can be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earliest_ms: Option<u64>,
}
