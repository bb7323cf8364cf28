//! The level of service times, in natural logarithms of milliseconds: constant, changed of late, or drifting.
//! Several models watch the same items; each counts by how well it foretold the last ones (Bayesian model
//! averaging with forgetting). So independent items are averaged over all, and a change is followed in a few.

use serde::{Deserialize, Serialize};

use super::normal;
use super::order::Order;

/// Evidence fades with this many items.
const EVIDENCE_ITEMS: f64 = 64.0;

/// Never so sure of one model that another could not win within a few items.
const SUREST: f64 = 12.0;

/// How far a trend is believed beyond what was seen: a factor of four.
const FURTHEST: f64 = 1.386;

/// Degrees of freedom of the likelihood: single giants must not decide between models.
const FREEDOM: f64 = 4.0;

/// How far a sorted list may bend away from what was seen of it, as a share of the rise that is expected.
const BEND: f64 = 0.2;

/// A level that changed may change again: by this share of how far it came from the level of all.
const SHIFT: f64 = 0.5;

/// Logarithms of lengths spread by so much at most about a sorted list's slope, before it is seen.
const PRIOR_SLOPE: f64 = 0.5;

/// Logarithms of lengths rise or fall by so much about from a drifting list's first item to its last, before it is seen.
const PRIOR_RISE: f64 = 1.0;

/// Sum of squared places that a level line through the newest items is worth.
const NEWEST_PRIOR: f64 = 50.0;

/// No list is steeper: the longest of thousands would be a thousand times the typical one and more.
const STEEPEST: f64 = 2.0;

/// What a model is straight over.
#[derive(Clone, Copy, PartialEq)]
enum Axis {
    /// Nothing: a constant.
    Level,
    /// The item's number.
    Number,
    /// The normal score of its rank, Φ⁻¹((number + ½) ÷ total) (van der Waerden, 1952): items handed out in the order
    /// of their length lie on a line there, however far the longest are still away.
    Rank,
}

/// One model: a constant or a straight line through the last items.
struct Model {
    /// How many items count; infinite counts all.
    horizon: f64,
    axis: Axis,
    /// What it must be better by, in natural units of evidence.
    handicap: f64,
}

/// A trend that shows in the last items alone is followed for so many times as many at most: what began of late may
/// end as soon (damped trend: Gardner and McKenzie, 1985).
const LASTING: f64 = 2.0;

impl Model {
    /// How far a trend is followed that goes on for `ahead` items.
    fn damped(&self, ahead: f64) -> f64 {
        if self.axis == Axis::Number { ahead / (1.0 + (ahead / (LASTING * self.horizon)).max(0.0)) } else { ahead }
    }
}

/// A list is not believed to be sorted before several items in a row say so: one step ahead it looks like any line.
const UNSORTED: f64 = 8.0;

const MODELS: [Model; 7] = [
    Model { horizon: f64::INFINITY, axis: Axis::Level, handicap: 0.0 },
    Model { horizon: 120.0, axis: Axis::Level, handicap: 3.0 },
    Model { horizon: 20.0, axis: Axis::Level, handicap: 6.0 },
    Model { horizon: f64::INFINITY, axis: Axis::Number, handicap: 6.0 },
    Model { horizon: 80.0, axis: Axis::Number, handicap: 8.0 },
    Model { horizon: f64::INFINITY, axis: Axis::Rank, handicap: UNSORTED },
    Model { horizon: 80.0, axis: Axis::Rank, handicap: UNSORTED },
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
    #[serde(default)]
    order: Order,
}

/// What is to be expected of the items to come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outlook {
    /// Logarithm of the typical service time, over all items to come.
    pub level: f64,
    /// Uncertainty of it, as a standard deviation.
    pub doubt: f64,
    /// How far a sorted list may bend away, or a level that changed change again, the same: no guess about all items makes
    /// that smaller.
    pub bend: f64,
    /// Logarithm of the service time of the last of them.
    pub last: f64,
    /// How many items the knowledge is worth.
    pub worth: f64,
    /// Probability of the model that is the same over all items.
    pub steady: f64,
}

/// What is believed of the level before the first item is done.
pub struct Prior {
    pub level: f64,
    /// Its spread about the truth when who said it was wrong …
    pub doubt: f64,
    /// … and when not, which is believed with the probability `trust`.
    pub right: f64,
    pub trust: f64,
}

