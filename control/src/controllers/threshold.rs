//! `threshold`: fixed steps when the job is farther from its plan than a trigger.
//! The arithmetic of the original's `default` scheduler, to the bit.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Controller, words};
use crate::decision::{Term, Wish};
use crate::guard::GuardParams;
use crate::observation::Observation;
use crate::plugin::Plugin;

pub struct Threshold;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// How many replicas one action adds or removes.
    #[garde(range(min = 1, max = 1000))]
    #[schemars(extend("x-unit" = "replicas", "x-step" = 1))]
    pub actuation_size: u32,
    /// Being behind plan by this share of the job, or by more, adds replicas; 0.05 is a twentieth.
    #[garde(range(min = 0.0, max = 1.0))]
    #[schemars(extend("x-unit" = "share of the job", "x-step" = 0.01))]
    pub trigger_up: f64,
    /// Being ahead of plan by this share of the job, or by more, removes replicas. With both triggers
    /// at 0 it acts at almost every check.
    #[garde(range(min = 0.0, max = 1.0))]
    #[schemars(extend("x-unit" = "share of the job", "x-step" = 0.01))]
    pub trigger_down: f64,
    #[garde(dive)]
    pub guards: GuardParams,
}

impl Default for Params {
    fn default() -> Self {
        Self { actuation_size: 1, trigger_up: 0.02, trigger_down: 0.05, guards: GuardParams::none() }
    }
}

/// It remembers nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {}

impl Plugin for Threshold {
    const KIND: &'static str = "threshold";
    const TITLE: &'static str = "Threshold";
    const ABOUT: &'static str = "Adds or removes a fixed number of replicas when the job is farther from its plan \
        than a trigger; simple, and easy to foresee.";
    type Params = Params;
}

impl Controller for Threshold {
    type Memory = Memory;

    fn step(params: &Params, _: &mut Memory, seen: &Observation) -> Wish {
        let error = seen.metric();
        let size = i64::from(params.actuation_size);
        let replicas = i64::from(seen.allocated());
        let (min, max) = (i64::from(seen.bounds.min), i64::from(seen.bounds.max));
        let lag = words::lag(error);
        let change = |wanted: i64| match (wanted - replicas, u32::try_from(wanted.abs_diff(replicas))) {
            (0, _) | (_, Err(_)) => format!("{replicas} is already at the bound."),
            (by, Ok(count)) => format!("{} {}.", words::replicas(count), if by > 0 { "more" } else { "fewer" }),
        };

        let (wanted, why) = if error > 0.0 && error >= params.trigger_down {
            let wanted = (replicas - size).max(min);
            (wanted, [&lag, ", beyond the trigger of ", &words::percent(params.trigger_down), ": ", &change(wanted)].concat())
        } else if error < 0.0 && error.abs() >= params.trigger_up {
            let wanted = (replicas + size).min(max);
            (wanted, [&lag, ", beyond the trigger of ", &words::percent(params.trigger_up), ": ", &change(wanted)].concat())
        } else if error == 0.0 {
            (replicas, format!("{lag}: nothing to do."))
        } else {
            let trigger = words::percent(if error < 0.0 { params.trigger_up } else { params.trigger_down });
            // Said at nearly every tick, so without the machinery of formats.
            (replicas, [&lag, ", within the trigger of ", &trigger, ": nothing to do."].concat())
        };
        Wish {
            value: wanted as f64,
            terms: vec![Term { name: "step".to_owned(), value: (wanted - replicas) as f64 }],
            why,
            ..Wish::default()
        }
    }

    fn guards(params: &Params) -> &GuardParams {
        &params.guards
    }
}
