//! What a person submits: a job with its goal, and the phases of its life.

use serde::{Deserialize, Serialize};

use crate::observation::default_confidence;
use crate::plugin::PluginSpec;

/// A submission. The form and the JSON body are both parsed into this.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobSpec {
    /// For people; 1 to 120 characters.
    pub name: String,
    pub platform: PluginSpec,
    pub workload: Workload,
    pub objective: Objective,
    pub replicas: Bounds,
    /// Any number; metric names must not clash.
    pub monitors: Vec<PluginSpec>,
    /// Any number; loops on one actuator are joined by `join`.
    pub loops: Vec<LoopSpec>,
    pub queue: JobQueue,
}

/// Where the items come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "snake_case", deny_unknown_fields)]
pub enum Workload {
    /// One item a line, as typed.
    Inline { items: String },
    /// A file that was uploaded before; its id came with the answer.
    Upload { upload: String },
    /// Fetched once by HTTP GET; anything but 200 is an error, never items.
    Url { url: String },
}

/// What must be reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// Seconds from the moment of submission to the wanted end.
    pub deadline_s: f64,
    /// Wanted probability of being done by then, 0.5 to 0.9999.
    #[serde(default = "default_confidence")]
    pub confidence: f64,
    /// The user's guess of the seconds that an item takes on one replica, in the mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_s: Option<f64>,
}

impl Objective {
    /// A deadline, and nothing else said.
    pub fn within(deadline_s: f64) -> Self {
        Self { deadline_s, confidence: default_confidence(), service_s: None }
    }
}

/// How many replicas there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    pub min: u32,
    pub max: u32,
    #[serde(default)]
    pub initial: u32,
}

/// One control loop: a law, the metric it reads and the actuator it moves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoopSpec {
    /// Unique in the job; names its line on the charts.
    pub name: String,
    pub controller: PluginSpec,
    /// The metric it reads, such as `progress_error`.
    pub metric: String,
    pub actuator: PluginSpec,
    /// Seconds between two decisions.
    pub interval_s: f64,
}

/// How a job's items are handed out, and where they are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobQueue {
    /// An item that was given out this many times without being completed is dead.
    pub max_attempts: u32,
    pub order: Order,
    /// What keeps the items, their states and their results: [`JobQueue::REDIS`], or nobody but the server in its data folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// Where the Redis is, for the backend of that name. Its name and password are with the server alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl JobQueue {
    /// A Redis or Valkey that is there already.
    pub const REDIS: &str = "redis";

    pub fn in_redis(&self) -> bool {
        self.backend.as_deref() == Some(Self::REDIS)
    }

    pub fn rules(&self) -> QueueSpec {
        QueueSpec { max_attempts: self.max_attempts, order: self.order }
    }
}

impl From<QueueSpec> for JobQueue {
    /// Kept by the server itself.
    fn from(rules: QueueSpec) -> Self {
        Self { max_attempts: rules.max_attempts, order: rules.order, backend: None, url: None }
    }
}

/// How items are handed out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QueueSpec {
    /// An item that was given out this many times without being completed is dead.
    pub max_attempts: u32,
    /// In which order waiting items are handed out.
    pub order: Order,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// First line first.
    Fifo,
    /// Last line first, as the original did.
    Lifo,
}

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Accepted; its items are being loaded.
    Created,
    Running,
    /// No replicas, nothing lost; can be resumed.
    Suspended,
    /// Stop was asked: replicas finish what they hold.
    Stopping,
    /// Every item is done or dead, and at least one is done.
    Completed,
    /// It could not be started or every item is dead; the reason is in `reason`.
    Failed,
    Stopped,
    Terminated,
}

impl Phase {
    pub fn ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Stopped | Self::Terminated)
    }

    /// Stored and shown form, the same as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Stopping => "stopping",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Terminated => "terminated",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        serde_json::from_value(serde_json::Value::String(word.to_owned())).ok()
    }
}
