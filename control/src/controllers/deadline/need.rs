//! Which allocation meets the deadline, and how surely.

use crate::observation::Observation;
use crate::prediction::finish::Rest;
use crate::prediction::normal;

use super::Params;

/// A bad course is prepared for as long as all that can be had would do it in this share of the time.
const ROOM: f64 = 0.9;

/// The same when nobody said how long items take: then a look first.
const BLANK_ROOM: f64 = 0.5;

/// A bad course is answered with at most so many times the allocation that it would have needed from now on.
const PEAK: f64 = 1.5;

/// A belief further off than this factor is not prepared for.
const FURTHEST: f64 = 4.0;

/// The share of ends that may be later than prepared for before anything is known, and how many items it takes to know.
const UNSURE_END: f64 = 0.2;
const TAIL_ITEMS: f64 = 10.0;

/// Of how far the job is ahead of its deadline, what it is likely to spend.
const SPENT: f64 = 0.55;

/// How much wider than with a fixed allocation the band is below its middle, and at the least allocation.
const EARLY: f64 = 1.25;
const EARLY_AT_LEAST: f64 = 1.5;
const LATE_AT_LEAST: f64 = 2.6;

/// Between two looks, and until a move is seen.
const LOOK_MS: f64 = 2000.0;

/// Below this probability with all replicas a deadline is lost: it lies before the early end of the band that is
/// shown. Above the other it is taken up again.
const LOST: f64 = 0.05;
const REGAINED: f64 = 0.3;

/// The normal quantile of 95 of 100.
const Z95: f64 = 1.644_853_626_951_472_7;

/// Probabilities are told apart up to so many standard deviations.
const SUREST: f64 = 4.0;

/// A deadline is not given up on the law's own guesses alone, before so many items are known, or should be; who says
/// how long items take is believed as far as such words go.
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
    /// From a course gone wrong until more replicas work against it.
    reaction_ms: f64,
    known: f64,
    /// How many items would be done by now if they took as long as the deadline allows with all that can be had.
    due: f64,
    /// Nobody said how long items take.
    blank: bool,
    /// The quantile of the end that must come before the deadline.
    sure_end: f64,
    z_sure: f64,
}

impl<'a> Needs<'a> {
    pub fn new(
        params: &Params,
        seen: &'a Observation,
        deadline_ms: u64,
        rest: &'a Rest<'a>,
        startup_ms: f64,
        known: f64,
        spent_ms: f64,
    ) -> Self {
        let allowed_ms = deadline_ms as f64 * f64::from(seen.most().max(1)) / (seen.items.total as f64).max(1.0);
        let due = spent_ms / allowed_ms.max(1.0);
        let left = deadline_ms as f64 - seen.at_ms as f64;
        let reserve = (params.margin * deadline_ms as f64).min(0.5 * left.max(0.0));
        // What the user calls sure is shared by several risks.
        let sure = 1.0 - (1.0 - seen.confidence.clamp(0.5, 0.9999)) / 2.0;
        let reaction_ms = startup_ms + rest.belief().mean_ms() + LOOK_MS;
        // How far giants reach is known only after many items; to be sure of it before would cost more than to learn.
        let learnt = known / (known + TAIL_ITEMS);
        let sure_end = 1.0 - libm::pow(UNSURE_END, 1.0 - learnt) * libm::pow(1.0 - sure, learnt);
        let blank = seen.hints.service_ms_mean.is_none() && seen.hints.history.is_none();
        let z_sure = normal::quantile(sure);
        Self { rest, seen, time_ms: left - reserve, deadline_ms: left, startup_ms, reaction_ms, known, due, blank, sure_end, z_sure }
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

    /// Whether an allocation is enough for now: the likely course must end in time with what cannot be mended later
    /// in reserve, and a bad course must be mendable by more replicas once it shows.
    fn meets(&self, replicas: u32, spare: f64) -> bool {
        let finish = self.rest.with(replicas);
        let r = f64::from(replicas);
        let end = (self.rest.longest_of(finish.active, self.sure_end) - finish.tail_ms).max(0.0);
        let room = self.time_ms - finish.tail_ms;
        let reaction = self.reaction_ms;
        let unmended = (reaction / room.max(1.0)).clamp(0.0, 1.0);
        let luck = self.z_sure * finish.item_sd_ms * unmended.sqrt();
        let level = self.z_sure * finish.level_sd_ms * unmended;
        let reserve = (luck * luck + level * level + end * end).sqrt();
        let informed = self.known >= 1.0 || !self.blank;
        if informed && finish.bulk_ms * (1.0 + spare) + reserve > room {
            return false;
        }
        // The bad course, as replica milliseconds until the last take.
        let doubt = self.rest.belief().doubt;
        let off = finish.bulk_ms * (libm::exp(self.z_sure * doubt).min(FURTHEST) - 1.0);
        let luck = self.z_sure * finish.item_sd_ms;
        let room = room - end;
        let most = f64::from(self.seen.most()).max(r);
        let bad = r * (finish.bulk_ms + (off * off + luck * luck).sqrt());
        let share = if self.blank && self.known < 1.0 { BLANK_ROOM } else { ROOM };
        let bad = bad.min((share * most * (room - self.startup_ms)).max(r * finish.bulk_ms));
        let answer = (PEAK * bad / room.max(1.0)).clamp(r, most);
        let before = reaction.min(room);
        r * before + answer * (room - before) >= bad
    }

    /// 5th, 50th and 95th percentile of the finish, from an allocation on and under this law: what the job is ahead of
    /// its deadline it spends by holding fewer replicas later, and what it is behind it mends. `fixed` says that the
    /// allocation cannot change any more. Factors: of simulated jobs, so that nine of ten finishes lie inside.
    pub fn band(&self, replicas: u32, fixed: bool) -> Band {
        let (p5_ms, p50_ms, p95_ms) = (self.at(replicas, -Z95), self.at(replicas, 0.0), self.at(replicas, Z95));
        if fixed {
            return Band { p5_ms, p50_ms, p95_ms };
        }
        if replicas <= self.seen.bounds.min.max(1) || self.seen.items.waiting == 0 || self.time_ms <= p50_ms {
            let (early, late) = (EARLY_AT_LEAST * (p50_ms - p5_ms), LATE_AT_LEAST * (p95_ms - p50_ms));
            return Band { p5_ms: (p50_ms - early).max(0.0), p50_ms, p95_ms: p50_ms + late };
        }
        let ahead = self.time_ms - p50_ms;
        Band { p5_ms: (p50_ms - EARLY * (p50_ms - p5_ms)).max(0.0), p50_ms: p50_ms + SPENT * ahead, p95_ms: self.time_ms }
    }

    /// The quantile of the finish that lies where `z` does of a normal distribution: the doubts about the bulk and the
    /// longest at the end are independent.
    fn at(&self, replicas: u32, z: f64) -> f64 {
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

    pub fn too_late(&self, already: bool) -> bool {
        if self.deadline_ms <= 0.0 {
            return true;
        }
        if self.blank && self.known < KNOWN_ITEMS && self.due < KNOWN_ITEMS && !already {
            return false;
        }
        let p = if already { REGAINED } else { LOST };
        self.at(self.seen.most().max(1), normal::quantile(p)) > self.deadline_ms
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
}
