//! Which allocation meets the deadline, and how surely.

use crate::observation::{Observation, ScaleIn};
use crate::prediction::finish::{Finish, Rest};
use crate::prediction::normal;

use super::Params;

/// A bad course is prepared for as long as all that can be had would do it in this share of the time.
const ROOM: f64 = 0.8;

/// The same when nobody said how long items take: then a look first.
const BLANK_ROOM: f64 = 0.5;

/// A bad course is answered with at most so many times the allocation that it would have needed from now on.
const PEAK: f64 = 1.5;

/// A belief further off than this factor is not prepared for.
const FURTHEST: f64 = 4.0;

/// What is held in reserve takes at most so many times what the likely course needs from now on …
const CAP: f64 = 1.4;

/// … or what the whole job needs: at its end a burst below that is neither dear nor high.
const CAP_WHOLE: f64 = 1.2;

/// Where more than that is taken because a bad course could not be mended later, it is at most so many times either.
const PANIC: f64 = 1.6;

/// So many standard deviations of the doubt are hoped for while hope that fails can be mended.
const HOPE: f64 = 0.5;

/// More doubt than this, about a factor of two, is no reason to hope.
const IGNORANCE: f64 = 0.7;

/// Who knows nothing looks with this share of what can be had. Bounds are 1.45 to 10 times what jobs need; of so wide a
/// guess the value that errs least, as a share of the need, is 2 ÷ (1.45 + 10).
const PROBE: f64 = 0.175;

/// The look widens until this share of the time is over: most jobs show how long items take before.
const PROBE_TIME: f64 = 0.01;

/// The share of ends that may be later than prepared for before anything is known, and how many items it takes to know.
const UNSURE_END: f64 = 0.2;
const TAIL_ITEMS: f64 = 10.0;

/// Between two looks, and until a move is seen.
const LOOK_MS: f64 = 2000.0;

/// Below this probability with all replicas a deadline is lost: it lies before the early end of the band that is
/// shown. Above the other it is taken up again.
const LOST: f64 = 0.05;
const REGAINED: f64 = 0.3;

/// Until this share of the time is over the even chance, which it falls from, is lost: a warning is worth the more the
/// sooner it comes …
const LOST_EARLY: f64 = 0.5;
const EARLY_SHARE: f64 = 0.2;

/// … if a course as good as this one in twenty would need more than this share of the time left: a job that all that
/// can be had ends in that share can be done (`simulate.md`), and must not be called lost.
const GOOD_COURSE: f64 = 0.05;
const TO_SPARE: f64 = 0.7;

/// Before this share of the time is over a word is worth no more than after it, and only what is out of the question
/// is said.
const FIRST_WORD: f64 = 0.04;
const LOST_AT_ONCE: f64 = 0.001;

/// A deadline is not given up on the law's own guesses alone, before so many items are known, or should be; who says
/// how long items take is believed as far as such words go.
const KNOWN_ITEMS: f64 = 3.0;

/// Fewer replicas must be enough for this share of the time left, and for so many start-ups: as long as a replica
/// has work to do it costs nothing but what it finishes early, and letting it go wrongly costs a start-up.
const PATIENT: f64 = 0.01;
const PATIENT_STARTUPS: f64 = 3.0;

/// Who would not be missed though a replica had to start anew so many times goes at once.
const SURE_STARTUPS: f64 = 2.0;

/// A lease and two items may be this share of the time left, where a replica that goes is killed.
const KILL_TIME: f64 = 0.05;

/// What a job has taken so far, and what nobody has seen yet, milliseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    /// Of replicas at work on items, done or in flight.
    pub items_ms: f64,
    /// Of replicas asked for.
    pub replicas_ms: f64,
    /// Of a start-up so much is a guess.
    pub guessed_ms: f64,
}

pub struct Needs<'a> {
    pub(super) rest: &'a Rest<'a>,
    pub(super) seen: &'a Observation,
    /// Until the deadline, less the reserve.
    pub(super) time_ms: f64,
    /// Until the deadline itself.
    pub(super) deadline_ms: f64,
    startup_ms: f64,
    /// From a course gone wrong until more replicas work against it.
    reaction_ms: f64,
    known: f64,
    /// Replica milliseconds so far.
    used_ms: f64,
    /// How many items would be done by now if they took as long as the deadline allows with all that can be had.
    due: f64,
    /// Nobody said how long items take.
    blank: bool,
    /// The quantile of the end that must come before the deadline.
    sure_end: f64,
    z_sure: f64,
    /// Of the start-up nothing but a guess.
    guessed_ms: f64,
}

