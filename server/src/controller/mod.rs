//! Runs a job's control loops: which is due, what it sees, how the wishes of several are joined.
//! Decisions are made in `control::control_loop` alone; here they are carried to and fro.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use control::control_loop::{ControlLoop, Effect, Input};
use control::decision::Decision;
use control::job::LoopSpec;
use control::join::{Join, join};
use control::live::{Foretold, LoopView, Mark, MarkKind};
use control::observation::{Completion, Items, Observation};
use control::plugin::{FieldError, PluginSpec};
use serde_json::Value;

use crate::actuator::{self, Actuator, Scalable, Standing};
use crate::recorder::{Recorder, Stand};

/// All loops of one job.
pub struct Loops {
    running: Vec<Running>,
}

struct Running {
    spec: LoopSpec,
    control: ControlLoop,
    recorder: Recorder,
    actuator: Box<dyn Actuator>,
    revision: u32,
    /// When it decides next, ms since the job's start.
    due_ms: u64,
    /// It had nothing to see when it was activated last.
    blind: bool,
    /// Its newest wish after the guards, for the join.
    wish: Option<u32>,
    /// Items done since its last activation.
    completions: Vec<Completion>,
    /// Its newest forecast says that the deadline cannot be met.
    late: bool,
    /// What it foretold at its last activation.
    foretold: Option<Foretold>,
    /// Something told how long items take when it was activated last: a forecast from less is kept to itself.
    informed: bool,
}

/// What one activation of all due loops came to.
#[derive(Default)]
pub struct Outcome {
    pub samples: Vec<(String, f64)>,
    pub memories: Vec<(String, Value)>,
    /// Lines of the recordings.
    pub recorded: Vec<(String, String)>,
    pub marks: Vec<Mark>,
    /// By the first loop that foretells.
    pub foretold: Option<Foretold>,
    /// A loop's user chose that the job stops now, for this reason.
    pub give_up: Option<String>,
}

impl Outcome {
    /// What came of a later step of the same tick is added.
    pub fn join(&mut self, later: Self) {
        let Self { samples, memories, recorded, marks, foretold, give_up } = later;
        self.samples.extend(samples);
        self.memories.extend(memories);
        self.recorded.extend(recorded);
        self.marks.extend(marks);
        self.foretold = foretold.or(self.foretold);
        self.give_up = give_up.or(self.give_up.take());
    }
}

/// One moment as all loops see it. `metrics` holds what the monitors published, or why not.
pub struct Moment<'a> {
    pub wall_ms: i64,
    pub seen: Observation,
    pub metrics: &'a BTreeMap<String, f64>,
    pub blind: Option<&'a str>,
    /// Why nothing can be decided, when the replicas cannot be seen: all loops are blind then.
    pub unseen: Option<&'a str>,
    /// How many replicas are wanted now.
    pub wanted: u32,
}

impl Loops {
    /// # Errors
    /// Parameters or memories that no longer fit, each with its loop.
    pub fn new(specs: &[LoopSpec], views: &[LoopView], memories: &BTreeMap<String, Value>) -> Result<Self, Vec<FieldError>> {
        let mut running = Vec::new();
        for (place, spec) in specs.iter().enumerate() {
            let at = |errors: Vec<FieldError>| errors.into_iter().map(|error| error.under(&format!("loops.{place}"))).collect::<Vec<_>>();
            let view = views.iter().find(|view| view.name == spec.name);
            let controller =
                PluginSpec::new(&spec.controller.kind, view.map_or_else(|| spec.controller.params.clone(), |view| view.params.clone()));
            let revision = view.map_or(1, |view| view.revision);
            let memory = memories.get(&spec.name).cloned();
            let control = ControlLoop::new(&spec.name, &controller, revision, memory.clone()).map_err(at)?;
            let recorder = Recorder::new(Stand { kind: controller.kind, revision, params: controller.params, memory });
            let actuator = actuator::build(&spec.actuator).map_err(at)?;
            running.push(Running {
                spec: spec.clone(),
                control,
                recorder,
                actuator,
                revision,
                due_ms: 0,
                blind: false,
                wish: None,
                completions: Vec::new(),
                late: false,
                foretold: None,
                informed: false,
            });
        }
        Ok(Self { running })
    }

