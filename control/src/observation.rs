//! What a loop sees at one moment: the line format of the recorder, of `asperathos law` and of outside plugins.
//! Times in milliseconds since the job's start. What is not known is left out; `at_ms`, `items` and `bounds` must be there.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::job::Bounds;
use crate::plan;

/// Wanted probability of meeting a deadline when nobody says otherwise.
pub const DEFAULT_CONFIDENCE: f64 = 0.99;

/// The name of a replica. Cheap to copy: it goes from line to line at every tick.
pub type ReplicaId = Arc<str>;

/// Everything one law sees at one activation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// Milliseconds since the job's start; never read from a clock by the law.
    pub at_ms: u64,
    /// Deadline, milliseconds since the job's start. None for an endless stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// Wanted probability of meeting the deadline, 0.5 to 0.9999.
    #[serde(default = "default_confidence")]
    pub confidence: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    #[serde(default, skip_serializing_if = "Hints::is_empty")]
    pub hints: Hints,
    /// The loop's metric. Never infinite. An exact zero is a value. Left out, it is the progress error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    pub items: Items,
    /// Who holds an item, and for how long.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_flight: Vec<InFlight>,
    /// Items done since the observation before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub completions: Vec<Completion>,
    /// Replicas that exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<Replica>,
    /// How many replicas are asked for now. Left out, those that exist and do not drain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocation: Option<u32>,
    pub bounds: Bounds,
    /// Most replicas that the platform can give now, if it knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available: Option<u32>,
    /// What becomes of an item whose replica is removed. Left out, a drain without a grace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_in: Option<ScaleIn>,
    /// Everything that was measured, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<Arc<str>, Metric>,
    /// The last wish was cut by a guard: integrators may only shrink.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub saturated: bool,
}

/// What may be spent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// In the currency of the price.
    pub limit: f64,
    /// One replica for one hour.
    pub price_replica_hour: f64,
}

/// What is believed before anything was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hints {
    /// The user's guess of the mean service time of an item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_ms_mean: Option<f64>,
    /// What earlier jobs of the same template took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
}

impl Hints {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Service times of earlier jobs of the same template.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// How many jobs.
    pub jobs: u32,
    /// Mean of the natural logarithms of service times in milliseconds.
    pub log_mean: f64,
    /// Standard deviation of those logarithms within a job.
    pub log_sd: f64,
}

/// One item that a replica holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InFlight {
    pub replica: ReplicaId,
    pub age_ms: u64,
}

/// One item that was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Completion {
    pub service_ms: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica: Option<ReplicaId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replica {
    pub id: ReplicaId,
    pub state: ReplicaState,
    #[serde(default)]
    pub age_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaState {
    /// Asked for, and not ready to take an item yet.
    Starting,
    Idle,
    Busy,
    /// Gets no more items; ends when it holds none.
    Draining,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    pub value: f64,
    /// How old the value is.
    #[serde(default)]
    pub age_ms: u64,
}

/// What becomes of an item whose replica is removed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ScaleIn {
    /// The replica ends its item first; with a grace it is killed after that time and the item comes back at once.
    Drain {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grace_ms: Option<u64>,
    },
    /// Killed in the middle; the item comes back after its lease.
    Kill { lease_ms: u64 },
}

/// Counts of a job's items. `total = waiting + processing + done + dead`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Items {
    /// Left out, the sum of the others.
    pub total: u64,
    pub waiting: u64,
    /// In flight. Left out, the length of `in_flight`.
    pub processing: u64,
    pub done: u64,
    /// Attempts that failed so far; each such item waits again.
    #[serde(skip_serializing_if = "is_default")]
    pub failed: u64,
    /// Given up after too many attempts.
    pub dead: u64,
    /// A stream: more items may come at any time, and there is no end to predict.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Items {
    /// Items that still need a replica.
    pub fn left(self) -> u64 {
        self.waiting.saturating_add(self.processing)
    }
}

impl Observation {
    /// Whether anything tells how long items take: one that is done, a hint, earlier jobs. Else every forecast is a guess.
    pub fn informed(&self) -> bool {
        self.items.done > 0 || !self.hints.is_empty()
    }

    /// A moment of which nothing else is known.
    pub fn at(at_ms: u64) -> Self {
        Self {
            at_ms,
            deadline_ms: None,
            confidence: DEFAULT_CONFIDENCE,
            budget: None,
            hints: Hints::default(),
            value: None,
            items: Items::default(),
            in_flight: Vec::new(),
            completions: Vec::new(),
            replicas: Vec::new(),
            allocation: None,
            bounds: Bounds { min: 0, max: 0, initial: 0 },
            available: None,
            scale_in: None,
            metrics: BTreeMap::new(),
            saturated: false,
        }
    }

    /// Fills in what follows from the rest.
    pub fn complete(&mut self) {
        let items = &mut self.items;
        if items.processing == 0 {
            items.processing = self.in_flight.len() as u64;
        }
        if items.total == 0 {
            items.total = items.left().saturating_add(items.done).saturating_add(items.dead);
        }
    }

    /// Replicas that are asked for: where the allocation stands or is going.
    pub fn allocated(&self) -> u32 {
        self.allocation.unwrap_or_else(|| {
            let staying = self.replicas.iter().filter(|replica| replica.state != ReplicaState::Draining).count();
            u32::try_from(staying).unwrap_or(u32::MAX)
        })
    }

    /// The loop's metric; without one, how far the job is from its plan. Without a deadline it is on plan.
    pub fn metric(&self) -> f64 {
        let planned = |deadline_ms| plan::progress_error(self.items, self.at_ms, deadline_ms);
        self.value.unwrap_or_else(|| self.deadline_ms.map_or(0.0, planned))
    }

    /// Most replicas that can be had now.
    pub fn most(&self) -> u32 {
        self.available.map_or(self.bounds.max, |available| available.min(self.bounds.max))
    }
}

pub(crate) fn default_confidence() -> f64 {
    DEFAULT_CONFIDENCE
}
