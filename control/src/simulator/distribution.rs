//! How long something takes: the shapes a scenario can name.

use serde::{Deserialize, Serialize};

use super::random::Random;

/// Seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Distribution {
    Constant(f64),
    Uniform {
        min: f64,
        max: f64,
    },
    Exponential {
        mean: f64,
    },
    /// `cv` is the deviation as a share of the mean.
    Lognormal {
        mean: f64,
        cv: f64,
    },
    /// Of the tail beyond `max` every draw is `max`.
    Pareto {
        min: f64,
        alpha: f64,
        max: f64,
    },
    Bimodal {
        fast: f64,
        slow: f64,
        share_slow: f64,
    },
    /// These, in this order, and over again.
    Trace(Vec<f64>),
}

impl Distribution {
    /// The `index`-th draw.
    pub fn draw(&self, index: usize, random: &mut Random) -> f64 {
        match self {
            Self::Constant(seconds) => *seconds,
            Self::Uniform { min, max } => random.between(*min, *max),
            Self::Exponential { mean } => mean * random.exponential(),
            Self::Lognormal { mean, cv } => {
                let variance = libm::log(1.0 + cv * cv);
                mean * libm::exp(variance.sqrt() * random.normal() - variance / 2.0)
            }
            Self::Pareto { min, alpha, max } => (min * libm::pow(1.0 - random.unit(), -1.0 / alpha)).min(*max),
            Self::Bimodal { fast, slow, share_slow } => {
                if random.unit() < *share_slow {
                    *slow
                } else {
                    *fast
                }
            }
            Self::Trace(seconds) => seconds[index % seconds.len()],
        }
    }

    /// What is wrong with it: the field, empty for the whole, and why.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut check = |field, sound: bool, must: &str, was: f64| {
            if !sound {
                problems.push((field, format!("must be {must}, was {was}")));
            }
        };
        let positive = |number: f64| number.is_finite() && 0.0 < number;
        let zero_or_more = |number: f64| number.is_finite() && 0.0 <= number;
        match self {
            Self::Constant(seconds) => check("constant", zero_or_more(*seconds), "0 or more", *seconds),
            Self::Uniform { min, max } => {
                check("uniform.min", zero_or_more(*min), "0 or more", *min);
                check("uniform.max", max.is_finite() && min <= max, "min or more", *max);
            }
            Self::Exponential { mean } => check("exponential.mean", positive(*mean), "above 0", *mean),
            Self::Lognormal { mean, cv } => {
                check("lognormal.mean", positive(*mean), "above 0", *mean);
                check("lognormal.cv", zero_or_more(*cv) && *cv <= 100.0, "between 0 and 100", *cv);
            }
            Self::Pareto { min, alpha, max } => {
                check("pareto.min", positive(*min), "above 0", *min);
                check("pareto.alpha", positive(*alpha), "above 0", *alpha);
                check("pareto.max", max.is_finite() && min <= max, "min or more", *max);
            }
            Self::Bimodal { fast, slow, share_slow } => {
                check("bimodal.fast", zero_or_more(*fast), "0 or more", *fast);
                check("bimodal.slow", zero_or_more(*slow), "0 or more", *slow);
                check("bimodal.share_slow", (0.0..=1.0).contains(share_slow), "between 0 and 1", *share_slow);
            }
            Self::Trace(seconds) => {
                check("trace", !seconds.is_empty(), "at least one number", 0.0);
                for second in seconds {
                    check("trace", zero_or_more(*second), "0 or more", *second);
                }
            }
        }
        problems
    }
}
