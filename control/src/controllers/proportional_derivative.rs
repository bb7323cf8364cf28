//! `proportional_derivative`: beyond a trigger, u ← u − Kp·e − Kd·(e − the e before); the first difference is 0.
//! The original's arithmetic, to the bit: like it, it remembers the error of every check but acts only beyond a
//! trigger, and knows no time between two checks. Its factors relate to the original's as those of `proportional`.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::trigger::{self, Side};
use super::{Controller, words};
use crate::decision::{Term, Wish};
use crate::guard::GuardParams;
use crate::observation::Observation;
use crate::plugin::Plugin;

pub struct ProportionalDerivative;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Replicas added at each check for being a whole job behind plan: 40 answers 5 % behind with two more.
    /// The original's factor, in percent, times the largest allocation.
    #[garde(range(min = 0.0, max = 10000.0))]
    #[schemars(extend("x-unit" = "replicas per job", "x-step" = 1))]
    pub proportional_factor: f64,
    /// Replicas for falling behind by a whole job since the check before, whatever the time between them. It
    /// calms what the proportional factor stirs up.
    #[garde(range(min = 0.0, max = 100_000.0))]
    #[schemars(extend("x-unit" = "replicas per job", "x-step" = 1))]
    pub derivative_factor: f64,
    /// It acts from this far behind plan on; 0.05 is a twentieth.
    #[garde(range(min = 0.0, max = 1.0))]
    #[schemars(extend("x-unit" = "share of the job", "x-step" = 0.01))]
    pub trigger_up: f64,
    /// It acts from this far ahead of plan on.
    #[garde(range(min = 0.0, max = 1.0))]
    #[schemars(extend("x-unit" = "share of the job", "x-step" = 0.01))]
    pub trigger_down: f64,
    #[garde(dive)]
    pub guards: GuardParams,
}

impl Default for Params {
    /// With work of W replica-seconds and a check every T seconds the loop is the oscillator
    /// e″ + Kd/W·e′ + Kp/(T·W)·e = 0: well damped (0.9) for W = 900 and T = 5.
    fn default() -> Self {
        Self { proportional_factor: 10.0, derivative_factor: 80.0, trigger_up: 0.0, trigger_down: 0.0, guards: GuardParams::none() }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    last_error: Option<f64>,
}

impl Plugin for ProportionalDerivative {
    const KIND: &'static str = "proportional_derivative";
    const TITLE: &'static str = "Proportional derivative";
    const ABOUT: &'static str = "Adds or removes replicas in proportion to the distance from the plan and to its change \
        since the check before; brakes before it arrives, where Proportional swings.";
    type Params = Params;
}

impl Controller for ProportionalDerivative {
    type Memory = Memory;

    fn step(params: &Params, memory: &mut Memory, seen: &Observation) -> Wish {
        let error = seen.metric();
        let change = memory.last_error.map_or(0.0, |last| error - last);
        memory.last_error = Some(error);

        let replicas = f64::from(seen.allocated());
        let (up, down) = (params.trigger_up, params.trigger_down);
        let place = trigger::place(error, up, down);
        if trigger::side(error, up, down) == Side::Within {
            return Wish { value: replicas, terms: terms(0.0, 0.0), why: format!("{place}: nothing to do."), ..Wish::default() };
        }

        let p = -error * params.proportional_factor;
        let d = -params.derivative_factor * change;
        let sum = replicas + p + d;
        // `min` and `max` would take a bound for what is no number; the guards hold instead.
        let bounded = sum.min(f64::from(seen.bounds.max)).max(f64::from(seen.bounds.min));
        let wanted = if sum.is_nan() { sum } else { bounded };
        let (p_words, d_words) = (words::short(p), words::short(d));
        let why = format!("{place}: {p_words} for the distance and {d_words} for its change, {}.", trigger::change(replicas, wanted));
        Wish { value: wanted, terms: terms(p, d), why, ..Wish::default() }
    }

    fn guards(params: &Params) -> &GuardParams {
        &params.guards
    }
}

fn terms(p: f64, d: f64) -> Vec<Term> {
    [("p", p), ("d", d)].map(|(name, value)| Term { name: name.to_owned(), value }).into()
}
