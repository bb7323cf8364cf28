//! Actuators: each makes a wanted allocation true. One file and one line an actuator.

pub mod k8s_cpu;
pub mod k8s_replicas;
pub mod local_replicas;

use control::job::Bounds;
use control::plugin::{FieldError, KindInfo, Plugin, PluginSpec, describe, parse};
use serde_json::Value;

use crate::monitor::unknown;

/// What an actuator can move of a running job.
pub trait Scalable: Send {
    /// How many replicas there shall be; those above are drained for at most `drain_s` seconds each.
    fn want(&mut self, replicas: u32, drain_s: f64);

    /// The CPU of each replica, where the platform can change it while they run.
    fn cpu(&self) -> Option<CpuStand> {
        None
    }

    /// How much CPU each replica shall have, in thousandths of a core, without a restart. Refusals come later, in `cpu`.
    fn want_cpu(&mut self, _millicores: u32) {}
}

/// The CPU of a job's replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuStand {
    /// What each is to have, in thousandths of a core; what they have, where that was refused.
    pub millicores: u32,
    /// What they use of it is not measured yet: a decision now would be by what was before.
    pub settling: bool,
    /// Why the cluster did not do it, in whole sentences.
    pub refused: Option<String>,
}

/// What an actuator moves, where that is not the number of replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub allocation: u32,
    pub bounds: Bounds,
    /// Its last move is not to be seen yet.
    pub settling: bool,
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

    /// What it moves and where that stands. `None`: the number of replicas.
    ///
    /// # Errors
    /// When it cannot move anything now, in words.
    fn stand(&self, _job: &dyn Scalable) -> Result<Option<Standing>, ActuatorError> {
        Ok(None)
    }

    /// Whether what it moves is the number of replicas.
    fn moves_replicas(&self) -> bool {
        true
    }

    /// A sentence of a law, which speaks of replicas, in what this one moves.
    fn say(&self, text: String) -> String {
        text
    }
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
    static ALL: &[Entry] = &[entry::<local_replicas::LocalReplicas>(), entry::<k8s_replicas::K8sReplicas>(), entry::<k8s_cpu::K8sCpu>()];
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
