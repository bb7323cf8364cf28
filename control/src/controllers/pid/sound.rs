//! A sound PID: wish = integral − Kp·e − Kd·(filtered slope of e), in fractional replicas.
//! The integral is kept in replicas and begins at what is there, so that a first step and a new gain make no bump.

use serde::{Deserialize, Serialize};

use super::{Params, terms, words};
use crate::decision::Wish;
use crate::observation::Observation;

/// A longer gap is blindness, not a pause between two checks; nobody knows the error in between.
const LONGEST_GAP_S: f64 = 120.0;

/// Far beyond any allocation; keeps what is stored finite.
const LARGEST: f64 = 1e9;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    at_ms: u64,
    value: f64,
    /// Replicas.
    integral: f64,
    /// The wish of the step before; against what is there now it tells on which side it was cut.
    wanted: f64,
    /// Filtered change of the metric a second. Taken from the metric and not from a set-point,
    /// whose jumps would kick.
    slope: f64,
    /// Gains of the step before: what a new gain would add at once is taken into the integral.
    proportional_gain: f64,
    derivative_gain: f64,
}

pub fn step(params: &Params, before: Option<&Memory>, seen: &Observation) -> (Memory, Wish) {
    let error = seen.metric();
    let replicas = f64::from(seen.allocated());
    let (kp, kd) = (params.proportional_gain, params.derivative_gain);

    let (slope, integral) = match before {
        None => (0.0, replicas),
        Some(before) => {
            let gap_s = (seen.at_ms.saturating_sub(before.at_ms) as f64 / 1000.0).min(LONGEST_GAP_S);
            let mut slope = before.slope;
            if 0.0 < gap_s {
                let raw = (error - before.value) / gap_s;
                slope += (raw - slope) * gap_s / (params.derivative_filter_s + gap_s);
            }
            let slope = slope.clamp(-LARGEST, LARGEST);

            let bumpless = before.integral + (kp - before.proportional_gain) * before.value + (kd - before.derivative_gain) * before.slope;
            let growth = -params.integral_gain * error * gap_s;
            // Cut by a guard, the integral may only come back towards what is there.
            let overhang = before.wanted - replicas;
            let grows_away = growth * overhang > 0.0;
            let integral = if seen.saturated && grows_away { bumpless } else { bumpless + growth };
            (slope, integral.clamp(-LARGEST, LARGEST))
        }
    };

    let p = -kp * error;
    let d = -kd * slope;
    let wanted = integral + p + d;
    let why = format!(
        "{}: {} replicas wanted, of them {} for the distance, {} for its change and {} kept.",
        words::lag(error),
        words::short(wanted),
        words::short(p),
        words::short(d),
        words::short(integral),
    );
    let memory = Memory {
        at_ms: seen.at_ms,
        value: error,
        integral,
        wanted: wanted.clamp(-LARGEST, LARGEST),
        slope,
        proportional_gain: kp,
        derivative_gain: kd,
    };
    (memory, Wish { value: wanted, terms: terms(p, integral, d), why, ..Wish::default() })
}
