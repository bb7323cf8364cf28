//! A scenario: a job, its goal, and what happens to it, as one JSON file. Times in seconds from the job's start.
//! Everything has a default but `items` and `deadline_s`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::check;
use super::distribution::Distribution;
use crate::observation::DEFAULT_CONFIDENCE;
use crate::plugin::{FieldError, PluginSpec};

/// The only one so far.
pub const SCHEMA: u32 = 1;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    #[serde(default = "schema")]
    pub schema: u32,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub seed: u64,
    pub items: ItemSpec,
    pub deadline_s: f64,
    #[serde(default = "confidence")]
    pub confidence: f64,
    #[serde(default)]
    pub replicas: ReplicaSpec,
    /// From being asked for to the first item.
    #[serde(default = "at_once")]
    pub startup_s: Distribution,
    #[serde(default)]
    pub scale_in: ScaleInSpec,
    #[serde(default = "one")]
    pub tick_s: f64,
    /// From when, and how fast all replicas work from then on; 1 before the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub speed: Vec<(f64, f64)>,
    /// From when, and how many replicas the platform can give from then on. Left out, there is no limit, and
    /// the platform does not say one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub available: Vec<(f64, u32)>,
    /// Extension: replicas share a number of cores, and slow each other down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contention: Option<Contention>,
    /// Crashes of one replica in one hour, on average. Its item comes back at once, and it is replaced.
    #[serde(default)]
    pub crash_per_replica_hour: f64,
    /// From a move to when it is true.
    #[serde(default)]
    pub actuation_delay_s: f64,
    /// From when to when nothing can be seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metric_gap: Vec<(f64, f64)>,
    /// What the user believes the mean service time to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint_service_s: Option<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    #[serde(default = "controller")]
    pub controller: PluginSpec,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemSpec {
    pub count: u32,
    /// At speed 1.
    pub service_s: Distribution,
    /// Extension: in which order they wait.
    #[serde(default)]
    pub order: ItemOrder,
    /// Extension: the last item takes this many times what it would, those between in a straight line.
    #[serde(default = "one")]
    pub drift: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemOrder {
    /// As they were drawn.
    #[default]
    Drawn,
    /// Shortest first.
    Sorted,
    /// Longest first.
    Reversed,
    /// Ten runs of like items, in a random order.
    Blocks,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReplicaSpec {
    pub min: u32,
    pub max: u32,
    /// At the start; left out, the least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial: Option<u32>,
}

/// Each replica works at min(1, cores ÷ busy replicas).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contention {
    pub cores: f64,
}

/// What becomes of an item whose replica is removed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ScaleInSpec {
    /// The replica ends its item, however long. With a grace it is killed then, and the item comes back at once.
    Drain {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grace_s: Option<f64>,
    },
    /// Killed in mid-item, which comes back after the lease.
    Kill { lease_s: f64 },
}

/// Something that a person changes while the job runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Change {
    pub at_s: f64,
    /// Counted from the job's start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// Of the controller, which must then be given whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub params: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint_service_s: Option<f64>,
    /// Most replicas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
}

impl Default for ReplicaSpec {
    fn default() -> Self {
        Self { min: 1, max: 10, initial: None }
    }
}

impl Default for ScaleInSpec {
    fn default() -> Self {
        Self::Drain { grace_s: None }
    }
}

impl Scenario {
    /// Reads and checks a scenario. Errors carry the path of their field.
    pub fn parse(text: &str) -> Result<Self, Vec<FieldError>> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let read: Self = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let path = error.path().to_string();
            vec![FieldError::new(if path == "." { "" } else { &path }, error.inner().to_string())]
        })?;
        reader.end().map_err(|error| vec![FieldError::new("", error.to_string())])?;
        let problems = check::problems(&read);
        if problems.is_empty() { Ok(read) } else { Err(problems) }
    }

    /// All that is the job itself, without what happens to it: for hindsight and for training.
    #[must_use]
    pub fn undisturbed(&self) -> Self {
        Self {
            speed: Vec::new(),
            available: Vec::new(),
            contention: None,
            crash_per_replica_hour: 0.0,
            metric_gap: Vec::new(),
            changes: Vec::new(),
            items: ItemSpec { order: ItemOrder::Drawn, drift: 1.0, ..self.items.clone() },
            ..self.clone()
        }
    }

    /// The deadline that counts when nothing more is changed.
    pub fn last_deadline_s(&self) -> f64 {
        self.changes.iter().rev().find_map(|change| change.deadline_s).unwrap_or(self.deadline_s)
    }

    /// Which deadline is in force at a moment.
    pub fn deadline_at_s(&self, at_s: f64) -> f64 {
        let so_far = self.changes.iter().rev().filter(|change| change.at_s <= at_s);
        so_far.filter_map(|change| change.deadline_s).next().unwrap_or(self.deadline_s)
    }
}

fn schema() -> u32 {
    SCHEMA
}

fn confidence() -> f64 {
    DEFAULT_CONFIDENCE
}

fn one() -> f64 {
    1.0
}

fn at_once() -> Distribution {
    Distribution::Constant(0.0)
}

fn controller() -> PluginSpec {
    PluginSpec::new("deadline", Value::Object(serde_json::Map::new()))
}
