//! Actuators: each makes a wanted allocation true. One file and one line an actuator.

pub mod local_replicas;

use control::plugin::{FieldError, KindInfo, Plugin, PluginSpec, describe, parse};
use serde_json::Value;

use crate::monitor::unknown;

/// What an actuator can move of a running job.
pub trait Scalable: Send {
    /// How many replicas there shall be; those above are drained for at most `drain_s` seconds each.
    fn want(&mut self, replicas: u32, drain_s: f64);
}

#[derive(Debug, thiserror::Error)]
#[error("actuator {actuator} refused: {why}")]
pub struct ActuatorError {
    pub actuator: &'static str,
    pub why: String,
}

/// A ready actuator. Answers with what it set.
pub trait Actuator: Send {
    fn move_to(&mut self, to: u32, job: &mut dyn Scalable) -> Result<u32, ActuatorError>;
}

/// An actuator as a plugin: from checked parameters to a ready one.
pub trait ActuatorPlugin: Plugin {
    fn build(params: Self::Params) -> Box<dyn Actuator>;
}

/// Makes an actuator of checked parameters, or tells every problem.
type Build = fn(&Value) -> Result<Box<dyn Actuator>, Vec<FieldError>>;

/// A row of the catalog.
pub struct Entry {
    pub kind: &'static str,
    pub describe: fn() -> KindInfo,
    pub build: Build,
}

const fn entry<A: ActuatorPlugin>() -> Entry {
    Entry { kind: A::KIND, describe: describe::<A>, build: |params| Ok(A::build(parse::<A>(params)?)) }
}

/// All actuators, one line each.
pub fn catalog() -> &'static [Entry] {
    static ALL: &[Entry] = &[entry::<local_replicas::LocalReplicas>()];
    ALL
}

/// Builds an actuator from its stored form.
pub fn build(spec: &PluginSpec) -> Result<Box<dyn Actuator>, Vec<FieldError>> {
    let entry = catalog()
        .iter()
        .find(|entry| entry.kind == spec.kind)
        .ok_or_else(|| vec![unknown("actuator", &spec.kind, catalog().iter().map(|entry| entry.kind))])?;
    (entry.build)(&spec.params).map_err(|errors| errors.into_iter().map(|error| error.under("params")).collect())
}
