//! What a loop sees at one moment. Finite by construction; times in milliseconds since the job's start.

use serde::{Deserialize, Serialize};

use crate::job::Bounds;

/// Everything one law sees at one activation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Milliseconds since the job's start; never read from a clock by the law.
    pub at_ms: u64,
    /// Deadline, milliseconds since the job's start.
    pub deadline_ms: u64,
    /// The loop's metric. Never NaN or infinite. An exact zero is a value.
    pub value: f64,
    pub items: Items,
    /// What is true now: replicas that live and are not being drained.
    pub replicas: u32,
    pub bounds: Bounds,
    /// The last wish was cut by a guard: integrators may only shrink.
    pub saturated: bool,
}

/// Counts of a job's items. `total = waiting + processing + done + dead`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Items {
    pub total: u64,
    pub waiting: u64,
    pub processing: u64,
    pub done: u64,
    pub dead: u64,
}

impl Items {
    /// Items that still need a replica.
    pub fn left(self) -> u64 {
        self.waiting + self.processing
    }
}
