//! What a job is, drawn: items, lengths, replicas, slack, and what its user believes.

use super::super::distribution::Distribution;
use super::super::random::Random;
use super::super::scenario::{ItemOrder, ItemSpec, ReplicaSpec, ScaleInSpec, Scenario};
use crate::observation::DEFAULT_CONFIDENCE;
use crate::plugin::PluginSpec;

#[derive(Debug, Clone)]
pub struct Base {
    pub count: u32,
    pub mean_s: f64,
    pub shape: Shape,
    pub startup_s: f64,
    /// The deadline against the end of the greatest allocation.
    pub slack: f64,
    /// About as many replicas as hindsight should need: so their number spans its range, and the greatest
    /// allocation is some times as much.
    pub least: f64,
    pub max: u32,
    pub hint: Hint,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    Constant,
    Lognormal(f64),
    Exponential,
    /// One item in ten takes ten times as long.
    Bimodal,
    /// With exponent 1.5, cut at a hundred times the least.
    Pareto,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    Right,
    Half,
    Double,
    None,
}

const MAX: std::ops::RangeInclusive<u32> = 2..=200;
/// Up to CV 2 and Pareto 1.5: wider ones are a set of their own.
const SHAPES: [Shape; 7] = [
    Shape::Constant,
    Shape::Lognormal(0.3),
    Shape::Lognormal(1.0),
    Shape::Lognormal(2.0),
    Shape::Exponential,
    Shape::Bimodal,
    Shape::Pareto,
];
/// A wrong one disturbs.
const HINTS: [Hint; 2] = [Hint::Right, Hint::None];

impl Base {
    pub fn draw(random: &mut Random) -> Option<Self> {
        let count = random.log_between(20.0, 20_000.0).round() as u32;
        let (slack, least) = (random.log_between(1.45, 10.0), random.log_between(1.0, 100.0));
        let max = (slack * least).round() as u32;
        (MAX.contains(&max) && max <= count).then(|| Self {
            count,
            mean_s: three_digits(random.log_between(0.2, 600.0)),
            shape: SHAPES[random.below(SHAPES.len())],
            startup_s: random.between(0.0, 60.0).round(),
            slack,
            least,
            max,
            hint: HINTS[random.below(HINTS.len())],
        })
    }

    /// Without its deadline, which follows from it.
    pub fn scenario(&self, random: &mut Random) -> Scenario {
        Scenario {
            schema: super::super::scenario::SCHEMA,
            name: String::new(),
            // JavaScript knows no larger whole numbers than 2^53.
            seed: random.between(0.0, 1e12) as u64,
            items: ItemSpec { count: self.count, service_s: self.shape.distribution(self.mean_s), order: ItemOrder::Drawn, drift: 1.0 },
            deadline_s: f64::MAX,
            confidence: DEFAULT_CONFIDENCE,
            replicas: ReplicaSpec { min: 1, max: self.max, initial: None },
            startup_s: if random.unit() < 0.5 {
                Distribution::Constant(self.startup_s)
            } else {
                Distribution::Uniform { min: 0.5 * self.startup_s, max: 1.5 * self.startup_s }
            },
            scale_in: ScaleInSpec::default(),
            tick_s: 1.0,
            speed: Vec::new(),
            available: Vec::new(),
            contention: None,
            crash_per_replica_hour: 0.0,
            actuation_delay_s: 0.0,
            metric_gap: Vec::new(),
            hint_service_s: self.hint_s(),
            changes: Vec::new(),
            controller: PluginSpec::new("deadline", serde_json::json!({})),
        }
    }

    /// What the user says the mean to be.
    pub fn hint_s(&self) -> Option<f64> {
        let factor = match self.hint {
            Hint::Right => 1.0,
            Hint::Half => 0.5,
            Hint::Double => 2.0,
            Hint::None => return None,
        };
        Some(factor * self.mean_s)
    }

    /// For the job's name.
    pub fn words(&self, causes: &[&str]) -> String {
        let Self { count, mean_s, shape, startup_s, slack, max, hint, .. } = self;
        let causes = if causes.is_empty() { String::new() } else { format!(", {}", causes.join(" + ")) };
        format!("{count} × {mean_s} s {}, start {startup_s} s, slack {slack:.2}, max {max}, hint {}{causes}", shape.word(), hint.word())
    }
}

impl Shape {
    pub fn distribution(self, mean: f64) -> Distribution {
        match self {
            Self::Constant => Distribution::Constant(mean),
            Self::Lognormal(cv) => Distribution::Lognormal { mean, cv },
            Self::Exponential => Distribution::Exponential { mean },
            // 0.9 × 1 + 0.1 × 10 = 1.9 times the fast one.
            Self::Bimodal => Distribution::Bimodal { fast: mean / 1.9, slow: mean / 0.19, share_slow: 0.1 },
            // 3 × (1 − 100^−0.5) + 100 × 100^−1.5 = 2.8 times the least.
            Self::Pareto => Distribution::Pareto { min: mean / 2.8, alpha: 1.5, max: 100.0 * mean / 2.8 },
        }
    }

    pub fn word(self) -> String {
        match self {
            Self::Constant => "constant".to_owned(),
            Self::Lognormal(cv) => format!("lognormal {cv}"),
            Self::Exponential => "exponential".to_owned(),
            Self::Bimodal => "bimodal".to_owned(),
            Self::Pareto => "pareto".to_owned(),
        }
    }
}

impl Hint {
    pub fn word(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Half => "half",
            Self::Double => "double",
            Self::None => "none",
        }
    }
}

/// Enough for a length, and short in a name.
fn three_digits(number: f64) -> f64 {
    let scale = [(100.0, 1.0), (10.0, 10.0), (1.0, 100.0)].into_iter().find(|(from, _)| *from <= number).map_or(1000.0, |(_, scale)| scale);
    (number * scale).round() / scale
}
