//! What an item takes: level, spread and shape, learnt from the items done and from those still in flight.

use serde::{Deserialize, Serialize};

use super::level::{Levels, Prior, Unfinished};
use super::normal;
use super::shape::{Shape, Tables};
use crate::observation::{Hints, Observation};

/// Spread of the logarithm that is believed before anything is seen, as much as so many items.
const PRIOR_SD: f64 = 0.5;
const PRIOR_ITEMS: f64 = 3.0;

/// The mean over the typical item that the shape says is believed as much as so many items.
const PRIOR_RATIOS: f64 = 3.0;

/// A user's word is either right, to within this spread of the logarithm, or wrong by about a factor of two.
const RIGHT: f64 = 0.1;
const WRONG: f64 = 0.6;

/// How often it is right.
const TRUST: f64 = 0.8;

/// Items that are not done yet may be others than those that are, by about this factor's logarithm.
const UNSEEN: f64 = 0.7;

/// Spread of the level from one job of a template to the next, before it was seen.
const HISTORY_DOUBT: f64 = 0.3;

/// When nothing at all is known.
const IGNORANCE: f64 = 0.7;

/// Residuals fade with this many items.
const SPREAD_ITEMS: f64 = 600.0;

/// The mean over the typical item fades more slowly, for giants are rare.
const RATIO_ITEMS: f64 = 3000.0;

/// The mean over the typical item is learnt from no greater giants than this, as a logarithm.
const GIANT: f64 = 4.0;

/// The first residuals tell more of the level than of the shape.
const SHAPE_FROM: f64 = 4.0;

/// Nothing is shorter, ms: keeps logarithms finite.
const SHORTEST_MS: f64 = 0.01;

/// And nothing longer: some thirty years.
const LONGEST_MS: f64 = 1e12;

/// Items in flight that are looked at; more say nothing new.
const IN_FLIGHT: usize = 32;

/// Items done since the observation before that are learnt from one by one; of more, each stands for its neighbours.
const LEARNT_AT_ONCE: usize = 32;

/// A change of the level is told from the first items' noise after so many.
const CHANGE_ITEMS: f64 = 30.0;

/// So many items speak against a user's word, and this share of all, for the first ones may be none like the rest: before,
/// a deadline that the word says can be met is not given up.
const WORD_ITEMS: f64 = 8.0;
const WORD_SHARE: f64 = 0.2;

/// What is remembered of service times.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Service {
    levels: Levels,
    shape: Shape,
    /// Sum of squared residuals and its weight.
    squares: f64,
    weight: f64,
    /// Sum of service time over typical service time, and its weight.
    ratios: f64,
    ratio_weight: f64,
    /// Replica milliseconds that were busy, and those that came to something: items done or still in flight.
    busy_ms: f64,
    useful_ms: f64,
    /// Items in flight at the observation before.
    held: u64,
    #[serde(skip)]
    tables: Option<Box<Tables>>,
}

/// What is believed of one item at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Belief {
    /// Typical service time of the items to come, ms; times of the tables are multiples of it.
    pub typical_ms: f64,
    /// The same for the last of them.
    pub last_ms: f64,
    /// Uncertainty of its logarithm.
    pub doubt: f64,
    /// Spread of single items, of the logarithm.
    pub sd: f64,
    /// Mean over typical.
    pub ratio: f64,
    /// How many items the knowledge is worth.
    pub worth: f64,
    /// By this factor the items to come may be shorter than believed, for all that anybody can know: at most 1. Who
    /// gives a deadline up must not overlook it.
    pub relief: f64,
    /// Probability that the level is that of all items, neither changed of late nor on its way.
    pub steady: f64,
}

impl Belief {
    /// Mean service time of the items to come, ms.
    pub fn mean_ms(&self) -> f64 {
        self.typical_ms * self.ratio
    }
}

impl Service {
    /// Items learnt from.
    pub fn count(&self) -> f64 {
        self.levels.count()
    }