impl Prior {
    /// Spread about the truth, whether right or wrong.
    pub fn spread(&self) -> f64 {
        (self.trust * self.right * self.right + (1.0 - self.trust) * self.doubt * self.doubt).sqrt()
    }
}

/// What those in flight tell, and what they leave open.
#[derive(Debug, Clone, Copy)]
pub struct Unfinished {
    /// How much higher the level is than items done say, for the short ones are done first.
    pub shift: f64,
    /// Doubt about the mean that the number of items does not tell: a standard deviation of its logarithm.
    pub doubt: f64,
}

/// The same from one model.
struct Ahead {
    level: f64,
    last: f64,
    doubt: f64,
    bend: f64,
}

impl Ahead {
    /// Joined with what was believed before, by their precision: whoever said it was right or was not, and each case
    /// counts by how well it fits what was learnt. So a right hint is kept through a few odd items, and a wrong one goes
    /// fast. Each model by itself: that models differ makes what was believed no better.
    fn after(self, before: &Prior, worth: f64, open: f64) -> Self {
        // What few items tell is less sure than their spread says: the spread itself is hardly known.
        let caution = 1.0 + 2.0 / worth.max(0.5);
        let learnt = (self.doubt * self.doubt * caution + open * open).max(1e-8);
        let off = self.level - before.level;
        let fits = |share: f64, doubt: f64| {
            let variance = doubt * doubt + learnt;
            (share / variance.sqrt()) * libm::exp(-0.5 * off * off / variance)
        };
        let (right, wrong) = (fits(before.trust, before.right), fits(1.0 - before.trust, before.doubt).max(1e-300));
        let right = right / (right + wrong);
        let share = |doubt: f64| doubt * doubt / (doubt * doubt + learnt);
        let (near, far) = (share(before.right), share(before.doubt));
        let mean = right * near + (1.0 - right) * far;
        let joined = |learnt: f64| before.level + mean * (learnt - before.level);
        let variance = learnt * mean + right * (1.0 - right) * (near - far) * (near - far) * off * off;
        Self { level: joined(self.level), last: joined(self.last), doubt: variance.sqrt(), bend: self.bend }
    }
}

impl Levels {
    pub fn count(&self) -> f64 {
        self.count
    }

    /// The level that was expected of the next of `total` items.
    pub fn next(&self, sd: f64, total: f64) -> Outlook {
        let rank = rank(self.count, total);
        self.mixed(|model, sums| {
            let (level, doubt) = sums.at(model, if model.axis == Axis::Rank { rank } else { self.count + 0.5 }, sd, total);
            Ahead { level, last: level, doubt, bend: 0.0 }
        })
    }

