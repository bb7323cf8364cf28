//! One scenario under one controller, from its first second to its end.

use serde_json::Value;

use super::clairvoyant::Clairvoyant;
use super::driver::Driver;
use super::plant::{Plant, millis};
use super::scenario::{ScaleInSpec, Scenario};
use super::score::{Counts, RunResult};
use super::world::World;
use crate::control_loop::{ControlLoop, Effect, Input};
use crate::decision::Decision;
use crate::job::Bounds;
use crate::observation::{Hints, Observation, ReplicaId, ScaleIn};
use crate::plugin::{FieldError, PluginSpec};
use crate::victims;

/// A job that is not done after so many deadlines is cut off.
pub const CUT_AFTER_DEADLINES: f64 = 4.0;

/// A scenario with all that is the same for every controller.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub scenario: Scenario,
    pub world: World,
    pub hindsight: Clairvoyant,
}

/// Measures a step from outside: the simulator knows no clock.
pub trait Stopwatch {
    /// A loop whose steps count gives out its memory as a live one does.
    const COUNTS: bool = true;

    fn time<R>(&mut self, step: impl FnOnce() -> R) -> R;
}

/// Measures nothing.
pub struct NoStopwatch;

impl Stopwatch for NoStopwatch {
    const COUNTS: bool = false;

    fn time<R>(&mut self, step: impl FnOnce() -> R) -> R {
        step()
    }
}

/// Told of everything that goes in and out.
pub type Trace<'a> = &'a mut dyn FnMut(&Input, &[Effect]);

impl Prepared {
    pub fn new(scenario: Scenario) -> Self {
        let world = World::new(&scenario);
        let hindsight = Clairvoyant::new(&scenario, &world);
        Self { scenario, world, hindsight }
    }
}

/// Runs a scenario under a law of the catalog. Errors lie under `controller`.
pub fn simulate(prepared: &Prepared, spec: &PluginSpec, trace: Option<Trace<'_>>) -> Result<RunResult, Vec<FieldError>> {
    let mut control = start(spec)?;
    if trace.is_none() {
        control.forget();
    }
    Ok(run(prepared, &spec.kind, &mut control, &mut NoStopwatch, trace))
}

pub fn start(spec: &PluginSpec) -> Result<ControlLoop, Vec<FieldError>> {
    ControlLoop::new("simulated", spec, 1, None).map_err(|errors| errors.into_iter().map(|error| error.under("controller")).collect())
}

/// Runs a scenario under anything that drives.
pub fn run<D: Driver + ?Sized, S: Stopwatch>(
    prepared: &Prepared,
    controller: &str,
    driver: &mut D,
    stopwatch: &mut S,
    trace: Option<Trace<'_>>,
) -> RunResult {
    let Prepared { scenario, world, hindsight } = prepared;
    let initial = scenario.replicas.initial.unwrap_or(scenario.replicas.min);
    let mut shell = Shell { driver, stopwatch, trace, plant: Plant::new(world, initial), moved: Vec::new(), counts: Counts::new(initial) };
    let mut seen = first_sight(scenario, initial);
    let mut changes = scenario.changes.iter().peekable();
    let mut gaps = scenario.metric_gap.iter().peekable();
    let mut revision = 1;
    let cut_s = CUT_AFTER_DEADLINES * scenario.last_deadline_s().max(scenario.deadline_s);

    for tick in 0u64.. {
        let at_s = tick as f64 * scenario.tick_s;
        if cut_s < at_s || shell.counts.gave_up_s.is_some() {
            break;
        }
        shell.pass_to(at_s);
        if shell.plant.ended() {
            break;
        }
        while let Some(change) = changes.next_if(|change| change.at_s <= at_s) {
            seen.deadline_ms = change.deadline_s.map(millis).or(seen.deadline_ms);
            seen.confidence = change.confidence.unwrap_or(seen.confidence);
            seen.hints.service_ms_mean = change.hint_service_s.map(|hint_s| hint_s * 1000.0).or(seen.hints.service_ms_mean);
            seen.bounds.max = change.max.unwrap_or(seen.bounds.max);
            seen.bounds.min = change.min.unwrap_or(seen.bounds.min);
            if let Some(params) = &change.params {
                revision += 1;
                shell.tell(Input::Retuned { at_ms: millis(at_s), revision, params: Value::clone(params) });
            }
        }
        while gaps.next_if(|(_, to_s)| *to_s <= at_s).is_some() {}
        if gaps.peek().is_some_and(|(from_s, _)| *from_s <= at_s) {
            shell.tell(Input::Blind { at_ms: millis(at_s), why: "the metrics have a gap".to_owned() });
            shell.counts.ticks += 1;
            continue;
        }
        shell.look(&mut seen, at_s);
    }
    let plant = &shell.plant;
    shell.counts.result(scenario, controller, hindsight, plant.now_s(), plant.ended(), &plant.tally)
}