    pub fn learn(&mut self, seen: &Observation) {
        let stride = seen.completions.len().div_ceil(LEARNT_AT_ONCE).max(1);
        for some in seen.completions.chunks(stride) {
            if let Some(completion) = some.iter().find(|completion| completion.service_ms.is_finite()) {
                self.learn_one(completion.service_ms.min(LONGEST_MS), seen.items.total as f64, completion.replica.as_deref());
                self.levels.pass(some.len() - 1);
            }
        }
    }

    fn learn_one(&mut self, service_ms: f64, total: f64, replica: Option<&str>) {
        let value = libm::log(service_ms.max(SHORTEST_MS));
        let sd = self.sd();
        let known = self.levels.count();
        if known > 0.0 {
            let next = self.levels.next(sd, total);
            let error = value - next.level;
            // What the level's own doubt adds is not spread of the items.
            let share = 1.0 / (1.0 + 1.0 / next.worth.max(1.0));
            let keep = 1.0 - 1.0 / SPREAD_ITEMS;
            self.squares = self.squares * keep + error * error * share;
            self.weight = self.weight * keep + 1.0;
            if known >= SHAPE_FROM {
                let keep = 1.0 - 1.0 / RATIO_ITEMS;
                self.ratios = self.ratios * keep + libm::exp(error.clamp(-20.0, GIANT));
                self.ratio_weight = self.ratio_weight * keep + 1.0;
                self.shape.learn(error, self.sd());
            }
        }
        self.levels.learn(value, sd, total, replica);
        self.tables = None;
    }

    /// Spread of single items about their level, of the natural logarithm.
    pub fn sd(&self) -> f64 {
        let prior = PRIOR_ITEMS * PRIOR_SD * PRIOR_SD;
        ((self.squares + prior) / (self.weight + PRIOR_ITEMS)).sqrt().clamp(0.003, 3.0)
    }

    /// Tables of the shape; built anew only after something was learnt.
    pub fn tables(&mut self) -> &Tables {
        let sd = self.sd();
        let shape = &self.shape;
        self.tables.get_or_insert_with(|| Box::new(shape.tables(sd)))
    }

    /// What is believed of the items to come, with what those in flight tell by not being done.
    pub fn belief(&mut self, seen: &Observation, guess_ms: f64) -> Belief {
        let sd = self.sd();
        let (mean, cv) = (self.tables().mean, self.tables().cv.min(4.0));
        let ratio = (self.ratios + PRIOR_RATIOS * mean) / (self.ratio_weight + PRIOR_RATIOS);
        let prior = Prior::of(&seen.hints, guess_ms, ratio);
        let own = (sd / prior.doubt) * (sd / prior.doubt);
        let (mut relief, mut steady) = (1.0, 1.0);
        let (level, last, doubt, worth) = if self.levels.count() > 0.0 {
            let next = self.levels.next(sd, seen.items.total as f64);
            let shift = self.unfinished(seen, next.level, sd, next.worth);
            let held = seen.in_flight.len() as f64;
            let unseen = UNSEEN * held / (held + self.levels.count());
            // The mean of what is spread widely is known less well than its typical value.
            let of_mean = (cv * cv - sd * sd).max(0.0) / (next.worth + 1.0);
            let unfinished = Unfinished { shift, doubt: (unseen * unseen + of_mean).sqrt() };
            let learnt = self.levels.ahead(seen.items.waiting.max(1) as f64, sd, &prior, unfinished);
            relief = self.relief(seen, &prior, learnt.level - shift);
            steady = learnt.steady;
            (learnt.level, learnt.last, (learnt.doubt * learnt.doubt + learnt.bend * learnt.bend).sqrt(), learnt.worth + own)
        } else {
            let spread = prior.spread();
            let shift = self.unfinished(seen, prior.level, sd, (sd / spread) * (sd / spread));
            (prior.level + shift, prior.level + shift, spread, own)
        };
        Belief { typical_ms: libm::exp(level), last_ms: libm::exp(last), doubt: doubt.min(1.5), sd, ratio, worth, relief, steady }
    }

