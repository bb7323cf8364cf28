//! `scripted`: plays a list of allocations by the clock, whatever it sees: to learn how a job answers to a step,
//! and to compare other laws with a fixed plan.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Controller, words};
use crate::decision::{Term, Wish};
use crate::guard::GuardParams;
use crate::observation::Observation;
use crate::plugin::Plugin;

/// More than any experiment needs, and still a page.
const MOST_STEPS: usize = 1000;

pub struct Scripted;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Seconds since the job's start and replicas from then on, as in 60: 5; one such step a line, or several
    /// with commas between them, in the order of their times.
    #[garde(custom(playable))]
    pub script: Vec<String>,
    #[garde(dive)]
    pub guards: GuardParams,
}

impl Default for Params {
    /// A step up and a step down, a minute each: what is needed to see how a job answers.
    fn default() -> Self {
        Self { script: ["0: 1", "60: 4", "120: 2"].map(str::to_owned).into(), guards: GuardParams::none() }
    }
}

/// It remembers nothing: the script and the time say all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {}

impl Plugin for Scripted {
    const KIND: &'static str = "scripted";
    const TITLE: &'static str = "Scripted";
    const ABOUT: &'static str = "Plays a list of allocations by the clock and looks at no metric; for experiments that \
        measure how a job answers.";
    type Params = Params;
}

impl Controller for Scripted {
    type Memory = Memory;

    fn step(params: &Params, _: &mut Memory, seen: &Observation) -> Wish {
        let now_s = seen.at_ms as f64 / 1000.0;
        // Checked when the params came.
        let steps = read(&params.script).unwrap_or_default();
        let next = steps.iter().position(|step| now_s < step.from_s).unwrap_or(steps.len());
        let until = steps.get(next).map_or_else(String::new, |step| format!(", until {} s", words::short(step.from_s)));
        let (wanted, why) = match next.checked_sub(1).and_then(|place| steps.get(place)) {
            Some(step) => {
                let replicas = words::replicas(step.replicas);
                (step.replicas, format!("By the script: {replicas} from {} s on{until}.", words::short(step.from_s)))
            }
            None => (seen.allocated(), format!("The script has not begun yet: {}{until}.", words::replicas(seen.allocated()))),
        };
        let value = f64::from(wanted);
        Wish { value, terms: vec![Term { name: "script".to_owned(), value }], why, ..Wish::default() }
    }

    fn guards(params: &Params) -> &GuardParams {
        &params.guards
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    from_s: f64,
    replicas: u32,
}

/// The steps of a script, or what is wrong with the first that is none.
fn read(script: &[String]) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    for text in script.iter().flat_map(|line| line.split(',')).map(str::trim).filter(|text| !text.is_empty()) {
        let Some(step) = one(text) else {
            let quoted: String = text.chars().take(40).collect();
            return Err(format!("must be steps of seconds: replicas such as 60: 5, was “{quoted}”"));
        };
        if let Some(before) = steps.last().filter(|before| step.from_s <= before.from_s) {
            return Err(format!("must have its steps in the order of their times, but {} s comes after {} s", step.from_s, before.from_s));
        }
        if steps.len() == MOST_STEPS {
            return Err(format!("must have at most {MOST_STEPS} steps"));
        }
        steps.push(step);
    }
    if steps.is_empty() { Err("must have at least one step such as 0: 2".to_owned()) } else { Ok(steps) }
}

fn one(text: &str) -> Option<Step> {
    let (from_s, replicas) = text.split_once(':')?;
    let from_s: f64 = from_s.trim().parse().ok()?;
    let replicas = replicas.trim().parse().ok()?;
    (from_s.is_finite() && 0.0 <= from_s).then_some(Step { from_s, replicas })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde hands its context over by reference")]
fn playable(script: &[String], (): &()) -> garde::Result {
    read(script).map(drop).map_err(garde::Error::new)
}
