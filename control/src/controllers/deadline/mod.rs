//! `deadline`: predicts the finish and holds the least allocation that meets the deadline with the wanted
//! confidence. Learns service times from what is done and what is in flight; needs no tuning per job.

mod band;
mod look;
mod need;
pub mod quote;
mod say;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::look::Look;
use self::need::{Needs, Spent};
use super::Controller;
use crate::decision::{Term, Wish};
use crate::forecast::Forecast;
use crate::guard::GuardParams;
use crate::observation::{Observation, ReplicaState};
use crate::plugin::Plugin;
use crate::prediction::finish::Rest;
use crate::prediction::service::Service;
use crate::prediction::startup::Startup;

pub struct Deadline;

/// A deadline is given up when it looks lost for this share of its time.
const PROOF: f64 = 0.02;

/// What becomes of a job that cannot meet its deadline any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenLate {
    /// As early as possible, with all replicas that can be had.
    #[default]
    FinishAsap,
    /// Goes on with what it has.
    KeepBudget,
    /// Replicas finish what they hold, and the job stops.
    Stop,
}

/// Which wins when the deadline would cost more than the budget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Prefer {
    #[default]
    Deadline,
    Budget,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Share of the time to the deadline that is kept in reserve for what nobody foresees.
    #[garde(range(min = 0.0, max = 0.5))]
    #[schemars(extend("x-unit" = "share of the time", "x-step" = 0.005))]
    pub margin: f64,
    /// How much earlier than needed the job must be before replicas are taken away; more means fewer moves
    /// and a higher cost.
    #[garde(range(min = 0.0, max = 0.5))]
    #[schemars(extend("x-unit" = "share of the replicas", "x-step" = 0.01))]
    pub hysteresis: f64,
    /// What becomes of a job that cannot meet its deadline any more.
    #[garde(skip)]
    pub when_late: WhenLate,
    /// Which wins when the deadline would cost more than the budget.
    #[garde(skip)]
    pub prefer: Prefer,
    #[garde(dive)]
    pub guards: GuardParams,
}

impl Default for Params {
    fn default() -> Self {
        Self { margin: 0.01, hysteresis: 0.06, when_late: WhenLate::FinishAsap, prefer: Prefer::Deadline, guards: GuardParams::none() }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    service: Service,
    startup: Startup,
    course: Course,
}

/// What the law itself did so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Course {
    at_ms: Option<u64>,
    /// Used so far.
    replica_ms: f64,
    moved_ms: u64,
    /// Since when fewer replicas would do.
    ample_since_ms: Option<u64>,
    /// The deadline was given up.
    late: bool,
    /// Since when all looks said that it is lost.
    doomed_since_ms: Option<u64>,
    look: Option<Look>,
}

impl Plugin for Deadline {
    const KIND: &'static str = "deadline";
    const TITLE: &'static str = "Deadline";
    const ABOUT: &'static str = "Predicts when the job will be done and holds the fewest replicas that meet the deadline with \
        the wanted confidence; learns how long items take, and says early when it cannot.";
    type Params = Params;
}

impl Controller for Deadline {
    type Memory = Memory;
    const REMEMBER_EVERY_MS: u64 = 10_000;

    fn step(params: &Params, memory: &mut Memory, seen: &Observation) -> Wish {
        memory.learn(seen);
        let Some(deadline_ms) = seen.deadline_ms else {
            return Wish { value: f64::from(seen.allocated()), why: say::no_deadline(), ..Wish::default() };
        };
        if seen.items.left() == 0 {
            return Wish { value: f64::from(seen.allocated()), why: say::nothing_left(seen), ..Wish::default() };
        }
        let Memory { service, startup, course } = memory;
        let known = service.count();
        if let Some(look) = course.look.as_ref().filter(|look| look.stands(params, seen, known)) {
            return wish(look, seen, deadline_ms, known, None);
        }
        let startup_ms = startup.expected_ms(seen);
        let waste = service.waste(seen);
        let spent_ms = service.spent_ms(seen);
        let belief = service.belief(seen, guess_ms(seen, deadline_ms));
        let rest = Rest::new(seen, service.tables(), belief, startup_ms, waste);
        let spent = Spent { items_ms: spent_ms, replicas_ms: course.replica_ms, guessed_ms: startup.guessed_ms(seen) };
        let needs = Needs::new(params, seen, deadline_ms, &rest, startup_ms, known, spent);

        let now = seen.allocated();
        let late = course.is_late(&needs, seen.at_ms, deadline_ms);
        let chosen = choose(params, course, seen, &needs, late);
        let newly_late = late && !course.late;
        course.late = late;
        let forecast = forecast(params, course, seen, &needs, chosen, late);
        let give_up = (newly_late && params.when_late == WhenLate::Stop).then(|| say::given_up(&forecast, deadline_ms));
        if chosen != now {
            course.moved_ms = seen.at_ms;
        }
        let look = Look::new(params, seen, chosen, belief.mean_ms(), forecast);
        let wish = wish(&look, seen, deadline_ms, known, give_up);
        course.look = Some(look);
        wish
    }

    fn guards(params: &Params) -> &GuardParams {
        &params.guards
    }
}

