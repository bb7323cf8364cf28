//! The original's PID, to the bit: n' = n + trunc(−Kp·e − Kd·Δe − Ki·Σe).
//! Its first Δe is 0, it knows no time, its sum has no end and its fractions are lost.

use serde::{Deserialize, Serialize};

use super::{Params, terms, words};
use crate::decision::Wish;
use crate::observation::Observation;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    last_error: f64,
    /// Of all errors so far.
    sum: f64,
}

pub fn step(params: &Params, before: Option<&Memory>, seen: &Observation) -> (Memory, Wish) {
    let error = seen.metric();
    let change = before.map_or(0.0, |before| error - before.last_error);
    // Only the end of the number range bounds the sum: JSON could not store infinity.
    let sum = (before.map_or(0.0, |before| before.sum) + error).clamp(f64::MIN, f64::MAX);

    let p = -error * params.proportional_gain;
    let d = -params.derivative_gain * change;
    let i = -sum * params.integral_gain;
    let output = p + d + i;
    let action = output.trunc();

    let lag = words::lag(error);
    let why = if action == 0.0 {
        format!("{lag}: the terms sum to {}, less than a whole replica.", words::short(output))
    } else {
        let direction = if action > 0.0 { "more" } else { "fewer" };
        let count = words::replicas(action.abs() as u32);
        format!("{lag}: the terms sum to {}, {count} {direction}.", words::short(output))
    };
    let wish = Wish { value: f64::from(seen.allocated()) + action, terms: terms(p, i, d), why, ..Wish::default() };
    (Memory { last_error: error, sum }, wish)
}
