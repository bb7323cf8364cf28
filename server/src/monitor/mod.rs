//! Monitors: each reads one source once a tick and publishes named metrics. One file and one line a monitor.

pub mod cost;
pub mod cpu;
pub mod k8s_cpu;
pub mod k8s_memory;
mod pods;
pub mod progress;

use async_trait::async_trait;
use control::observation::Items;
use control::plugin::{FieldError, KindInfo, Plugin, PluginSpec, describe, parse};
use serde_json::Value;

use crate::platform::Measured;

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
    /// Of each replica that was measured, with the age of the reading.
    pub used: Vec<Used>,
    /// How that is read, where the platform tells.
    pub measured: Option<Measured>,
    /// Replicas that are there now, whatever they do.
    pub replicas: u32,
    /// How long all replicas of the job together were there so far, in hours.
    pub replica_hours: f64,
}

/// What one replica used when it was measured last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Used {
    pub cores: f64,
    /// Part of the CPU that it may use; `None` without a limit, or while it is too new.
    pub cpu_share: Option<f64>,
    pub memory_bytes: u64,
    /// Part of the memory above which it is killed; `None` without a limit.
    pub memory_share: Option<f64>,
    pub age_ms: u64,
}

/// The mean of what some replicas say, and of none that say nothing.
pub fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0_u32, 0.0), |(count, sum), value| (count + 1, sum + value));
    (0 < count).then(|| sum / f64::from(count))
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

    /// What people should know of its source, once: a sentence that was not told before.
    fn note(&mut self) -> Option<String> {
        None
    }
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
    static ALL: &[Entry] = &[
        entry::<progress::Progress>(),
        entry::<cpu::Cpu>(),
        entry::<k8s_cpu::K8sCpu>(),
        entry::<k8s_memory::K8sMemory>(),
        entry::<cost::Cost>(),
    ];
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