impl Course {
    /// Whether the deadline is given up: all looks for a while said so. One that a few more items contradict is not worth
    /// a warning.
    fn is_late(&mut self, needs: &Needs<'_>, at_ms: u64, deadline_ms: u64) -> bool {
        if !needs.too_late(self.late) {
            self.doomed_since_ms = None;
            return false;
        }
        let since_ms = *self.doomed_since_ms.get_or_insert(at_ms);
        self.late || at_ms >= deadline_ms || (at_ms - since_ms.min(at_ms)) as f64 >= PROOF * deadline_ms as f64
    }
}

impl Memory {
    fn learn(&mut self, seen: &Observation) {
        let since_ms = seen.at_ms.saturating_sub(self.course.at_ms.unwrap_or(seen.at_ms)) as f64;
        self.course.at_ms = Some(seen.at_ms);
        self.course.replica_ms += since_ms * f64::from(seen.allocated());
        self.startup.learn(seen);
        self.service.learn(seen);
        self.service.account(seen, since_ms);
    }
}

/// Mean service time when nothing is known: such that with all that can be had the job would be done in a part of
/// the time, as people choose deadlines and bounds with something to spare, but not a hundred times too much.
fn guess_ms(seen: &Observation, deadline_ms: u64) -> f64 {
    const SLACK: f64 = 3.5;
    // The longest of many is a few times the mean.
    const LAST: f64 = 2.0;
    deadline_ms as f64 / SLACK / (seen.items.total as f64 / f64::from(seen.most().max(1)) + LAST)
}

/// Up at once when the deadline asks for it; down when fewer would do on a bad course too, or with something to spare for a while.
fn choose(params: &Params, course: &mut Course, seen: &Observation, needs: &Needs<'_>, late: bool) -> u32 {
    let now = seen.allocated();
    let most = seen.most();
    // Nothing waits: nobody new is needed, and whoever is free can go.
    if needs.nothing_waits() {
        course.ample_since_ms = None;
        return now.min(held_by_staying(seen).max(seen.bounds.min));
    }
    if late {
        course.ample_since_ms = None;
        return match params.when_late {
            WhenLate::FinishAsap => most,
            WhenLate::KeepBudget | WhenLate::Stop => now,
        };
    }
    let least = needs.least(0.0);
    if least > now {
        course.ample_since_ms = None;
        return if needs.over_budget(course.replica_ms) && params.prefer == Prefer::Budget { now } else { least };
    }
    let ample = needs.least(params.hysteresis);
    if ample >= now || !needs.pays_to_shrink() {
        course.ample_since_ms = None;
        return now;
    }
    // Who would do on a bad course too will not be missed: waiting for more news only costs.
    let surely = needs.surely(params.hysteresis).max(ample);
    if surely < now {
        course.ample_since_ms = None;
        return surely;
    }
    let since = *course.ample_since_ms.get_or_insert(seen.at_ms);
    if seen.at_ms - since >= needs.patience_ms() && seen.at_ms.saturating_sub(course.moved_ms) >= needs.patience_ms() {
        course.ample_since_ms = None;
        return ample;
    }
    now
}

/// Items in flight, but for those of replicas that go when they are done.
fn held_by_staying(seen: &Observation) -> u32 {
    let draining = seen.replicas.iter().filter(|replica| replica.state == ReplicaState::Draining).count() as u64;
    u32::try_from(seen.items.processing.saturating_sub(draining)).unwrap_or(u32::MAX)
}

fn forecast(params: &Params, course: &Course, seen: &Observation, needs: &Needs<'_>, chosen: u32, late: bool) -> Forecast {
    let at = |ahead: f64| seen.at_ms.saturating_add(ahead.clamp(0.0, 1e15) as u64);
    let fixed = late || params.prefer == Prefer::Budget && needs.over_budget(course.replica_ms);
    let band = needs.band(chosen, fixed);
    let replica_seconds = (course.replica_ms + needs.replica_ms(chosen)) / 1000.0;
    Forecast {
        p5_ms: at(band.p5_ms),
        p50_ms: at(band.p50_ms),
        p95_ms: at(band.p95_ms),
        // What goes wrong is answered with all that can be had.
        p_meet: needs.p_meet(if fixed { chosen } else { seen.most().max(chosen) }),
        replica_seconds,
        cost: seen.budget.map(|budget| budget.price_replica_hour * replica_seconds / 3600.0),
        earliest_ms: late.then(|| at(needs.band(seen.most(), true).p50_ms)),
    }
}

fn wish(look: &Look, seen: &Observation, deadline_ms: u64, known: f64, give_up: Option<String>) -> Wish {
    let term = |name: &str, value: f64| Term { name: name.to_owned(), value };
    let forecast = look.forecast;
    Wish {
        value: f64::from(look.chosen),
        terms: vec![
            term("p_meet", forecast.p_meet),
            term("finish_s", (forecast.p50_ms as f64 - seen.at_ms as f64) / 1000.0),
            term("service_s", look.mean_service_ms / 1000.0),
        ],
        why: say::why(look, seen, deadline_ms, known),
        forecast: Some(forecast),
        give_up,
    }
}
