//! The plain sections of a submission as params structs: bounds, units and help stand beside each field.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a loop reads when it does not say.
pub const DEFAULT_METRIC: &str = "progress_error";

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Head {
    /// A name for people.
    #[garde(length(chars, min = 1, max = 120))]
    pub name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectiveParams {
    /// Seconds from the submission to the wanted end.
    #[garde(range(min = 1.0, max = 31_536_000.0))]
    #[schemars(range(min = 1.0, max = 31_536_000.0), extend("x-unit" = "s", "x-step" = 1.0))]
    pub deadline_s: f64,
    /// Wanted probability of being done by then.
    #[garde(range(min = 0.5, max = 0.9999))]
    #[schemars(range(min = 0.5, max = 0.9999), extend("x-unit" = "probability", "x-step" = 0.01))]
    pub confidence: f64,
    /// Your guess of how long an item takes on one replica; a wrong one is unlearnt.
    #[garde(inner(range(min = 0.001, max = 31_536_000.0)))]
    #[schemars(inner(range(min = 0.001, max = 31_536_000.0)), extend("x-unit" = "s", "x-step" = 0.1))]
    pub service_s: Option<f64>,
}

impl Default for ObjectiveParams {
    fn default() -> Self {
        Self { deadline_s: 600.0, confidence: 0.99, service_s: None }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct ReplicaParams {
    /// Fewest replicas while there is work.
    #[garde(range(min = 1, max = 1000))]
    #[schemars(range(min = 1, max = 1000), extend("x-unit" = "replicas", "x-step" = 1))]
    pub min: u32,
    /// Most replicas.
    #[garde(range(min = 1, max = 1000))]
    #[schemars(range(min = 1, max = 1000), extend("x-unit" = "replicas", "x-step" = 1))]
    pub max: u32,
    /// Replicas at the start.
    #[garde(range(min = 1, max = 1000))]
    #[schemars(range(min = 1, max = 1000), extend("x-unit" = "replicas", "x-step" = 1))]
    pub initial: u32,
}

impl Default for ReplicaParams {
    fn default() -> Self {
        Self { min: 1, max: 4, initial: 1 }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct QueueParams {
    /// An item given out this often without being completed is dead.
    #[garde(range(min = 1, max = 1000))]
    #[schemars(range(min = 1, max = 1000), extend("x-unit" = "attempts", "x-step" = 1))]
    pub max_attempts: u32,
    /// `fifo`: first line first. `lifo`: last line first, as the original.
    #[garde(skip)]
    pub order: OrderParam,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderParam {
    #[default]
    Fifo,
    Lifo,
}

impl Default for QueueParams {
    fn default() -> Self {
        Self { max_attempts: 3, order: OrderParam::Fifo }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct LoopParams {
    /// Names the loop's line on the charts.
    #[garde(length(chars, min = 1, max = 40))]
    pub name: String,
    /// The metric that it reads.
    #[garde(length(min = 1, max = 80))]
    pub metric: String,
    /// Seconds between two decisions.
    #[garde(range(min = 1.0, max = 3600.0))]
    #[schemars(range(min = 1.0, max = 3600.0), extend("x-unit" = "s", "x-step" = 1.0))]
    pub interval_s: f64,
}

impl Default for LoopParams {
    fn default() -> Self {
        Self { name: "pace".to_owned(), metric: DEFAULT_METRIC.to_owned(), interval_s: 1.0 }
    }
}