    /// Takes over newer tunings. Their memory is kept, so nothing jumps.
    pub fn retune(&mut self, views: &[LoopView], at_ms: u64, wall_ms: i64, outcome: &mut Outcome) {
        for one in &mut self.running {
            let Some(view) = views.iter().find(|view| view.name == one.spec.name && view.revision > one.revision) else { continue };
            one.revision = view.revision;
            // The new values are used at once, not at the end of a long interval.
            one.due_ms = at_ms;
            one.tell(Input::Retuned { at_ms, revision: view.revision, params: view.params.clone() }, wall_ms, outcome);
        }
    }

    /// Whether what this loop moves is the number of replicas.
    pub fn moves_replicas(&self, name: &str) -> bool {
        self.running.iter().find(|one| one.spec.name == name).is_none_or(|one| one.actuator.moves_replicas())
    }

    /// Lets every due loop decide, joins the wishes by actuator (the greatest wins), and moves.
    pub fn activate(&mut self, moment: &Moment<'_>, job: &mut dyn Scalable) -> Outcome {
        let mut outcome = Outcome::default();
        let at_ms = moment.seen.at_ms;
        let mut moving = Vec::new();
        for (place, one) in self.running.iter_mut().enumerate() {
            one.completions.extend_from_slice(&moment.seen.completions);
            let stand = one.actuator.stand(job);
            // Where its last move is not measured yet, what is seen is of the time before.
            if matches!(stand, Ok(Some(Standing { settling: true, .. }))) && moment.unseen.is_none() {
                continue;
            }
            let value = moment.metrics.get(&one.spec.metric).filter(|_| moment.unseen.is_none() && stand.is_ok());
            // Who was blind looks as soon as there is something to see, and not at the end of a long interval.
            let sees_again = one.blind && value.is_some();
            if at_ms < one.due_ms && !sees_again {
                continue;
            }
            one.blind = value.is_none();
            (one.foretold, one.informed) = (None, moment.seen.informed());
            one.due_ms = at_ms + (one.spec.interval_s * 1000.0) as u64;
            let input = match (value, stand) {
                (Some(value), Ok(stand)) => {
                    let completions = std::mem::take(&mut one.completions);
                    let seen = stand.map_or_else(|| moment.seen.clone(), |stand| seen_from(stand, &moment.seen));
                    Input::Seen(Observation { value: Some(*value), completions, ..seen })
                }
                (_, stand) => {
                    let cannot = stand.err().map(|error| error.to_string());
                    let why = moment.unseen.or(cannot.as_deref()).or(moment.blind).unwrap_or("its metric is not published");
                    Input::Blind { at_ms, why: why.to_owned() }
                }
            };
            if one.tell(input, moment.wall_ms, &mut outcome) {
                moving.push(place);
            }
        }
        if !moving.is_empty() {
            self.move_joined(&moving, moment, job, &mut outcome);
        }
        outcome.foretold = self.running.iter().find_map(|one| one.foretold);
        outcome
    }

    fn move_joined(&mut self, moving: &[usize], moment: &Moment<'_>, job: &mut dyn Scalable, outcome: &mut Outcome) {
        let at_ms = moment.seen.at_ms;
        let kinds: BTreeSet<String> = moving.iter().map(|place| self.running[*place].spec.actuator.kind.clone()).collect();
        for kind in kinds {
            let wishes: Vec<(String, u32)> = self
                .running
                .iter()
                .filter(|one| one.spec.actuator.kind == kind)
                .filter_map(|one| Some((one.spec.name.clone(), one.wish?)))
                .collect();
            let Some((to, winner)) = join(&wishes, Join::Max) else { continue };
            let mut now = moment.wanted;
            let moved = match self.running.iter_mut().find(|one| one.spec.name == winner) {
                Some(one) => {
                    if let Ok(Some(stand)) = one.actuator.stand(job) {
                        now = stand.allocation;
                    }
                    if to == now { Ok(to) } else { one.actuator.move_to(to, job) }
                }
                None => Ok(to),
            };
            // A wish that another loop outvoted, or that was refused, is a line on the chart and no decision.
            let came_true = moved.as_ref().ok().copied().filter(|to| *to != now);
            outcome.marks.retain(|mark| {
                let ours = mark.loop_name.as_ref().is_some_and(|name| wishes.iter().any(|(wisher, _)| wisher == name));
                !ours || mark.decision.as_ref().is_none_or(|decision| came_true == Some(decision.to))
            });
            for one in self.running.iter_mut().filter(|one| one.spec.actuator.kind == kind) {
                let input = match &moved {
                    Ok(to) => Input::Moved { at_ms, to: *to },
                    Err(error) => Input::Refused { at_ms, why: error.to_string() },
                };
                one.tell(input, moment.wall_ms, outcome);
            }
        }
    }
}

