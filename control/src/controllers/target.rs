//! `target`: holds a metric at a value by the ratio between the two, as the Kubernetes HorizontalPodAutoscaler does:
//! wanted = ceil(replicas × metric ÷ target), nothing within a tolerance, and downwards the largest wish of a window.
//! After “Algorithm details” and “Stabilization window” of kubernetes.io/docs, “Horizontal Pod Autoscaling”.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Controller, words};
use crate::decision::{Term, Wish};
use crate::guard::GuardParams;
use crate::observation::{Observation, ReplicaState};
use crate::plugin::Plugin;

/// A division may leave 12 as 12.000000000000002, and that is no reason for a thirteenth replica.
const ROUNDING: f64 = 1e-9;

pub struct Target;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Name of the metric to hold, such as cpu. Empty, it is the one that the loop reads.
    #[garde(length(max = 120))]
    pub metric: String,
    /// The value to hold it at, in the metric's own unit.
    #[garde(range(min = 0.000_001, max = 1e9))]
    #[schemars(extend("x-unit" = "of the metric", "x-step" = 0.1))]
    pub target: f64,
    /// The metric rises with more replicas, as a cost does; otherwise it falls, as a load for each of them does.
    #[garde(skip)]
    pub inverse: bool,
    /// A metric that differs from its target by no more than this share moves nothing.
    #[garde(range(min = 0.0, max = 1.0))]
    #[schemars(extend("x-unit" = "share of the target", "x-step" = 0.01))]
    pub tolerance: f64,
    /// Fewer replicas only when everything wanted within this time was fewer.
    #[garde(range(min = 0.0, max = 3600.0))]
    #[schemars(extend("x-unit" = "s", "x-step" = 10))]
    pub scale_down_window_s: f64,
    /// More replicas only when everything wanted within this time was more; 0 adds at once.
    #[garde(range(min = 0.0, max = 3600.0))]
    #[schemars(extend("x-unit" = "s", "x-step" = 10))]
    pub scale_up_window_s: f64,
    /// A metric older than this is as good as none, and holds.
    #[garde(range(min = 1.0, max = 3600.0))]
    #[schemars(extend("x-unit" = "s", "x-step" = 1))]
    pub max_age_s: f64,
    #[garde(dive)]
    pub guards: GuardParams,
}

impl Default for Params {
    /// The autoscaler's own defaults, where it has one.
    fn default() -> Self {
        Self {
            metric: String::new(),
            target: 1.0,
            inverse: false,
            tolerance: 0.1,
            scale_down_window_s: 300.0,
            scale_up_window_s: 0.0,
            max_age_s: 60.0,
            guards: GuardParams::none(),
        }
    }
}

/// Wishes of the last windows, before they were smoothed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Oldest first; only those that no later one exceeds, for no other can be the largest.
    largest: Vec<Wanted>,
    /// Oldest first; only those that no later one undercuts.
    smallest: Vec<Wanted>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Wanted {
    at_ms: u64,
    replicas: u32,
}

impl Plugin for Target {
    const KIND: &'static str = "target";
    const TITLE: &'static str = "Target";
    const ABOUT: &'static str = "Holds any metric at a value, as the Kubernetes autoscaler does: a load for each replica, \
        or turned round a cost; for metrics other than the progress of the job.";
    type Params = Params;
}

impl Controller for Target {
    type Memory = Memory;

    /// What is lost in a crash lets go of some replicas earlier at worst.
    const REMEMBER_EVERY_MS: u64 = 10_000;