    /// How much shorter than at a `level` the items to come may be, as a factor. What has changed of late may change back,
    /// nobody knows how far a list that falls goes on to fall, and the user's word stands until some items speak against it.
    fn relief(&self, seen: &Observation, prior: &Prior, level: f64) -> f64 {
        if self.levels.falls() {
            return 0.0;
        }
        let known = self.levels.count();
        let back = if known >= CHANGE_ITEMS { self.levels.whole() - level } else { 0.0 };
        let enough = WORD_ITEMS.max(WORD_SHARE * seen.items.total as f64);
        let word = if known < enough && !seen.hints.is_empty() { prior.level - level } else { 0.0 };
        libm::exp(back.min(word).min(0.0))
    }

    /// How much higher the level must be, as items in flight are not done yet: three steps of expectation and
    /// maximisation for censored observations (Dempster, Laird and Rubin, 1977).
    fn unfinished(&self, seen: &Observation, level: f64, sd: f64, worth: f64) -> f64 {
        let items = &seen.in_flight;
        let count = items.len();
        if count == 0 || worth > 30.0 * count as f64 {
            return 0.0;
        }
        let stride = count.div_ceil(IN_FLIGHT);
        let mut shift = 0.0;
        for _ in 0..3 {
            let (mut sum, mut looked) = (0.0, 0.0);
            for item in items.iter().step_by(stride) {
                let z = (libm::log((item.age_ms as f64).max(SHORTEST_MS)) - level - shift) / sd;
                // What an item that just began tells is nothing.
                let expected = if z < -3.5 { 0.0 } else { sd * normal::mean_above(z) };
                sum += expected;
                looked += 1.0;
            }
            let weight = count as f64;
            shift = weight / (weight + worth) * (shift + sum / looked);
        }
        shift.clamp(0.0, 3.0)
    }

    /// Accounts busy time that came to nothing: crashed or killed replicas.
    pub fn account(&mut self, seen: &Observation, since_ms: f64) {
        // Who began in between was not busy all the time.
        let busy = seen.items.processing.min(self.held) as f64 * since_ms;
        self.held = seen.items.processing;
        let sound = seen.completions.iter().map(|completion| completion.service_ms).filter(|ms| ms.is_finite());
        let done: f64 = sound.map(|ms| ms.clamp(0.0, LONGEST_MS)).sum();
        self.busy_ms += busy;
        self.useful_ms += done;
    }

    /// Replica milliseconds that went into items, done or still in flight.
    pub fn spent_ms(&self, seen: &Observation) -> f64 {
        self.useful_ms + seen.in_flight.iter().map(|item| item.age_ms as f64).sum::<f64>()
    }

    /// Busy time over useful time, at least 1.
    pub fn waste(&self, seen: &Observation) -> f64 {
        let useful = self.spent_ms(seen);
        // A tenth is within what ticks blur.
        let raw = self.busy_ms / useful.max(1.0);
        if raw.is_finite() && useful > 0.0 && self.levels.count() > 10.0 { (raw - 0.05).clamp(1.0, 3.0) } else { 1.0 }
    }
}

impl Prior {
    fn of(hints: &Hints, guess_ms: f64, mean: f64) -> Self {
        // Infinite or no number at all is no hint.
        if let Some(history) = hints.history.filter(|history| history.log_mean.is_finite() && history.log_sd.is_finite()) {
            let level = history.log_mean.clamp(libm::log(SHORTEST_MS), libm::log(LONGEST_MS));
            let of_mean = history.log_sd.abs() / f64::from(history.jobs.max(1)).sqrt();
            return Self { level, doubt: of_mean.clamp(HISTORY_DOUBT, IGNORANCE), trust: 0.0, right: RIGHT };
        }
        match hints.service_ms_mean.filter(|hint| hint.is_finite()) {
            Some(hint) => Self { level: libm::log(hint.clamp(SHORTEST_MS, LONGEST_MS) / mean), doubt: WRONG, trust: TRUST, right: RIGHT },
            None => Self { level: libm::log(guess_ms.max(SHORTEST_MS) / mean), doubt: IGNORANCE, trust: 0.0, right: RIGHT },
        }
    }
}