fn first_sight(scenario: &Scenario, initial: u32) -> Observation {
    Observation {
        deadline_ms: Some(millis(scenario.deadline_s)),
        confidence: scenario.confidence,
        hints: Hints { service_ms_mean: scenario.hint_service_s.map(|hint_s| hint_s * 1000.0), history: None },
        bounds: Bounds { min: scenario.replicas.min, max: scenario.replicas.max, initial },
        scale_in: Some(match scenario.scale_in {
            ScaleInSpec::Drain { grace_s } => ScaleIn::Drain { grace_ms: grace_s.map(millis) },
            ScaleInSpec::Kill { lease_s } => ScaleIn::Kill { lease_ms: millis(lease_s) },
        }),
        ..Observation::at(0)
    }
}

/// Performs effects on the plant, and answers them.
struct Shell<'a, 't, 'w, D: ?Sized, S> {
    driver: &'a mut D,
    stopwatch: &'a mut S,
    trace: Option<Trace<'t>>,
    plant: Plant<'w>,
    moved: Vec<(f64, u32)>,
    counts: Counts,
}

impl<D: Driver + ?Sized, S: Stopwatch> Shell<'_, '_, '_, D, S> {
    fn look(&mut self, seen: &mut Observation, at_s: f64) {
        self.plant.observe(seen);
        let effects = self.stopwatch.time(|| self.driver.seen(seen));
        if let Some(trace) = &mut self.trace {
            trace(&Input::Seen(seen.clone()), &effects);
        }
        self.counts.tick(seen.at_ms, self.plant.done() as f64 / self.plant.total() as f64, &effects);
        self.perform(&effects, seen, at_s);
    }

    fn perform(&mut self, effects: &[Effect], seen: &Observation, at_s: f64) {
        let mut drain: Option<&[ReplicaId]> = None;
        for effect in effects {
            match effect {
                Effect::Decided(Decision { drain: first, .. }) => drain = Some(first),
                Effect::Move { to } => {
                    let first = match drain {
                        Some(first) => first.to_vec(),
                        // Whoever names none gets those that our own loop would name.
                        None => victims::choose(seen, self.plant.asked().saturating_sub(*to)),
                    };
                    self.plant.ask(*to, first);
                    self.pass_to(at_s);
                }
                Effect::GiveUp { .. } => self.counts.gave_up_s = Some(at_s),
                Effect::Note { .. } | Effect::Remember(_) => {}
            }
        }
    }

    /// Lets the plant go on, and tells what came true on the way. Of several moves on their way only the last is
    /// answered: the others are not where the loop stands any more.
    fn pass_to(&mut self, at_s: f64) {
        self.plant.advance(at_s, &mut self.moved);
        if let Some((moved_s, to)) = self.moved.pop() {
            self.moved.clear();
            if !self.plant.moves_wait() {
                self.tell(Input::Moved { at_ms: millis(moved_s), to });
            }
        }
    }

    fn tell(&mut self, input: Input) {
        let traced = self.trace.is_some().then(|| input.clone());
        let effects = self.driver.told(input);
        if let (Some(trace), Some(input)) = (&mut self.trace, traced) {
            trace(&input, &effects);
        }
    }
}
