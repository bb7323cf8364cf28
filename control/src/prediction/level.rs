//! The level of service times, in natural logarithms of milliseconds: constant, changed of late, or drifting.
//! Several models watch the same items; each counts by how well it foretold the last ones (Bayesian model
//! averaging with forgetting). So independent items are averaged over all, and a change is followed in a few.

use serde::{Deserialize, Serialize};

/// Evidence fades with this many items.
const EVIDENCE_ITEMS: f64 = 64.0;

/// Never so sure of one model that another could not win within a few items.
const SUREST: f64 = 12.0;

/// How far a trend is believed beyond what was seen: a factor of four.
const FURTHEST: f64 = 1.386;

/// Degrees of freedom of the likelihood: single giants must not decide between models.
const FREEDOM: f64 = 4.0;

/// One model: a constant or a straight line through the last items.
struct Model {
    /// How many items count; infinite counts all.
    horizon: f64,
    line: bool,
    /// What it must be better by, in natural units of evidence.
    handicap: f64,
}

const MODELS: [Model; 5] = [
    Model { horizon: f64::INFINITY, line: false, handicap: 0.0 },
    Model { horizon: 120.0, line: false, handicap: 1.5 },
    Model { horizon: 20.0, line: false, handicap: 3.0 },
    Model { horizon: f64::INFINITY, line: true, handicap: 3.0 },
    Model { horizon: 80.0, line: true, handicap: 4.0 },
];

/// Weighted sums for a regression on the item's number, about their own centre.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 6]", into = "[f64; 6]")]
struct Sums {
    weight: f64,
    place: f64,
    value: f64,
    place_place: f64,
    place_value: f64,
    evidence: f64,
}

/// Remembered without names: they would be most of the memory.
impl From<[f64; 6]> for Sums {
    fn from([weight, place, value, place_place, place_value, evidence]: [f64; 6]) -> Self {
        Self { weight, place, value, place_place, place_value, evidence }
    }
}

impl From<Sums> for [f64; 6] {
    fn from(sums: Sums) -> Self {
        [sums.weight, sums.place, sums.value, sums.place_place, sums.place_value, sums.evidence]
    }
}

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Levels {
    /// Items seen.
    count: f64,
    models: [Sums; MODELS.len()],
}

/// What is to be expected of the items to come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outlook {
    /// Logarithm of the typical service time, over all items to come.
    pub level: f64,
    /// Uncertainty of it, as a standard deviation.
    pub doubt: f64,
    /// The same for the last of them.
    pub last: f64,
    /// How many items the knowledge is worth.
    pub worth: f64,
}

impl Levels {
    pub fn count(&self) -> f64 {
        self.count
    }

    /// The level that was expected of the next item.
    pub fn next(&self, sd: f64) -> Outlook {
        self.ahead(1.0, sd)
    }

    /// Learns from one more item. `sd` is the spread of single items about their level.
    pub fn learn(&mut self, value: f64, sd: f64) {
        let place = self.count;
        for (model, sums) in MODELS.iter().zip(&mut self.models) {
            if sums.weight > 0.0 {
                let (foretold, doubt) = sums.at(model, place, sd);
                sums.evidence =
                    sums.evidence * (1.0 - 1.0 / EVIDENCE_ITEMS) + likelihood(value - foretold, libm::sqrt(sd * sd + doubt * doubt));
            }
            sums.add(model, place, value);
        }
        // Only differences count; kept near zero they stay exact.
        let best = self.models.iter().map(|sums| sums.evidence).fold(f64::NEG_INFINITY, f64::max);
        for sums in &mut self.models {
            sums.evidence = (sums.evidence - best).max(-SUREST);
        }
        self.count += 1.0;
    }

    /// What to expect of the next `items` items.
    pub fn ahead(&self, items: f64, sd: f64) -> Outlook {
        let weights = self.weights();
        let (mut level, mut last, mut square, mut worth) = (0.0, 0.0, 0.0, 0.0);
        for ((model, sums), weight) in MODELS.iter().zip(&self.models).zip(weights) {
            let (middle, doubt) = sums.at(model, self.count + items / 2.0, sd);
            let (end, _) = sums.at(model, self.count + items, sd);
            level += weight * middle;
            last += weight * end;
            square += weight * (doubt * doubt + middle * middle);
            worth += weight * sums.weight;
        }
        let variance = (square - level * level).max(0.0);
        Outlook { level, doubt: libm::sqrt(variance), last, worth }
    }

    fn weights(&self) -> [f64; MODELS.len()] {
        let mut weights = [0.0; MODELS.len()];
        let mut total = 0.0;
        for (weight, (model, sums)) in weights.iter_mut().zip(MODELS.iter().zip(&self.models)) {
            *weight = libm::exp(sums.evidence - model.handicap);
            total += *weight;
        }
        weights.map(|weight| weight / total)
    }
}

impl Sums {
    fn add(&mut self, model: &Model, place: f64, value: f64) {
        let keep = 1.0 - 1.0 / model.horizon;
        self.weight = self.weight * keep + 1.0;
        let (step, rise) = (place - self.place, value - self.value);
        let gain = 1.0 / self.weight;
        self.place += gain * step;
        self.value += gain * rise;
        self.place_place = self.place_place * keep + step * (place - self.place);
        self.place_value = self.place_value * keep + step * (value - self.value);
    }

    /// The level at a place, and the doubt about it.
    fn at(&self, model: &Model, place: f64, sd: f64) -> (f64, f64) {
        if self.weight <= 0.0 {
            return (self.value, 1.0);
        }
        let own = sd * sd / self.weight;
        if !model.line {
            return (self.value, libm::sqrt(own));
        }
        // A prior on the slope, worth a handful of items, keeps a line through few items level.
        let spread = self.place_place + 50.0;
        let ahead = place - self.place;
        let rise = (self.place_value / spread * ahead).clamp(-FURTHEST, FURTHEST);
        (self.value + rise, libm::sqrt(own + (sd * ahead) * (sd * ahead) / spread).min(1.0))
    }
}

/// Logarithm of Student's density, but for its constant.
fn likelihood(error: f64, scale: f64) -> f64 {
    let z = error / scale;
    -libm::log(scale) - 0.5 * (FREEDOM + 1.0) * libm::log1p(z * z / FREEDOM)
}
