//! When the job will be done with a given number of replicas: the bulk as a sum of many, the end as the longest of
//! those in flight then, and whole waves where items take equally long.

use std::cell::Cell;

use super::service::Belief;
use super::shape::Tables;
use crate::observation::{Observation, ReplicaState, ScaleIn};

/// Items in flight whose residuals are looked at one by one.
const LOOKED_AT: usize = 48;

/// What is left to do, summed up once a tick; any allocation can then be asked about.
pub struct Rest<'a> {
    tables: &'a Tables,
    belief: Belief,
    /// Items that wait.
    waiting: f64,
    /// Milliseconds until each replica that stays is free, sorted when items end in waves.
    free_in: Vec<f64>,
    /// Those at work or idle, and those that start.
    ready: Group,
    starting: Group,
    /// Ages of items in flight, as multiples of the typical time; each stands for `each` items.
    ages: Vec<f64>,
    each: f64,
    /// Until a replica that is asked for now is ready, ms.
    startup_ms: f64,
    /// Busy time over useful time.
    waste: f64,
    /// The last allocation that was asked about, and its finish.
    asked: Cell<Option<(u32, Finish)>>,
    /// The last two quantiles of the longest in flight, and what they were.
    held: Cell<[(f64, f64); 2]>,
    /// Whether items take so equally long that they end in waves.
    even: bool,
}

/// As good as never.
const FAR_MS: f64 = 1e18;

/// Replicas that become free at about the same time.
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    count: f64,
    free_ms: f64,
}

impl Group {
    fn add(&mut self, free_ms: f64) {
        self.count += 1.0;
        self.free_ms += (free_ms - self.free_ms) / self.count;
    }

    fn at_most(self, count: f64) -> Self {
        Self { count: self.count.min(count), ..self }
    }
}

/// The finish with one allocation, milliseconds from now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finish {
    /// Until the last waiting item is taken.
    pub bulk_ms: f64,
    /// From then to the end, median.
    pub tail_ms: f64,
    /// Doubt that only finishing items can lift: of the level.
    pub level_sd_ms: f64,
    /// Doubt that averages out: of the items themselves.
    pub item_sd_ms: f64,
    /// Replicas that are there before the last item is taken: who comes later changes nothing.
    pub active: f64,
}

impl Finish {
    pub fn median_ms(&self) -> f64 {
        self.bulk_ms + self.tail_ms
    }
}

/// Items whose replica was killed: they wait again when their lease is over.
fn leased(seen: &Observation) -> u64 {
    let killed = matches!(seen.scale_in, Some(ScaleIn::Kill { .. }));
    if killed { seen.items.processing.saturating_sub(seen.in_flight.len() as u64) } else { 0 }
}

impl<'a> Rest<'a> {
    pub fn new(seen: &Observation, tables: &'a Tables, belief: Belief, startup_ms: f64, waste: f64) -> Self {
        let mut free_in = Vec::with_capacity(seen.replicas.len());
        let typical = belief.typical_ms;
        let draining: Vec<_> =
            seen.replicas.iter().filter(|replica| replica.state == ReplicaState::Draining).map(|replica| &replica.id).collect();
        let stride = seen.in_flight.len().div_ceil(LOOKED_AT).max(1);
        let mut ages = Vec::with_capacity(seen.in_flight.len() / stride + 1);
        let (mut ready, mut starting) = (Group::default(), Group::default());
        for (place, item) in seen.in_flight.iter().enumerate() {
            let age = item.age_ms as f64 / typical;
            if place % stride == 0 {
                ages.push(age);
            }
            if !draining.contains(&&item.replica) {
                let free_ms = typical * tables.mean_residual(age);
                free_in.push(free_ms);
                ready.add(free_ms);
            }
        }
        for replica in &seen.replicas {
            match replica.state {
                ReplicaState::Starting => {
                    let free_ms = (startup_ms - replica.age_ms as f64).max(0.05 * startup_ms);
                    free_in.push(free_ms);
                    starting.add(free_ms);
                }
                ReplicaState::Idle => {
                    free_in.push(0.0);
                    ready.add(0.0);
                }
                ReplicaState::Busy | ReplicaState::Draining => {}
            }
        }
        let even = belief.sd < 0.3;
        if even {
            free_in.sort_unstable_by(f64::total_cmp);
        }
        let each = seen.in_flight.len() as f64 / ages.len().max(1) as f64;
        Self {
            tables,
            belief,
            waiting: seen.items.waiting.saturating_add(leased(seen)) as f64,
            free_in,
            ready,
            starting,
            ages,
            each,
            startup_ms,
            waste,
            asked: Cell::default(),
            held: Cell::default(),
            even,
        }
    }

    /// The finish with `replicas` from now on.
    pub fn with(&self, replicas: u32) -> Finish {
        if let Some((_, finish)) = self.asked.get().filter(|(asked, _)| *asked == replicas) {
            return finish;
        }
        let finish = self.find(replicas);
        self.asked.set(Some((replicas, finish)));
        finish
    }