impl<'a> Needs<'a> {
    pub fn new(
        params: &Params,
        seen: &'a Observation,
        deadline_ms: u64,
        rest: &'a Rest<'a>,
        startup_ms: f64,
        known: f64,
        spent: Spent,
    ) -> Self {
        let allowed_ms = deadline_ms as f64 * f64::from(seen.most().max(1)) / (seen.items.total as f64).max(1.0);
        let due = spent.items_ms / allowed_ms.max(1.0);
        let left = deadline_ms as f64 - seen.at_ms as f64;
        let reserve = (params.margin * deadline_ms as f64).min(0.5 * left.max(0.0));
        // What the user calls sure is shared by several risks.
        let sure = 1.0 - (1.0 - seen.confidence.clamp(0.5, 0.9999)) / 2.0;
        let reaction_ms = startup_ms + rest.belief().mean_ms() + LOOK_MS;
        // How far giants reach is known only after many items; to be sure of it before would cost more than to learn.
        let learnt = known / (known + TAIL_ITEMS);
        let sure_end = 1.0 - libm::pow(UNSURE_END, 1.0 - learnt) * libm::pow(1.0 - sure, learnt);
        let blank = seen.hints.is_empty();
        let z_sure = normal::quantile(sure);
        Self {
            rest,
            seen,
            time_ms: left - reserve,
            deadline_ms: left,
            startup_ms,
            reaction_ms,
            known,
            used_ms: spent.replicas_ms,
            due,
            blank,
            sure_end,
            z_sure,
            guessed_ms: spent.guessed_ms,
        }
    }

    /// Fewest replicas that are enough, with `spare` of them to spare; the most there can be when none are. What doubt adds
    /// is capped, as a reserve that doubles the allocation buys little; unless only more now can mend a bad course later.
    pub fn least(&self, spare: f64) -> u32 {
        let least = self.fewest(0, |replicas| self.meets(replicas, spare));
        let without = (f64::from(least) / CAP) as u32;
        if !self.informed() || without < 1 || !self.on_course(without, spare) {
            return least;
        }
        let likely = self.fewest(0, |replicas| self.on_course(replicas, spare));
        let whole = (self.used_ms + self.replica_ms(likely)) / (self.deadline_ms + self.seen.at_ms as f64).max(1.0);
        let capped = (CAP * f64::from(likely)).max(CAP_WHOLE * whole).ceil() as u32;
        let panic = (PANIC * whole.max(f64::from(likely))).ceil() as u32;
        if least <= capped || self.mendable(capped) || !self.mendable(self.seen.most().max(1)) {
            return least.min(capped);
        }
        self.fewest(capped, |replicas| self.mendable(replicas)).min(panic.max(capped))
    }

    /// Fewest replicas from `from` on that are enough, if more are never worse; the most there can be when none are.
    fn fewest(&self, from: u32, enough: impl Fn(u32) -> bool) -> u32 {
        let (mut low, mut high) = (self.seen.bounds.min.max(1).max(self.probe()).max(from), self.seen.most().max(1));
        if low >= high || enough(low) {
            return low.min(high);
        }
        // Beyond the items left, more replicas change nothing.
        let left = u32::try_from(self.seen.items.left()).unwrap_or(u32::MAX);
        high = high.min(left.max(low));
        while high - low > 1 {
            let middle = u32::midpoint(low, high);
            if enough(middle) { high = middle } else { low = middle }
        }
        high
    }

    /// Somebody said how long items take, or one was seen.
    fn informed(&self) -> bool {
        self.known >= 1.0 || !self.blank
    }

    /// With how many a job is looked at of which nothing is known: they learn so many times faster, and what they do
    /// need not be made up for later.
    fn probe(&self) -> u32 {
        if self.informed() {
            return 0;
        }
        let whole_ms = (self.deadline_ms + self.seen.at_ms as f64).max(1.0);
        let widened = (self.seen.at_ms as f64 / (PROBE_TIME * whole_ms)).min(1.0);
        let left = u32::try_from(self.seen.items.left()).unwrap_or(u32::MAX);
        ((PROBE * widened * f64::from(self.seen.most())) as u32).min(left)
    }

    /// Whether an allocation is enough for now: the likely course must end in time with what cannot be mended later
    /// in reserve, and a bad course must be mendable by more replicas once it shows.
    fn meets(&self, replicas: u32, spare: f64) -> bool {
        let finish = self.rest.with(replicas);
        let end = self.end_ms(finish);
        let room = self.time_ms - finish.tail_ms;
        let unmended = (self.reaction_ms / room.max(1.0)).clamp(0.0, 1.0);
        let luck = self.z_sure * finish.item_sd_ms * unmended.sqrt();
        let level = self.z_sure * finish.level_sd_ms * unmended;
        let reserve = (luck * luck + level * level + end * end).sqrt();
        (!self.informed() || self.hoped_ms(finish) * (1.0 + spare) + reserve <= room) && self.mendable(replicas)
    }

    /// Whether the likely course ends in time, with nothing in reserve.
    fn on_course(&self, replicas: u32, spare: f64) -> bool {
        let finish = self.rest.with(replicas);
        self.hoped_ms(finish) * (1.0 + spare) + finish.tail_ms <= self.time_ms
    }

