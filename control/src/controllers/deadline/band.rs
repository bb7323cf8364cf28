//! When the job will be done, between which bounds, and how likely before its deadline.

use super::need::Needs;
use crate::prediction::normal;

/// Of how far the job is ahead of its deadline, what it is likely to spend.
const SPENT: f64 = 0.55;

/// How much wider than with a fixed allocation the band is below its middle, beside the reserve, and at the least
/// allocation.
const EARLY: f64 = 0.15;
const EARLY_AT_LEAST: f64 = 1.0;
const LATE_AT_LEAST: f64 = 3.5;

/// The same below its middle where all that can be had is at work, and it is not enough: what is slow may end.
const EARLY_AT_MOST: f64 = 2.0;

/// Of the reserve so much is left when a job that replicas can still be taken from ends late: the law aims at the end of
/// the likely course, and what it is off by goes into the reserve.
const LATEST: f64 = 0.3;

/// Items that have changed of late may change again: then the band is wider by so much of its early part, and by so many
/// reserves at its late end.
const CHANGING_EARLY: f64 = 0.8;
const CHANGING_LATE: f64 = 3.0;

/// The normal quantile of 95 of 100.
const Z95: f64 = 1.644_853_626_951_472_7;

/// Probabilities are told apart up to so many standard deviations.
const SUREST: f64 = 4.0;

/// Finish, milliseconds from now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    pub p5_ms: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
}

impl Needs<'_> {
    /// 5th, 50th and 95th percentile of the finish, from an allocation on and under this law: what the job is ahead of
    /// its deadline it spends by holding fewer replicas later, and what it is behind it mends. `fixed` says that the
    /// allocation cannot change any more. Factors: of simulated jobs, so that nine of ten finishes lie inside.
    pub fn band(&self, replicas: u32, fixed: bool) -> Band {
        let (p5_ms, p50_ms, p95_ms) = (self.at(replicas, -Z95), self.at(replicas, 0.0), self.at(replicas, Z95));
        let changing = 1.0 - self.rest.belief().steady;
        let band = |early: f64, p50_ms: f64, p95_ms: f64| Band { p5_ms: (p50_ms - early).max(0.0), p50_ms, p95_ms };
        let early = p50_ms - p5_ms;
        let (at_most, behind) = (replicas >= self.seen.most(), self.time_ms <= p50_ms);
        if fixed || at_most && behind {
            return band(EARLY_AT_MOST * early, p50_ms, p95_ms);
        }
        if behind || self.seen.items.waiting == 0 || !at_most && replicas <= self.seen.bounds.min.max(1) {
            return band((EARLY_AT_LEAST + CHANGING_EARLY * changing) * early, p50_ms, p50_ms + LATE_AT_LEAST * (p95_ms - p50_ms));
        }
        let reserve_ms = self.deadline_ms - self.time_ms;
        let late_ms = self.time_ms + (1.0 - LATEST + CHANGING_LATE * changing) * reserve_ms;
        Band {
            p5_ms: (p50_ms - (EARLY + CHANGING_EARLY * changing) * early - reserve_ms).max(0.0),
            p50_ms: p50_ms + SPENT * (self.time_ms - p50_ms),
            // With all that can be had at work nothing mends what goes wrong.
            p95_ms: if at_most { late_ms.max(p95_ms) } else { late_ms },
        }
    }

    /// The quantile of the finish that lies where `z` does of a normal distribution: the doubts about the bulk and the
    /// longest at the end are independent.
    pub(super) fn at(&self, replicas: u32, z: f64) -> f64 {
        let finish = self.rest.with(replicas);
        if z == 0.0 {
            return finish.median_ms();
        }
        let longest = self.rest.longest_of(finish.active, normal::below(z)) - finish.tail_ms;
        // Who errs by a factor errs by less below than above.
        let doubt = self.rest.belief().doubt;
        let level = if z < 0.0 { -finish.median_ms() * libm::expm1(z * doubt) } else { z * finish.level_sd_ms };
        let luck = z * finish.item_sd_ms;
        let off = (level * level + luck * luck + longest * longest).sqrt();
        (finish.median_ms() + off.copysign(z)).max(0.0)
    }

    /// Probability that the finish with an allocation lies before the deadline.
    pub fn p_meet(&self, replicas: u32) -> f64 {
        let by = |z: f64| self.at(replicas, z) <= self.deadline_ms;
        let (mut low, mut high) = (-SUREST, SUREST);
        // Most jobs are far from the line, and one look at the end of the scale tells.
        if by(high) {
            return normal::below(high);
        }
        for _ in 0..7 {
            let middle = 0.5 * (low + high);
            if by(middle) { low = middle } else { high = middle }
        }
        normal::below(0.5 * (low + high))
    }
}