    fn find(&self, replicas: u32) -> Finish {
        let r = f64::from(replicas.max(1));
        let (mean, typical) = (self.belief.mean_ms() * self.waste, self.belief.typical_ms);
        if self.waiting < 1.0 {
            let tail = self.held_longest(0.5);
            return Finish { bulk_ms: 0.0, tail_ms: tail, level_sd_ms: self.belief.doubt * tail, item_sd_ms: 0.0, active: r };
        }
        let (active, bulk) = self.bulk(r, mean);
        let tail = self.longest(active, 0.5);
        let item_sd = mean * self.tables.cv * (self.waiting + active).sqrt() / active;
        let mut finish =
            Finish { bulk_ms: bulk, tail_ms: tail, level_sd_ms: self.belief.doubt * (bulk + tail), item_sd_ms: item_sd, active };
        if self.even {
            let whole = self.in_waves(r, bulk, mean);
            let waves = self.waiting / active + 1.0;
            let rising = libm::log(self.belief.last_ms / typical);
            let spread = (self.belief.sd * self.belief.sd * waves + rising * rising).sqrt();
            // The first harmonic of the phase dies as exp(−2π²σ²).
            let lockstep = libm::exp(-2.0 * std::f64::consts::PI * std::f64::consts::PI * spread * spread);
            let even = (bulk + tail) + lockstep * (whole - bulk - tail);
            finish.bulk_ms = (even - typical).max(0.0);
            finish.tail_ms = even - finish.bulk_ms;
        }
        finish
    }

    /// How many of `r` replicas are there in time to take an item, and when the last one is taken: replicas join in
    /// the order in which they become free, as long as items still wait then.
    fn bulk(&self, r: f64, mean: f64) -> (f64, f64) {
        let ready = self.ready.at_most(r);
        let starting = self.starting.at_most(r - ready.count);
        let come = Group { count: r - ready.count - starting.count, free_ms: self.startup_ms };
        let mut groups = [ready, starting, come];
        groups.sort_unstable_by(|one, other| one.free_ms.total_cmp(&other.free_ms));
        let work = self.waiting * mean;
        let (mut active, mut free, mut bulk) = (0.0, 0.0, f64::INFINITY);
        for group in groups.iter().filter(|group| group.count > 0.0) {
            if bulk <= group.free_ms {
                break;
            }
            active += group.count;
            free += group.count * group.free_ms;
            // Long ones that have not begun yet cannot be far on.
            let residual = self.belief.last_ms * self.tables.residual(work / active / self.belief.last_ms);
            // When the last waiting item is taken, one replica has just begun and the others are somewhere within theirs.
            let inner = (active - 1.0).min(self.waiting + active - 1.0).max(0.0);
            bulk = ((free + work - inner * residual - self.belief.last_ms * self.tables.mean) / active).max(0.0);
        }
        (active, bulk)
    }

    /// Milliseconds after the last take, or from now when nothing waits, that all are done by with probability `p`.
    pub fn longest_of(&self, r: f64, p: f64) -> f64 {
        if self.waiting < 1.0 { self.held_longest(p) } else { self.longest(r, p) }
    }

    fn longest(&self, r: f64, p: f64) -> f64 {
        let log_p = libm::log(p);
        let fresh = self.waiting.min(r).max(1.0);
        if self.waiting >= r {
            // The last taken has just begun; the others are met at random.
            let span = self.waiting * self.belief.mean_ms() / r;
            return self.belief.last_ms * self.tables.longest(1.0, (r - 1.0).max(0.0), span / self.belief.last_ms, log_p);
        }
        // Fewer wait than there are replicas: they begin almost at once, beside those in flight.
        let new = self.belief.last_ms * self.tables.longest(fresh, 0.0, 0.0, log_p);
        new.max(self.held_longest(p))
    }

    /// Milliseconds from now that all items in flight are done by, with probability `p`. Whatever allocation is asked
    /// about, it is the same, so the last answers are kept.
    pub fn held_longest(&self, p: f64) -> f64 {
        if self.ages.is_empty() {
            return 0.0;
        }
        let known = self.held.get();
        if let Some((_, longest)) = known.iter().find(|(of, _)| *of == p) {
            return *longest;
        }
        let longest = self.find_held_longest(p);
        self.held.set([(p, longest), known[0]]);
        longest
    }

    fn find_held_longest(&self, p: f64) -> f64 {
        // A product needs no logarithm of each.
        let wanted = libm::pow(p, 1.0 / self.each);
        let typical = self.belief.typical_ms;
        let survivals: Vec<(f64, f64)> = self.ages.iter().map(|age| (*age, self.tables.survival(*age).max(1e-9))).collect();
        let all = |time: f64| -> f64 {
            survivals.iter().map(|(age, survival)| (1.0 - self.tables.survival(age + time) / survival).max(1e-9)).product()
        };
        let (mut low, mut high) = (0.0, 2.0 * self.tables.mean);
        while all(high) < wanted && high < 1e5 {
            low = high;
            high *= 2.0;
        }
        for _ in 0..10 {
            let middle = 0.5 * (low + high);
            if all(middle) < wanted { low = middle } else { high = middle }
        }
        typical * high
    }

    /// Items of equal length on replicas that become free at known times: list scheduling. The last item is begun at
    /// the first moment by which as many could be begun as there are.
    fn in_waves(&self, r: f64, bulk: f64, mean: f64) -> f64 {
        let come = r - self.free_in.len() as f64;
        let begun = |by: f64| -> f64 {
            let each = |free: f64| if free <= by { libm::floor((by - free) / mean) + 1.0 } else { 0.0 };
            // A drain takes those first that would be free first.
            self.free_in.iter().skip(self.free_in.len().saturating_sub(r as usize)).map(|free| each(*free)).sum::<f64>()
                + come.max(0.0) * each(self.startup_ms)
        };
        let (mut low, mut high) = ((bulk - mean).max(0.0), bulk + mean);
        // In steps that double: who holds an item of a million years must not be waited for.
        let mut step = mean;
        while begun(high) < self.waiting && high < FAR_MS {
            low = high;
            high += step;
            step *= 2.0;
        }
        for _ in 0..7 {
            let middle = 0.5 * (low + high);
            if begun(middle) < self.waiting { low = middle } else { high = middle }
        }
        high + mean
    }

    pub fn waiting(&self) -> f64 {
        self.waiting
    }

    pub fn belief(&self) -> &Belief {
        &self.belief
    }
}
