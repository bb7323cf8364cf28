//! The plain sections of a submission as params structs: bounds, units and help stand beside each field.

use control::form::{self, Field};
use control::job::{JobQueue, Order};
use control::plugin::FieldError;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::manager::workload::forbidden;
use crate::queue::Address;

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
    /// An item that was given out this many times without being completed is dead; it can be retried.
    #[garde(range(min = 1, max = 1000))]
    #[schemars(title = "Attempts for each item", range(min = 1, max = 1000), extend("x-unit" = "attempts", "x-step" = 1))]
    pub max_attempts: u32,
    /// In which order items are handed out.
    #[garde(skip)]
    pub order: OrderParam,
    /// What keeps items, their states and results.
    #[garde(skip)]
    #[schemars(title = "Kept by")]
    pub backend: BackendParam,
    /// For redis only, such as `redis://:PASSWORD@host:6379/0`; name and password are not shown again.
    #[garde(inner(length(max = 1000)))]
    #[schemars(title = "Redis URL")]
    pub url: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderParam {
    /// First line first.
    #[default]
    Fifo,
    /// Last line first, as the original.
    Lifo,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackendParam {
    /// The server's own data folder.
    #[default]
    Embedded,
    /// A Redis or Valkey that is there already.
    Redis,
}

impl Default for QueueParams {
    fn default() -> Self {
        Self { max_attempts: 3, order: OrderParam::Fifo, backend: BackendParam::Embedded, url: None }
    }
}

impl QueueParams {
    /// As a job has it. The URL still has its name and password.
    ///
    /// # Errors
    /// What is wrong with the URL, in words.
    pub fn checked(&self) -> Result<JobQueue, FieldError> {
        let wrong = |message: &str| FieldError::new("url", message);
        let typed = self.url.as_deref().map(str::trim).filter(|typed| !typed.is_empty());
        let (backend, url) = match (self.backend, typed) {
            (BackendParam::Embedded, None) => (None, None),
            (BackendParam::Embedded, Some(_)) => {
                return Err(wrong("is for the backend redis only: choose that, or leave this out"));
            }
            (BackendParam::Redis, None) => {
                return Err(wrong("is missing; the backend redis needs it, such as redis://127.0.0.1:6379/0"));
            }
            (BackendParam::Redis, Some(typed)) => {
                let address = Address::parse(typed).map_err(|why| wrong(&why))?;
                if address.host().parse().is_ok_and(forbidden) {
                    return Err(wrong("leads to an address that this server does not connect to"));
                }
                (Some(JobQueue::REDIS.to_owned()), Some(address.secret().to_owned()))
            }
        };
        let order = match self.order {
            OrderParam::Fifo => Order::Fifo,
            OrderParam::Lifo => Order::Lifo,
        };
        Ok(JobQueue { max_attempts: self.max_attempts, order, backend, url })
    }
}

/// For the catalog: the section's fields as the form shows them.
pub fn queue_fields() -> Vec<Field> {
    form::fields::<QueueParams>()
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
