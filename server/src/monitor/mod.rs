//! Monitors: each reads one source once a tick and publishes named metrics. One file and one line a monitor.

pub mod cpu;
pub mod progress;

use async_trait::async_trait;
use control::observation::Items;
use control::plugin::{FieldError, KindInfo, Plugin, PluginSpec, describe, parse};
use serde_json::Value;

/// What the job looks like at one tick; monitors derive their metrics from it.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Milliseconds since the job's start.
    pub at_ms: u64,
    /// Deadline, milliseconds since the job's start.
    pub deadline_ms: u64,
    pub items: Items,
    /// Share of one core for each replica that lives, since the tick before.
    pub cpu: Vec<f64>,
    /// Resident bytes of all replicas.
    pub memory_bytes: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("monitor {monitor} could not read: {why}")]
pub struct MonitorError {
    pub monitor: &'static str,
    pub why: String,
}

/// A running monitor. A failing one blinds the loops on its metrics and never stops the job.
#[async_trait]
pub trait Monitor: Send {
    async fn read(&mut self, reading: &Reading) -> Result<Vec<(String, f64)>, MonitorError>;
}

/// A monitor as a plugin: from checked parameters to a running one.
pub trait MonitorPlugin: Plugin {
    /// Names of the metrics that it publishes; loops may read these.
    const METRICS: &'static [&'static str];
    fn build(params: Self::Params) -> Box<dyn Monitor>;
}

/// Makes a monitor of checked parameters, or tells every problem.
type Build = fn(&Value) -> Result<Box<dyn Monitor>, Vec<FieldError>>;

/// A row of the catalog.
pub struct Entry {
    pub kind: &'static str,
    pub metrics: &'static [&'static str],
    pub describe: fn() -> KindInfo,
    pub build: Build,
}

const fn entry<M: MonitorPlugin>() -> Entry {
    Entry { kind: M::KIND, metrics: M::METRICS, describe: describe::<M>, build: |params| Ok(M::build(parse::<M>(params)?)) }
}

/// All monitors, one line each.
pub fn catalog() -> &'static [Entry] {
    static ALL: &[Entry] = &[entry::<progress::Progress>(), entry::<cpu::Cpu>()];
    ALL
}

pub fn find(kind: &str) -> Option<&'static Entry> {
    catalog().iter().find(|entry| entry.kind == kind)
}

/// Builds a monitor from its stored form.
pub fn build(spec: &PluginSpec) -> Result<Box<dyn Monitor>, Vec<FieldError>> {
    let entry = find(&spec.kind).ok_or_else(|| vec![unknown("monitor", &spec.kind, catalog().iter().map(|entry| entry.kind))])?;
    (entry.build)(&spec.params).map_err(|errors| errors.into_iter().map(|error| error.under("params")).collect())
}

/// The error for a kind that no catalog has.
pub fn unknown<'a>(what: &str, kind: &str, known: impl Iterator<Item = &'a str>) -> FieldError {
    let known: Vec<&str> = known.collect();
    FieldError::new("kind", format!("there is no {what} \"{kind}\"; known are {}", known.join(", ")))
}
