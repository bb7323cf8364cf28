//! `progress_tendency`: the steps of `threshold`, and within its triggers the same steps against the tendency.
//! The original's arithmetic, to the bit.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::trigger::{self, Side};
use super::{Controller, words};
use crate::decision::{Term, Wish};
use crate::guard::GuardParams;
use crate::observation::Observation;
use crate::plugin::Plugin;

pub struct ProgressTendency;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// How many replicas one action adds or removes.
    #[garde(range(min = 1, max = 1000))]
    #[schemars(extend("x-unit" = "replicas", "x-step" = 1))]
    pub actuation_size: u32,
    /// Being behind plan by this share of the job, or by more, adds replicas whatever the tendency; 0.05 is
    /// a twentieth.
    #[garde(range(min = 0.0, max = 1.0))]
    #[schemars(extend("x-unit" = "share of the job", "x-step" = 0.01))]
    pub trigger_up: f64,
    /// Being ahead of plan by this share of the job, or by more, removes replicas whatever the tendency.
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

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    last_error: Option<f64>,
}

impl Plugin for ProgressTendency {
    const KIND: &'static str = "progress_tendency";
    const TITLE: &'static str = "Progress tendency";
    const ABOUT: &'static str = "As Threshold, and between its triggers it adds a step while the job falls behind and \
        removes one while it gains: quicker to answer, and always in motion.";
    type Params = Params;
}

impl Controller for ProgressTendency {
    type Memory = Memory;

    fn step(params: &Params, memory: &mut Memory, seen: &Observation) -> Wish {
        let error = seen.metric();
        let tendency = memory.last_error.map_or(0.0, |last| error - last);
        memory.last_error = Some(error);

        let size = f64::from(params.actuation_size);
        let replicas = f64::from(seen.allocated());
        // The original bounds only the end that it moves towards.
        let more = (replicas + size).min(f64::from(seen.bounds.max));
        let fewer = (replicas - size).max(f64::from(seen.bounds.min));

        let (up, down) = (params.trigger_up, params.trigger_down);
        let place = trigger::place(error, up, down);
        let (wanted, why) = match trigger::side(error, up, down) {
            Side::Behind => (more, format!("{place}: {}.", trigger::change(replicas, more))),
            Side::Ahead => (fewer, format!("{place}: {}.", trigger::change(replicas, fewer))),
            Side::Within if tendency < 0.0 => {
                let lost = words::percent(-tendency);
                (more, format!("{place}, and {lost} lost since the last check: {}.", trigger::change(replicas, more)))
            }
            Side::Within if tendency > 0.0 => {
                let gained = words::percent(tendency);
                (fewer, format!("{place}, and {gained} gained since the last check: {}.", trigger::change(replicas, fewer)))
            }
            Side::Within => (replicas, format!("{place}, and no tendency: nothing to do.")),
        };
        let terms = [("step", wanted - replicas), ("tendency", tendency)].map(|(name, value)| Term { name: name.to_owned(), value });
        Wish { value: wanted, terms: terms.into(), why, ..Wish::default() }
    }

    fn guards(params: &Params) -> &GuardParams {
        &params.guards
    }
}
