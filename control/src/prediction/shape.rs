//! The shape of the distribution of service times about their level, whatever the level is: a histogram of
//! standardised logarithms with an exponential tail. From it: survival, mean, mean residual, largest of many.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::normal;

/// Standard deviations of the logarithm that one bin spans.
const STEP: f64 = 0.25;
const LOWEST: f64 = -4.0;
/// Bins that are counted; the last one takes all above.
const BINS: usize = 48;
/// Nodes of the tables, from `LOWEST` on; the tail goes beyond the bins.
const NODES: usize = 81;

/// Bins are made anew when the spread has changed by this factor.
const REUNIT: f64 = 1.25;

/// When so many were counted, all counts are halved: the shape may change too.
const MOST_COUNTED: u32 = 4000;

/// A normal shape is believed as much as so many items.
const PRIOR_ITEMS: f64 = 6.0;

/// The tail begins where this share lies above.
const TAIL: f64 = 0.06;

/// Mean excess over that place of a normal distribution, believed as much as so many items of the tail.
const PRIOR_EXCESS: f64 = 0.42;
const PRIOR_TAIL_ITEMS: f64 = 3.0;

/// Work has bounds: beyond all that so many items showed, the tail falls faster, with its exponent this many times as great.
const MANY: u32 = 150;
const BOUNDED: f64 = 1.8;

/// Items rarer than one in so many do not happen.
const RAREST: f64 = 2e-5;

/// Mean excess of the logarithm in the tail, the inverse of Pareto's exponent: a mean must exist.
const HEAVIEST: f64 = 0.65;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    #[serde(deserialize_with = "all_bins")]
    counts: Vec<u32>,
    total: u32,
    /// Sum of how far items lay above the last bin.
    beyond: f64,
    /// Standard deviation of the logarithm in whose multiples the bins count.
    unit: f64,
}

impl Default for Shape {
    fn default() -> Self {
        Self { counts: vec![0; BINS], total: 0, beyond: 0.0, unit: 0.0 }
    }
}

impl Shape {
    /// Counts one item, `error` above its level, both logarithms; single items are believed to spread by `sd`.
    pub fn learn(&mut self, error: f64, sd: f64) {
        if !(self.unit / REUNIT..self.unit * REUNIT).contains(&sd) {
            self.measure_in(sd);
        }
        let z = error / self.unit;
        self.counts[bin(z)] += 1;
        self.total += 1;
        self.beyond += (z - top()).clamp(0.0, 20.0);
        if self.total >= MOST_COUNTED {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.total = self.counts.iter().sum();
            self.beyond /= 2.0;
        }
    }

    /// Counts what was counted again, in bins of another width.
    fn measure_in(&mut self, unit: f64) {
        let ratio = if self.unit > 0.0 { self.unit / unit } else { 1.0 };
        let mut counts = vec![0; BINS];
        for (place, count) in self.counts.iter().enumerate() {
            counts[bin((LOWEST + STEP * (place as f64 + 0.5)) * ratio)] += count;
        }
        self.counts = counts;
        self.beyond *= ratio;
        self.unit = unit;
    }

    /// Tables for a spread of `sd` (of the logarithm).
    pub fn tables(&self, sd: f64) -> Tables {
        let mut above = [0.0; NODES];
        let unit = if self.unit > 0.0 { self.unit } else { sd };
        let counted = f64::from(self.total) + PRIOR_ITEMS;
        let mut left = f64::from(self.total);
        for (node, survival) in above.iter_mut().enumerate() {
            let z = LOWEST + STEP * node as f64;
            *survival = (left + PRIOR_ITEMS * normal::above(z * unit / sd)) / counted;
            if node < BINS {
                left -= f64::from(self.counts[node]);
            }
        }
        self.replace_tail(&mut above, unit);
        Tables::new(above, unit)
    }

    /// Beyond the place above which `TAIL` lies, the few that were seen say only how fast it falls.
    fn replace_tail(&self, above: &mut [f64; NODES], unit: f64) {
        let Some(start) = above.iter().position(|survival| *survival < TAIL) else { return };
        let start = start.min(BINS - 1);
        let (mut items, mut excess) = (PRIOR_TAIL_ITEMS, PRIOR_TAIL_ITEMS * PRIOR_EXCESS);
        for bin in start..BINS {
            let count = f64::from(self.counts[bin]);
            items += count;
            excess += count * STEP * ((bin - start) as f64 + 0.5);
        }
        let mean = ((excess + self.beyond) / items).clamp(0.05, 3.0).min(HEAVIEST / unit);
        let fall = libm::exp(-STEP / mean);
        let bounded = libm::pow(fall, BOUNDED);
        let mut survival = above[start];
        let unseen = 1.0 / f64::from(self.total.max(MANY));
        for later in above.iter_mut().skip(start + 1) {
            survival *= if survival < unseen { bounded } else { fall };
            *later = survival;
        }
    }
}

/// A memory with other bins fits no more.
fn all_bins<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u32>, D::Error> {
    let counts = Vec::<u32>::deserialize(from)?;
    if counts.len() == BINS { Ok(counts) } else { Err(D::Error::invalid_length(counts.len(), &"one count for each bin")) }
}

/// The bin that counts what lies `z` units above the level.
fn bin(z: f64) -> usize {
    ((z - LOWEST) / STEP).clamp(0.0, (BINS - 1) as f64) as usize
}

/// Upper end of the bins.
fn top() -> f64 {
    LOWEST + STEP * (BINS as f64)
}