/// A moment as a loop sees it that moves something else than the number of replicas: it is bound by no number of items.
fn seen_from(stand: Standing, seen: &Observation) -> Observation {
    Observation {
        allocation: Some(stand.allocation),
        bounds: stand.bounds,
        replicas: Vec::new(),
        in_flight: Vec::new(),
        items: Items { open: true, ..seen.items },
        ..seen.clone()
    }
}

impl Running {
    /// Tells the loop, records both sides, and takes over what it answers. True when it asked for a move.
    fn tell(&mut self, input: Input, wall_ms: i64, outcome: &mut Outcome) -> bool {
        let effects = self.recorder.tell(&mut self.control, input);
        outcome.recorded.extend(self.recorder.take().into_iter().map(|line| (self.spec.name.clone(), line)));
        self.perform(effects, wall_ms, outcome)
    }

    /// Turns effects into samples, memories and marks. True when the loop asked for a move.
    fn perform(&mut self, effects: Vec<Effect>, wall_ms: i64, outcome: &mut Outcome) -> bool {
        let mut moves = false;
        for effect in effects {
            match effect {
                Effect::Move { to } => {
                    self.wish = Some(to);
                    moves = true;
                }
                Effect::Remember(memory) => outcome.memories.push((self.spec.name.clone(), memory)),
                Effect::Decided(decision) => {
                    self.wish = Some(decision.to);
                    self.record(decision, wall_ms, outcome);
                }
                Effect::GiveUp { why } => outcome.give_up = Some(why),
                Effect::Note { text } => outcome.marks.push(self.mark(wall_ms, MarkKind::Info, text, None)),
            }
        }
        moves
    }

    fn record(&mut self, mut decision: Decision, wall_ms: i64, outcome: &mut Outcome) {
        decision.why = self.actuator.say(decision.why);
        let was_late = std::mem::replace(&mut self.late, decision.forecast.is_some_and(|forecast| forecast.earliest_ms.is_some()));
        // With a move the move's own mark says it.
        if self.late && !was_late && decision.from == decision.to {
            outcome.marks.push(self.mark(wall_ms, MarkKind::Failure, decision.why.clone(), None));
        }
        let name = &self.spec.name;
        // Lines of replicas, in the chart of replicas.
        if decision.wanted.is_finite() && self.actuator.moves_replicas() {
            outcome.samples.push((format!("wish.{name}"), decision.wanted));
        }
        if let Some(forecast) = decision.forecast.filter(|_| self.informed) {
            let at = wall_ms + forecast.p50_ms as i64 - decision.at_ms as i64;
            self.foretold = Some(Foretold { at, p_meet: forecast.p_meet });
            let from_now = |ms: u64| (ms as f64 - decision.at_ms as f64) / 1000.0;
            outcome.samples.extend([
                (format!("finish.{name}.p5"), from_now(forecast.p5_ms)),
                (format!("finish.{name}.p50"), from_now(forecast.p50_ms)),
                (format!("finish.{name}.p95"), from_now(forecast.p95_ms)),
            ]);
        }
        for term in decision.terms.iter().filter(|term| term.value.is_finite()) {
            outcome.samples.push((format!("term.{name}.{}", term.name), term.value));
        }
        if decision.from != decision.to {
            let kind = if decision.to > decision.from { MarkKind::More } else { MarkKind::Fewer };
            outcome.marks.push(self.mark(wall_ms, kind, decision.why.clone(), Some(decision)));
        }
    }

    fn mark(&self, at: i64, kind: MarkKind, text: String, decision: Option<Decision>) -> Mark {
        Mark { at, kind, text, loop_name: Some(self.spec.name.clone()), decision }
    }
}
