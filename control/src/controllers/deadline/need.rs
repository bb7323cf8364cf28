//! Which allocation meets the deadline, and how surely.

use crate::observation::Observation;
use crate::prediction::finish::Rest;
use crate::prediction::normal;

use super::Params;

/// Share of what is left within which a wrong belief can still be mended by a move.
const MENDABLE: f64 = 0.2;

/// Of the luck of single items, the first half of what is left can be answered in its second half.
const LUCK: f64 = 0.5;

/// Below this probability with all replicas a deadline is lost; above the other it is taken up again.
const LOST: f64 = 0.02;
const REGAINED: f64 = 0.3;

/// A deadline is not given up on guesses alone.
const KNOWN_ITEMS: f64 = 3.0;

/// Finish, milliseconds from now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    pub p5_ms: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
}

pub struct Needs<'a> {
    rest: &'a Rest<'a>,
    seen: &'a Observation,
    /// Until the deadline, less the reserve.
    time_ms: f64,
    /// Until the deadline itself.
    deadline_ms: f64,
    startup_ms: f64,
    known: f64,
    /// The quantile of the end that must come before the deadline.
    sure: f64,
    z_sure: f64,
}

impl<'a> Needs<'a> {
    pub fn new(params: &Params, seen: &'a Observation, deadline_ms: u64, rest: &'a Rest<'a>, startup_ms: f64, known: f64) -> Self {
        let left = deadline_ms as f64 - seen.at_ms as f64;
        let reserve = (params.margin * deadline_ms as f64).min(0.5 * left.max(0.0));
        // What the user calls sure is shared by several risks.
        let sure = 1.0 - (1.0 - seen.confidence.clamp(0.5, 0.9999)) / 3.0;
        Self { rest, seen, time_ms: left - reserve, deadline_ms: left, startup_ms, known, sure, z_sure: normal::quantile(sure) }
    }

    /// Fewest replicas that meet the deadline, with `spare` of them to spare; the most there can be when none do.
    pub fn least(&self, spare: f64) -> u32 {
        let (mut low, mut high) = (self.seen.bounds.min.max(1), self.seen.most().max(1));
        if low >= high || self.meets(low, spare) {
            return low.min(high);
        }
        // Beyond the items left, more replicas change nothing.
        let left = u32::try_from(self.seen.items.left()).unwrap_or(u32::MAX);
        high = high.min(left.max(low));
        while high - low > 1 {
            let middle = u32::midpoint(low, high);
            if self.meets(middle, spare) { high = middle } else { low = middle }
        }
        high
    }

    /// Whether the wanted quantile of the finish lies before the deadline. Of the doubts, only the part counts
    /// that cannot be mended by a later move.
    fn meets(&self, replicas: u32, spare: f64) -> bool {
        let finish = self.rest.with(replicas);
        let r = f64::from(replicas);
        let longest = self.rest.longest_of(r, self.sure);
        let items = self.rest.waiting();
        let worth = self.rest.belief().worth;
        let reaction = self.startup_ms + 2.0 * self.rest.belief().mean_ms() + 2000.0;
        let unmended = reaction / (reaction + MENDABLE * finish.bulk_ms);
        let unlearnt = worth / (worth + MENDABLE * items);
        let room = f64::from(self.seen.most()) / r;
        // With little room above, what goes wrong cannot be mended.
        let cramped = (1.6 - room).clamp(0.0, 0.6) / 0.6 * 0.5;
        let level = finish.level_sd_ms * libm::sqrt(unlearnt).max(unmended).max(cramped);
        let item = finish.item_sd_ms * LUCK.max(unmended);
        let margin = self.z_sure * libm::sqrt(level * level + item * item);
        let end = (longest - finish.tail_ms).max(0.0);
        let spare_ms = spare * finish.bulk_ms;
        finish.median_ms() + libm::sqrt(margin * margin + end * end) + spare_ms <= self.time_ms
    }

    /// 5th, 50th and 95th percentile of the finish with an allocation.
    pub fn band(&self, replicas: u32) -> Band {
        let p50_ms = self.at(replicas, 0.5);
        Band { p5_ms: self.at(replicas, 0.05), p50_ms, p95_ms: self.at(replicas, 0.95) }
    }

    /// A quantile of the finish: the doubts about the bulk and the longest at the end are independent.
    fn at(&self, replicas: u32, p: f64) -> f64 {
        let finish = self.rest.with(replicas);
        let z = normal::quantile(p);
        let longest = self.rest.longest_of(f64::from(replicas), p) - finish.tail_ms;
        let bulk = z * libm::sqrt(finish.level_sd_ms * finish.level_sd_ms + finish.item_sd_ms * finish.item_sd_ms);
        let off = libm::sqrt(bulk * bulk + longest * longest);
        (finish.median_ms()
            + if p < 0.5 {
                -off
            } else if p > 0.5 {
                off
            } else {
                0.0
            })
        .max(0.0)
    }

    /// Probability that the finish with an allocation lies before the deadline.
    pub fn p_meet(&self, replicas: u32) -> f64 {
        let (mut low, mut high) = (-4.0, 4.0);
        for _ in 0..7 {
            let middle = 0.5 * (low + high);
            if self.at(replicas, normal::below(middle)) <= self.deadline_ms { low = middle } else { high = middle }
        }
        normal::below(0.5 * (low + high))
    }

    pub fn too_late(&self, already: bool) -> bool {
        if self.deadline_ms <= 0.0 {
            return true;
        }
        if self.known < KNOWN_ITEMS && !already {
            return false;
        }
        let p = self.p_meet(self.seen.most().max(1));
        p < if already { REGAINED } else { LOST }
    }

    /// How long fewer replicas must be enough before they are taken away.
    pub fn patience_ms(&self) -> u64 {
        (0.02 * self.time_ms.max(0.0) + 2.0 * self.startup_ms) as u64
    }

    pub fn over_budget(&self, used_ms: f64) -> bool {
        self.seen.budget.is_some_and(|budget| {
            let hours = (used_ms + self.replica_ms(self.seen.allocated())) / 3_600_000.0;
            hours * budget.price_replica_hour > budget.limit
        })
    }

    /// Replica milliseconds still to come with an allocation.
    pub fn replica_ms(&self, replicas: u32) -> f64 {
        let finish = self.rest.with(replicas);
        f64::from(replicas) * finish.bulk_ms + 0.5 * f64::from(replicas) * finish.tail_ms
    }

    pub fn mean_service_ms(&self) -> f64 {
        self.rest.belief().mean_ms()
    }
}