    /// Until the last take if doubt ends a little well, as long as there is time to mend it if it does not: noise of the
    /// first items would else be answered with replicas that the next ones show to be too many.
    fn hoped_ms(&self, finish: Finish) -> f64 {
        let room = self.time_ms - finish.tail_ms;
        let mended = 1.0 - (2.0 * self.reaction_ms / room.max(1.0)).clamp(0.0, 1.0);
        finish.bulk_ms * libm::exp(-HOPE * mended * self.rest.belief().doubt.min(IGNORANCE))
    }

    /// How much later than likely the longest item at the end may be.
    fn end_ms(&self, finish: Finish) -> f64 {
        (self.rest.longest_of(finish.active, self.sure_end) - finish.tail_ms).max(0.0)
    }

    /// Whether more replicas, once a bad course shows, would still meet the deadline.
    fn mendable(&self, replicas: u32) -> bool {
        let finish = self.rest.with(replicas);
        let r = f64::from(replicas);
        let off = finish.bulk_ms * (libm::exp(self.z_sure * self.rest.belief().doubt).min(FURTHEST) - 1.0);
        let luck = self.z_sure * finish.item_sd_ms;
        let end = self.end_ms(finish);
        // Not all is bad at once: of the courses that are so bad the likeliest has of each risk its square over the root of
        // all squares (the design point of first-order reliability: Hasofer and Lind, 1974).
        let all = (off * off + luck * luck + end * end).sqrt().max(1.0);
        let room = self.time_ms - finish.tail_ms - end * end / all;
        let most = f64::from(self.seen.most()).max(r);
        // As replica milliseconds until the last take.
        let bad = r * (finish.bulk_ms + (off * off + luck * luck) / all);
        let share = if self.informed() { ROOM } else { BLANK_ROOM };
        let bad = bad.min((share * most * (room - self.startup_ms)).max(r * finish.bulk_ms));
        let answer = (PEAK * bad / room.max(1.0)).clamp(r, most);
        let before = self.reaction_ms.min(self.time_ms - finish.tail_ms).min(room);
        r * before + answer * (room - before) >= bad
    }

    /// Fewest replicas that would do on a bad course too without another move, even if a replica had to start anew twice.
    pub fn surely(&self, spare: f64) -> u32 {
        self.fewest(0, |replicas| {
            let finish = self.rest.with(replicas);
            let off = finish.bulk_ms * libm::expm1(self.z_sure * self.rest.belief().doubt);
            let luck = self.z_sure * finish.item_sd_ms;
            let end = self.end_ms(finish);
            finish.bulk_ms * (1.0 + spare) + (off * off + luck * luck + end * end).sqrt()
                <= self.time_ms - SURE_STARTUPS * self.startup_ms - finish.tail_ms
        })
    }

    /// Whether the deadline is lost with all that can be had. The sooner that is said the more it is worth, so early on the
    /// likely course decides, if even a good one leaves little to spare; later only what is all but sure. Before anything
    /// is likely to have shown what items take, and on guesses of start-ups, nothing is said.
    pub fn too_late(&self, already: bool) -> bool {
        if self.deadline_ms <= 0.0 {
            return true;
        }
        let most = self.seen.most().max(1);
        let guessed_ms = self.guessed_ms + self.guessed_end_ms(most);
        let by = |p: f64| self.at(most, normal::quantile(p)) - guessed_ms;
        if already {
            return by(REGAINED) > self.deadline_ms;
        }
        if self.blank && self.known < KNOWN_ITEMS && self.due < KNOWN_ITEMS || self.rest.belief().relief * by(0.5) <= self.deadline_ms {
            return false;
        }
        let at_ms = self.seen.at_ms as f64;
        let share = at_ms / (self.deadline_ms + at_ms);
        if share < FIRST_WORD {
            return by(LOST_AT_ONCE) > self.deadline_ms;
        }
        let lost = LOST.max(LOST_EARLY * (1.0 - share / EARLY_SHARE));
        by(lost) > self.deadline_ms && by(GOOD_COURSE) > TO_SPARE * self.deadline_ms
    }

    /// How much longer the longest items take than others is a guess until some are known: so much of the end is.
    fn guessed_end_ms(&self, replicas: u32) -> f64 {
        if self.nothing_waits() {
            return 0.0;
        }
        let guess = TAIL_ITEMS / (TAIL_ITEMS + self.known);
        guess * (self.rest.with(replicas).tail_ms - self.rest.belief().mean_ms()).max(0.0)
    }

    /// Every item is begun.
    pub fn nothing_waits(&self) -> bool {
        self.rest.waiting() < 1.0
    }

    /// Whether fewer replicas are worth what taking them away throws away: a killed item is begun anew after its lease,
    /// which must be little against the time left.
    pub fn pays_to_shrink(&self) -> bool {
        match self.seen.scale_in {
            Some(ScaleIn::Kill { lease_ms }) => lease_ms as f64 + 2.0 * self.rest.belief().mean_ms() <= KILL_TIME * self.time_ms,
            _ => true,
        }
    }

    /// How long fewer replicas must be enough before they are taken away.
    pub fn patience_ms(&self) -> u64 {
        (PATIENT * self.time_ms.max(0.0) + PATIENT_STARTUPS * self.startup_ms) as u64
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