    fn step(params: &Params, memory: &mut Memory, seen: &Observation) -> Wish {
        let asked = seen.allocated();
        let metric = match metric(params, seen) {
            Ok(metric) => metric,
            Err(why) => return Wish { value: f64::from(asked), why: format!("{why}: it holds."), ..Wish::default() },
        };
        let ready = match ready(seen) {
            0 if asked > 0 => {
                let why = "No replica is ready, so the metric says nothing of them: it holds.".to_owned();
                return Wish { value: f64::from(asked), why, ..Wish::default() };
            }
            ready => ready,
        };

        let ratio = if params.inverse { params.target / metric } else { metric / params.target };
        let raw = recommend(params, ratio, ready, seen);
        let wanted = memory.smooth(params, seen.at_ms, asked, raw);

        let (value, target) = (words::short(metric), words::short(params.target));
        let name = if params.metric.is_empty() { "The metric" } else { &params.metric };
        let direction = if wanted > asked { "more" } else { "fewer" };
        let why = match (raw == asked, wanted == asked) {
            (true, true) => format!("{name} is {value} with a target of {target}: nothing to do."),
            (_, true) => format!("{name} is {value} with a target of {target}: {raw} wanted, held by what was wanted before."),
            _ => format!("{name} is {value} with a target of {target}: {} {direction}.", words::replicas(wanted.abs_diff(asked))),
        };
        let terms = [("ratio", ratio), ("unsmoothed", f64::from(raw))].map(|(name, value)| Term { name: name.to_owned(), value });
        Wish { value: f64::from(wanted), terms: terms.into(), why, ..Wish::default() }
    }

    fn guards(params: &Params) -> &GuardParams {
        &params.guards
    }
}

/// The metric, when it can be trusted. A negative one has no ratio to a target.
fn metric(params: &Params, seen: &Observation) -> Result<f64, String> {
    let (name, value, age_ms) = if params.metric.is_empty() {
        ("The metric", seen.metric(), 0)
    } else {
        let name = params.metric.as_str();
        let metric = seen.metrics.get(name).ok_or_else(|| format!("{name} is not measured"))?;
        (name, metric.value, metric.age_ms)
    };
    if !value.is_finite() {
        return Err(format!("{name} is not a finite number"));
    }
    if value < 0.0 {
        return Err(format!("{name} is negative and has no ratio to its target"));
    }
    let age_s = age_ms as f64 / 1000.0;
    if params.max_age_s < age_s {
        return Err(format!("{name} is {} s old, more than the allowed {} s", words::short(age_s), words::short(params.max_age_s)));
    }
    Ok(value)
}

/// Replicas that made the metric what it is: those that start add nothing to it yet. Without a list of them,
/// those that are asked for.
fn ready(seen: &Observation) -> u32 {
    if seen.replicas.is_empty() {
        return seen.allocated();
    }
    let ready = seen.replicas.iter().filter(|replica| matches!(replica.state, ReplicaState::Idle | ReplicaState::Busy)).count();
    u32::try_from(ready).unwrap_or(u32::MAX)
}

fn recommend(params: &Params, ratio: f64, ready: u32, seen: &Observation) -> u32 {
    if (ratio - 1.0).abs() <= params.tolerance {
        return seen.allocated();
    }
    // With none at work a load stands for one of them; of their cost nothing is known before the first.
    let wanted = match (params.inverse, ready) {
        (true, 0) => 1.0,
        (true, ready) => (f64::from(ready) * ratio * (1.0 + ROUNDING)).floor(),
        (false, ready) => (f64::from(ready.max(1)) * ratio * (1.0 - ROUNDING)).ceil(),
    };
    // A cast saturates: a cost of nothing allows any number.
    wanted.min(f64::from(seen.bounds.max)) as u32
}

impl Memory {
    /// Not above the smallest wish of the one window, not below the largest of the other.
    fn smooth(&mut self, params: &Params, at_ms: u64, asked: u32, raw: u32) -> u32 {
        // As if what is there had just been wanted: a new loop does not begin by letting go.
        let first = self.largest.is_empty().then_some(asked);
        let within = |earlier: &Wanted, window_s: f64| (at_ms.saturating_sub(earlier.at_ms) as f64) < window_s * 1000.0;
        for replicas in first.into_iter().chain([raw]) {
            self.largest.retain(|earlier| replicas < earlier.replicas && within(earlier, params.scale_down_window_s));
            self.largest.push(Wanted { at_ms, replicas });
            self.smallest.retain(|earlier| earlier.replicas < replicas && within(earlier, params.scale_up_window_s));
            self.smallest.push(Wanted { at_ms, replicas });
        }
        let most = self.largest.first().map_or(raw, |wanted| wanted.replicas);
        let least = self.smallest.first().map_or(raw, |wanted| wanted.replicas);
        asked.max(least).min(most)
    }
}
