//! `proportional`: beyond a trigger, replicas are added or removed in proportion to the distance from the plan.
//! The arithmetic of the original's `error_proportional` and `error_proportional_up_down`, to the bit; the first
//! is the second with two equal factors.
//!
//! The original moved a share of a processor and measured its error in percent points: its factor is a percent of
//! a processor for each percent of the job. Here an error is a share and replicas are moved; where all replicas
//! together stand for the whole processor, a factor of K there is one of K × (largest allocation) here.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Controller;
use super::trigger::{self, Side};
use crate::decision::{Term, Wish};
use crate::guard::GuardParams;
use crate::observation::Observation;
use crate::plugin::Plugin;

pub struct Proportional;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Replicas added at each check for being a whole job behind plan: 40 answers 5 % behind with two more.
    /// Less than half a replica moves nothing. The original's factor, in percent, times the largest allocation.
    #[garde(range(min = 0.0, max = 10000.0))]
    #[schemars(extend("x-unit" = "replicas per job", "x-step" = 1))]
    pub factor_up: f64,
    /// Replicas removed at each check for being a whole job ahead of plan. Set it like the factor up for one
    /// factor both ways, or lower to let go slowly.
    #[garde(range(min = 0.0, max = 10000.0))]
    #[schemars(extend("x-unit" = "replicas per job", "x-step" = 1))]
    pub factor_down: f64,
    /// Being behind plan by this share of the job, or by more, adds replicas; 0.05 is a twentieth.
    #[garde(range(min = 0.0, max = 1.0))]
    #[schemars(extend("x-unit" = "share of the job", "x-step" = 0.01))]
    pub trigger_up: f64,
    /// Being ahead of plan by this share of the job, or by more, removes replicas.
    #[garde(range(min = 0.0, max = 1.0))]
    #[schemars(extend("x-unit" = "share of the job", "x-step" = 0.01))]
    pub trigger_down: f64,
    #[garde(dive)]
    pub guards: GuardParams,
}

impl Default for Params {
    /// A factor of 20 moves the first replica at an error of 0.025. What is added stays, as in an integrator:
    /// larger factors swing.
    fn default() -> Self {
        Self { factor_up: 20.0, factor_down: 20.0, trigger_up: 0.02, trigger_down: 0.02, guards: GuardParams::none() }
    }
}

/// It remembers nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {}

impl Plugin for Proportional {
    const KIND: &'static str = "proportional";
    const TITLE: &'static str = "Proportional";
    const ABOUT: &'static str = "Adds or removes replicas in proportion to the distance from the plan, each way with a \
        factor of its own; a small distance moves little, a large one much.";
    type Params = Params;
}

impl Controller for Proportional {
    type Memory = Memory;

    fn step(params: &Params, _: &mut Memory, seen: &Observation) -> Wish {
        let error = seen.metric();
        let replicas = f64::from(seen.allocated());
        let (up, down) = (params.trigger_up, params.trigger_down);
        let place = trigger::place(error, up, down);
        // The original bounds only the end that it moves towards.
        let wanted = match trigger::side(error, up, down) {
            Side::Behind => (replicas + (error * params.factor_up).abs()).min(f64::from(seen.bounds.max)),
            Side::Ahead => (replicas - (error * params.factor_down).abs()).max(f64::from(seen.bounds.min)),
            Side::Within => {
                let terms = vec![Term { name: "p".to_owned(), value: 0.0 }];
                return Wish { value: replicas, terms, why: format!("{place}: nothing to do."), ..Wish::default() };
            }
        };
        let terms = vec![Term { name: "p".to_owned(), value: wanted - replicas }];
        Wish { value: wanted, terms, why: format!("{place}: {}.", trigger::change(replicas, wanted)), ..Wish::default() }
    }

    fn guards(params: &Params) -> &GuardParams {
        &params.guards
    }
}