/// All that is asked of a shape, at nodes of equal distance in the logarithm. Times are multiples of the typical
/// service time `exp(level)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Tables {
    /// Distance of two nodes, natural logarithm.
    step: f64,
    lowest: f64,
    /// Times of the nodes.
    times: [f64; NODES],
    /// Probability of taking longer.
    above: [f64; NODES],
    /// Integral of `above` from the node on: times mean residual.
    rest: [f64; NODES],
    /// Logarithm of the probability that an item ends sooner.
    log_ended: [f64; NODES],
    /// The same of an item met at random, of which nobody knows when it began.
    log_met: [f64; NODES],
    /// Nothing takes as long as this.
    end: f64,
    /// Integral of `rest` from the first node to this one.
    met: [f64; NODES],
    pub mean: f64,
    /// Standard deviation over mean.
    pub cv: f64,
}

impl Tables {
    fn new(above: [f64; NODES], sd: f64) -> Self {
        let step = STEP * sd;
        let lowest = LOWEST * sd;
        let mut times = [0.0; NODES];
        let ratio = libm::exp(step);
        let mut time = libm::exp(lowest);
        for slot in &mut times {
            *slot = time;
            time *= ratio;
        }
        // No job has so many items that one of them must be beyond this.
        let mut above = above;
        above.iter_mut().filter(|survival| **survival < RAREST).for_each(|survival| *survival = 0.0);
        // The integral of the survival, from the far end; a straight line between two nodes.
        let mut rest = [0.0; NODES];
        let mut second = above[NODES - 1] * times[NODES - 1] * times[NODES - 1];
        rest[NODES - 1] = above[NODES - 1] * times[NODES - 1];
        for node in (0..NODES - 1).rev() {
            let width = times[node + 1] - times[node];
            rest[node] = rest[node + 1] + 0.5 * (above[node] + above[node + 1]) * width;
            second += (times[node] * above[node] + times[node + 1] * above[node + 1]) * width;
        }
        let mean = rest[0] + times[0];
        let square = second + times[0] * times[0];
        let mut log_ended = [0.0; NODES];
        let mut log_met = [0.0; NODES];
        let mut met = [0.0; NODES];
        for node in 0..NODES {
            if above[node] > 0.0 {
                log_ended[node] = libm::log((1.0 - above[node]).max(1e-12));
            }
            if rest[node] > 0.0 {
                log_met[node] = libm::log((1.0 - rest[node] / mean).max(1e-12));
            }
            if node > 0 {
                met[node] = met[node - 1] + 0.5 * (rest[node - 1] + rest[node]) * (times[node] - times[node - 1]);
            }
        }
        let cv = (square / (mean * mean) - 1.0).max(0.0).sqrt();
        let end = above.iter().position(|survival| *survival == 0.0).map_or(f64::INFINITY, |node| times[node]);
        Self { step, lowest, times, above, rest, log_ended, log_met, end, met, mean, cv }
    }

    /// Node below a time and how far it is to the next, 0 to 1.
    fn place(&self, time: f64) -> Option<(usize, f64)> {
        if time <= self.times[0] {
            return None;
        }
        let at = (libm::log(time) - self.lowest) / self.step;
        let node = (at as usize).min(NODES - 2);
        Some((node, (at - node as f64).clamp(0.0, 1.0)))
    }

    /// Probability of taking longer than `time`.
    pub fn survival(&self, time: f64) -> f64 {
        if time >= self.end {
            return 0.0;
        }
        match self.place(time) {
            None => 1.0,
            Some((node, part)) => self.above[node] + part * (self.above[node + 1] - self.above[node]),
        }
    }

    /// Mean of what is left of an item that has taken `age` so far.
    pub fn mean_residual(&self, age: f64) -> f64 {
        let Some((node, part)) = self.place(age) else { return self.mean - age.max(0.0) };
        let survival = self.above[node] + part * (self.above[node + 1] - self.above[node]);
        let rest = self.rest[node] + part * (self.rest[node + 1] - self.rest[node]);
        // Beyond all that is known an item takes about as long again as the tail says.
        if survival < 1e-9 { age * self.step.max(0.1) } else { rest / survival }
    }

    /// Mean of what is left of an item met at random by somebody who comes `horizon` after the first one began:
    /// longer ones cannot have begun before. Tends to E[X²] ÷ 2E[X].
    pub fn residual(&self, horizon: f64) -> f64 {
        match self.place(horizon) {
            None => horizon.max(0.0),
            Some((node, part)) => self.times[0] + (self.met[node] + part * (self.met[node + 1] - self.met[node])) / self.mean,
        }
    }

    /// Integral of the survival from `time` on.
    fn rest_from(&self, time: f64) -> f64 {
        if time >= self.end {
            return 0.0;
        }
        match self.place(time) {
            None => self.mean - time.max(0.0),
            Some((node, part)) => self.rest[node] + part * (self.rest[node + 1] - self.rest[node]),
        }
    }

    /// The time that the longest of these stays under with probability `exp(log_p)`: `fresh` items just begun, and
    /// `met` items met at random `horizon` after the first of them began.
    pub fn longest(&self, fresh: f64, met: f64, horizon: f64, log_p: f64) -> f64 {
        let all = |node: usize| {
            let ended = fresh * self.log_ended[node];
            if met <= 0.0 {
                return ended;
            }
            let rest = self.rest_from(self.times[node] + horizon);
            if rest == 0.0 {
                return ended + met * self.log_met[node];
            }
            let running = (self.rest[node] - rest) / self.mean;
            ended + met * libm::log((1.0 - running).max(1e-12))
        };
        let (mut low, mut high) = (0, NODES - 1);
        if all(0) >= log_p {
            return self.times[0];
        }
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            if all(middle) < log_p { low = middle } else { high = middle }
        }
        let (under, over) = (all(low), all(high));
        let part = if over > under { ((log_p - under) / (over - under)).clamp(0.0, 1.0) } else { 1.0 };
        self.times[low] + part * (self.times[high] - self.times[low])
    }
}
