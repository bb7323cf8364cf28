//! What pages are told: job summaries, frames of a live stream, marks. Plain data for server and browser.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::decision::Decision;
use crate::job::{JobSpec, Phase};
use crate::observation::Items;

/// A line of the jobs list, and the head of a job's page. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobSummary {
    pub id: String,
    pub name: String,
    pub phase: Phase,
    /// Why it failed or stopped, in words.
    pub reason: Option<String>,
    pub submitted_at: i64,
    pub started_at: Option<i64>,
    pub ended_at: Option<i64>,
    pub deadline_at: i64,
    pub items: Items,
    pub replicas: ReplicaCounts,
    /// Median and 95th percentile of the service times so far, seconds.
    pub service_p50_s: Option<f64>,
    pub service_p95_s: Option<f64>,
    /// What the last tick foretold; none while nothing is known, and for laws that foretell nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foretold: Option<Foretold>,
    /// Since when items wait, replicas are there and nobody takes one, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untaken_since: Option<i64>,
    /// Some replica exists or existed, so there is output to read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_output: bool,
    /// A person has seen how it ended and need not be told again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dismissed: bool,
}

/// When a job will be done, and how surely that is in time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Foretold {
    /// As likely before as after, milliseconds since 1970.
    pub at: i64,
    /// Probability that the deadline is met.
    pub p_meet: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaCounts {
    pub wanted: u32,
    pub running: u32,
    pub starting: u32,
    pub draining: u32,
}

/// Everything that a job's page needs for its first paint. The stream goes on after `seq`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobDetail {
    pub seq: i64,
    pub summary: JobSummary,
    pub spec: JobSpec,
    pub loops: Vec<LoopView>,
    /// Newest last, bounded by the server.
    pub marks: Vec<Mark>,
    pub series: Vec<Series>,
    pub replicas: Vec<ReplicaView>,
    /// How forecasts of this program did before.
    #[serde(default)]
    pub record: Record,
}

/// How the forecasts of jobs that ran the same program did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Jobs that completed.
    pub jobs: u32,
    /// Of those, jobs whose finish was foretold at half of their items.
    pub foretold: u32,
    /// Of those, jobs that finished within the band that should hold nine in ten.
    pub held: u32,
}

/// A loop with the tuning that runs now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoopView {
    pub name: String,
    pub kind: String,
    pub metric: String,
    pub actuator: String,
    pub revision: u32,
    pub params: Value,
    pub author: String,
    pub tuned_at: i64,
    /// What undo brings back: the newest older values that differ and were not undone themselves.
    pub previous: Option<Value>,
}

/// One series of a chart, decimated to the asked width with minima and maxima kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    pub name: String,
    /// Oldest first.
    pub points: Vec<Point>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Milliseconds since 1970: start of the bucket.
    pub at: i64,
    pub min: f64,
    pub max: f64,
    pub last: f64,
}

/// One message of a job's live stream. `seq` is its `Last-Event-ID`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    pub seq: i64,
    pub at: i64,
    pub summary: JobSummary,
    /// Newest value of each series, by name.
    pub samples: BTreeMap<String, f64>,
    /// Decisions, tunings and failures since the frame before.
    pub marks: Vec<Mark>,
    /// Present only when a loop's tuning changed.
    pub loops: Option<Vec<LoopView>>,
    pub replicas: Vec<ReplicaView>,
}

/// Something drawn on the time axis with its reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    pub at: i64,
    pub kind: MarkKind,
    /// One sentence.
    pub text: String,
    /// Which loop, for decisions and tunings.
    pub loop_name: Option<String>,
    pub decision: Option<Decision>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    More,
    Fewer,
    Tuned,
    Failure,
    Info,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplicaView {
    pub id: String,
    pub state: ReplicaState,
    pub started_at: i64,
    /// Where it runs: `process 4711`, `pod kj-1-abcde`.
    #[serde(default)]
    pub place: Option<String>,
    /// Where its queue is reached while it lives: `127.94.7.1:6379`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The items that it holds now.
    pub holds: Vec<String>,
    /// Share of one core since the tick before; 1.0 is a full core.
    pub cpu: f64,
    pub memory_bytes: u64,
    pub items_done: u64,
    /// How it ended, in words: `exit code 0`, `killed by signal 9`.
    pub ended: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaState {
    Starting,
    Idle,
    Busy,
    Draining,
    Ended,
}

/// One row of the items table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemView {
    /// Place in the workload, from 0.
    pub index: u64,
    pub item: String,
    pub state: ItemState,
    pub attempts: u32,
    pub replica: Option<String>,
    /// Seconds from take to completion, or since the take.
    pub service_s: Option<f64>,
    pub error: Option<String>,
    /// Size of its result in bytes, when there is one.
    pub result_bytes: Option<u64>,
    /// Sniffed from the result: `image/png`, `text/plain`, `application/octet-stream`.
    pub result_type: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    Waiting,
    Processing,
    Done,
    Dead,
}
