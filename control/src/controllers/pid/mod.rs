//! `pid`: proportional, integral and derivative action on the distance from the plan, in two forms:
//! the original's arithmetic to the bit, and a sound one.

mod compat;
mod sound;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Controller, words};
use crate::decision::{Term, Wish};
use crate::guard::GuardParams;
use crate::observation::Observation;
use crate::plugin::Plugin;

pub struct Pid;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Knows the time between two checks, filters its derivative, stops integrating when it is cut, and keeps
    /// fractions.
    #[default]
    Sound,
    /// The original's arithmetic: each check adds the whole part of the sum of its terms to the
    /// replicas. The original had no largest step: set that to 0 for the same moves.
    Compat,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Which arithmetic.
    #[garde(skip)]
    pub form: Form,
    /// Replicas wanted for being a whole job behind plan: 40 answers 5 % behind with two replicas. In the
    /// compat form they are added again at every check.
    #[garde(range(min = 0.0, max = 10000.0))]
    #[schemars(extend("x-unit" = "replicas per job", "x-step" = 1))]
    pub proportional_gain: f64,
    /// Replicas added for each second of being a whole job behind plan. In the compat form: replicas for
    /// the plain sum of all errors, one for each check, whatever the time between them.
    #[garde(range(min = 0.0, max = 1000.0))]
    #[schemars(extend("x-unit" = "replicas per job and second", "x-step" = 0.1))]
    pub integral_gain: f64,
    /// Replicas for falling behind by a whole job a second. In the compat form: replicas for the change
    /// since the check before, whatever the time between them.
    #[garde(range(min = 0.0, max = 10000.0))]
    #[schemars(extend("x-unit" = "replica seconds per job", "x-step" = 1))]
    pub derivative_gain: f64,
    /// How slowly the derivative follows, so that single items do not shake it. The compat form has no filter.
    #[garde(range(min = 0.0, max = 600.0))]
    #[schemars(extend("x-unit" = "s", "x-step" = 1))]
    pub derivative_filter_s: f64,
    #[garde(dive)]
    pub guards: GuardParams,
}

impl Default for Params {
    /// For a job of some minutes and some hundred items. With work of W replica-seconds the loop is the
    /// oscillator e″ + 40/W·e′ + 0.5/W·e = 0: well damped (0.94) for W = 900, slower and livelier above.
    fn default() -> Self {
        Self {
            form: Form::Sound,
            proportional_gain: 40.0,
            integral_gain: 0.5,
            derivative_gain: 0.0,
            derivative_filter_s: 5.0,
            guards: GuardParams::default(),
        }
    }
}

/// Each form remembers in its own way; changing the form begins afresh.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Memory {
    #[default]
    Fresh,
    Sound(sound::Memory),
    Compat(compat::Memory),
}

impl Plugin for Pid {
    const KIND: &'static str = "pid";
    const TITLE: &'static str = "PID";
    const ABOUT: &'static str = "Moves replicas in proportion to the distance from the plan, to how long it lasted and \
        to how fast it changes; smooth, once its gains fit the job.";
    type Params = Params;
}

impl Controller for Pid {
    type Memory = Memory;

    fn step(params: &Params, memory: &mut Memory, seen: &Observation) -> Wish {
        match params.form {
            Form::Sound => {
                let before = if let Memory::Sound(before) = memory { Some(&*before) } else { None };
                let (after, wish) = sound::step(params, before, seen);
                *memory = Memory::Sound(after);
                wish
            }
            Form::Compat => {
                let before = if let Memory::Compat(before) = memory { Some(&*before) } else { None };
                let (after, wish) = compat::step(params, before, seen);
                *memory = Memory::Compat(after);
                wish
            }
        }
    }

    fn guards(params: &Params) -> &GuardParams {
        &params.guards
    }
}

fn terms(p: f64, i: f64, d: f64) -> Vec<Term> {
    [("p", p), ("i", i), ("d", d)].map(|(name, value)| Term { name: name.to_owned(), value }).into()
}