    /// Learns from one more of `total` items, done by `replica`. `sd` is the spread of single items about their level.
    pub fn learn(&mut self, value: f64, sd: f64, total: f64, replica: Option<&str>) {
        self.order.learn(value, self.count, replica);
        let rank = rank(self.count, total);
        for (model, sums) in MODELS.iter().zip(&mut self.models) {
            let place = if model.axis == Axis::Rank { rank } else { self.count };
            if sums.weight > 0.0 {
                let (foretold, doubt) = sums.at(model, place, sd, total);
                sums.evidence =
                    sums.evidence * (1.0 - 1.0 / EVIDENCE_ITEMS) + likelihood(value - foretold, (sd * sd + doubt * doubt).sqrt());
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

    /// Goes on in the list without a look at so many items.
    pub fn pass(&mut self, items: usize) {
        self.count += items as f64;
    }

    /// The level of all items done, whatever model fits best.
    pub fn whole(&self) -> f64 {
        self.models[0].value
    }

    /// Items get shorter and shorter.
    pub fn falls(&self) -> bool {
        self.order.falls()
    }

    /// What to expect of the next `items` items, the last there are, after what was believed of them `before`.
    pub fn ahead(&self, items: f64, sd: f64, before: &Prior, unfinished: Unfinished) -> Outlook {
        let total = self.count + items;
        self.mixed(|model, sums| {
            let mut ahead = match model.axis {
                Axis::Rank => sums.longer(model, items, total, sd),
                Axis::Level | Axis::Number => {
                    let (middle, doubt) = sums.at(model, self.count + items / 2.0, sd, total);
                    let bend = if model.horizon.is_finite() { SHIFT * (middle - self.models[0].value).abs() } else { 0.0 };
                    Ahead { level: middle, last: sums.at(model, total, sd, total).0, doubt, bend }
                }
            };
            ahead.level += unfinished.shift;
            ahead.last += unfinished.shift;
            ahead.after(before, sums.weight, unfinished.doubt)
        })
    }

    /// All models, by their weights.
    fn mixed(&self, ask: impl Fn(&Model, &Sums) -> Ahead) -> Outlook {
        let weights = self.weights();
        let (mut level, mut last, mut square, mut bend, mut worth) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for ((model, sums), weight) in MODELS.iter().zip(&self.models).zip(weights) {
            let ahead = ask(model, sums);
            level += weight * ahead.level;
            last += weight * ahead.last;
            square += weight * (ahead.doubt * ahead.doubt + ahead.level * ahead.level);
            bend += weight * ahead.bend * ahead.bend;
            worth += weight * sums.weight;
        }
        let variance = (square - level * level).max(0.0);
        Outlook { level, doubt: variance.sqrt(), bend: bend.sqrt(), last, worth, steady: weights[0] }
    }

    fn weights(&self) -> [f64; MODELS.len()] {
        let mut weights = [0.0; MODELS.len()];
        let mut total = 0.0;
        for (weight, (model, sums)) in weights.iter_mut().zip(MODELS.iter().zip(&self.models)) {
            let sorted = if model.axis == Axis::Rank { self.order.sorted() } else { 0.0 };
            *weight = libm::exp(sums.evidence + sorted - model.handicap);
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

    /// The level at a place in a list of `total`, and the doubt about it.
    fn at(&self, model: &Model, place: f64, sd: f64, total: f64) -> (f64, f64) {
        if self.weight <= 0.0 {
            return (self.value, 1.0);
        }
        let own = sd * sd / self.weight;
        if model.axis == Axis::Level {
            return (self.value, own.sqrt());
        }
        let spread = self.spread(model, sd, total);
        let ahead = model.damped(place - self.place);
        let rise = self.place_value / spread * ahead;
        let rise = if model.axis == Axis::Number { rise.clamp(-FURTHEST, FURTHEST) } else { rise };
        (self.value + rise, (own + (sd * ahead) * (sd * ahead) / spread).sqrt().min(1.0))
    }

    /// With a prior on the slope, which keeps a line through few items level: a line through all is not likely to rise
    /// by more than `PRIOR_RISE` from the first item to the last, and one through the newest is worth a handful of items.
    fn spread(&self, model: &Model, sd: f64, total: f64) -> f64 {
        let slope = match model.axis {
            Axis::Rank => PRIOR_SLOPE,
            _ if model.horizon.is_infinite() => PRIOR_RISE / total.max(1.0),
            _ => return self.place_place + NEWEST_PRIOR,
        };
        self.place_place + (sd / slope) * (sd / slope)
    }

    /// Of a sorted list of `total` the level of the mean of the last `items`, that of the very last, and the doubt. With
    /// slope b the mean of the exponential beyond the score s is exp(b² ÷ 2) × Φ(b − s) ÷ Φ(−s) times that at zero.
    fn longer(&self, model: &Model, items: f64, total: f64, sd: f64) -> Ahead {
        if self.weight <= 0.0 {
            return Ahead { level: self.value, last: self.value, doubt: 1.0, bend: 0.0 };
        }
        let slope = (self.place_value / self.spread(model, sd, total)).clamp(-STEEPEST, STEEPEST);
        let from = -normal::quantile(items / total);
        let beyond = normal::below(slope - from).max(1e-12) / normal::below(-from).max(1e-12);
        let level = self.value - slope * self.place + 0.5 * slope * slope + libm::log(beyond);
        let end = self.value + slope * (rank(total - 1.0, total) - self.place);
        let (_, doubt) = self.at(model, self.place + (level - self.value).abs() / slope.abs().max(0.1), sd, total);
        Ahead { level, last: end, doubt, bend: BEND * (level - self.value).abs().min(FURTHEST) }
    }
}

/// The normal score of an item's rank.
fn rank(number: f64, total: f64) -> f64 {
    normal::quantile(((number + 0.5) / total.max(number + 1.0)).min(1.0))
}

/// Logarithm of Student's density, but for its constant.
fn likelihood(error: f64, scale: f64) -> f64 {
    let z = error / scale;
    -libm::log(scale) - 0.5 * (FREEDOM + 1.0) * libm::log1p(z * z / FREEDOM)
}
