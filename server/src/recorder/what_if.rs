//! What would have been: a recorded job, simulated again, under its own law or another one. Its items take what they
//! took, in the order in which they were done; replicas start as fast as they did. What nobody saw cannot be asked:
//! with more replicas at once a machine may have been slower.

use std::collections::{BTreeMap, BTreeSet};

use control::control_loop::{Effect, Input};
use control::live::JobSummary;
use control::observation::{Observation, ReplicaState};
use control::plugin::{FieldError, PluginSpec};
use control::simulator::distribution::Distribution;
use control::simulator::run::{Prepared, simulate};
use control::simulator::scenario::{Change, ItemOrder, ItemSpec, ReplicaSpec, SCHEMA, ScaleInSpec, Scenario};

use super::{Line, Stand};

/// Ticks without a line after which nothing worked: the job was suspended, or its server was away.
const AWAY_TICKS: f64 = 5.0;

/// What shall be other than it was.
#[derive(Debug, Clone, Default)]
pub struct Otherwise {
    pub controller: Option<PluginSpec>,
    /// From the job's start.
    pub deadline_s: Option<f64>,
    /// Most replicas.
    pub max: Option<u32>,
}

/// One course of the job.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    pub name: String,
    /// `None`: not done, or cut off long after the deadline.
    pub finish_s: Option<f64>,
    pub deadline_s: Option<f64>,
    pub replica_seconds: f64,
    pub peak: u32,
    pub moves: u32,
    pub points: Vec<Point>,
}

/// Where the job stood at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub at_s: f64,
    pub replicas: u32,
    /// Share of the items that were done.
    pub done: f64,
}

#[derive(Debug, thiserror::Error)]
pub enum WhatIfError {
    #[error("nothing is recorded of this loop")]
    Empty,
    #[error("the beginning of this recording is gone: it was longer than what is kept")]
    Beheaded,
    #[error("no item was done yet, so nobody knows how long they take")]
    NothingDone,
    #[error("{}", control::plugin::sentences(.0))]
    Law(Vec<FieldError>),
}

/// Seconds to another deadline, as typed.
///
/// # Errors
/// What must be typed.
pub fn deadline_s(text: &str) -> Result<f64, &'static str> {
    text.parse().ok().filter(|s: &f64| s.is_finite() && 0.0 < *s).ok_or("must be a number of seconds above 0")
}

/// Another greatest number of replicas, as typed.
///
/// # Errors
/// What must be typed.
pub fn most_replicas(text: &str) -> Result<u32, &'static str> {
    text.parse().ok().filter(|max| (1..=100_000).contains(max)).ok_or("must be a whole number from 1 to 100000")
}

impl Course {
    pub fn in_time(&self) -> Option<bool> {
        Some(self.finish_s? <= self.deadline_s?)
    }
}

/// The course as it was, the same simulated, and the other one when something shall be otherwise. How near the first
/// two are says what the third is worth. `ended_s` is when the job was done, from its start.
///
/// # Errors
/// A recording that does not suffice, or a law that cannot start.
pub fn what_if(lines: &[Line], ended_s: Option<f64>, otherwise: Option<&Otherwise>) -> Result<Vec<Course>, WhatIfError> {
    let began = match lines.first() {
        None => return Err(WhatIfError::Empty),
        Some(Line::Began(stand)) => stand,
        Some(Line::Stood(_) | Line::Told { .. }) => return Err(WhatIfError::Beheaded),
    };
    let seen: Vec<&Observation> = lines.iter().filter_map(observation).collect();
    let scenario = scenario(began, lines, &seen)?;
    let mut courses = vec![as_it_was(lines, &seen, ended_s), simulated("the same, simulated", scenario.clone())?];
    if let Some(otherwise) = otherwise {
        courses.push(simulated("otherwise, simulated", changed(scenario, otherwise))?);
    }
    Ok(courses)
}

/// When a job was done, from its start; `None` when some items are not.
pub fn finish_s(summary: &JobSummary) -> Option<f64> {
    let items = summary.items;
    let whole = items.total != 0 && items.done == items.total;
    whole.then(|| Some((summary.ended_at? - summary.started_at?) as f64 / 1000.0)).flatten()
}

fn observation(line: &Line) -> Option<&Observation> {
    match line {
        Line::Told { input: Input::Seen(seen), .. } => Some(seen),
        Line::Told { .. } | Line::Began(_) | Line::Stood(_) => None,
    }
}

fn as_it_was(lines: &[Line], seen: &[&Observation], ended_s: Option<f64>) -> Course {
    // Every move that came true is told to its loop; the first of several loops may have had another wish.
    let mut allocation = seen.first().and_then(|seen| seen.allocation);
    let mut moves = 0;
    for line in lines {
        if let Line::Told { input: Input::Moved { to, .. }, .. } = line {
            moves += u32::from(allocation != Some(*to));
            allocation = Some(*to);
        }
    }
    let deadline_s = seen.last().and_then(|seen| seen.deadline_ms).map(seconds);
    course("as it was", seen.iter().copied(), moves, ended_s, deadline_s)
}

fn simulated(name: &str, scenario: Scenario) -> Result<Course, WhatIfError> {
    let spec = scenario.controller.clone();
    let prepared = Prepared::new(scenario);
    let mut seen = Vec::new();
    let mut keep = |input: &Input, _: &[Effect]| {
        if let Input::Seen(one) = input {
            seen.push(one.clone());
        }
    };
    let result = simulate(&prepared, &spec, Some(&mut keep)).map_err(WhatIfError::Law)?;
    Ok(course(name, seen.iter(), result.moves, result.finish_s, Some(result.deadline_s)))
}

fn course<'a>(
    name: &str,
    seen: impl Iterator<Item = &'a Observation>,
    moves: u32,
    finish_s: Option<f64>,
    deadline_s: Option<f64>,
) -> Course {
    let mut points: Vec<Point> = seen
        .map(|seen| Point {
            at_s: seconds(seen.at_ms),
            replicas: u32::try_from(seen.replicas.len()).unwrap_or(u32::MAX),
            done: seen.items.done as f64 / total(seen).max(1) as f64,
        })
        .collect();
    if let (Some(finish_s), Some(last)) = (finish_s, points.last().copied()) {
        points.push(Point { at_s: finish_s.max(last.at_s), done: 1.0, ..last });
    }
    let held = |pair: &[Point]| f64::from(pair[0].replicas) * (pair[1].at_s - pair[0].at_s);
    Course {
        name: name.to_owned(),
        finish_s,
        deadline_s,
        replica_seconds: points.windows(2).map(held).sum(),
        peak: points.iter().map(|point| point.replicas).max().unwrap_or(0),
        moves,
        points,
    }
}

/// The job as a scenario: everything that a loop can have seen of it.
fn scenario(began: &Stand, lines: &[Line], seen: &[&Observation]) -> Result<Scenario, WhatIfError> {
    let (Some(first), Some(last)) = (seen.first(), seen.last()) else { return Err(WhatIfError::Empty) };
    let took_s: Vec<f64> = seen.iter().flat_map(|seen| &seen.completions).map(|done| done.service_ms / 1000.0).collect();
    if took_s.is_empty() {
        return Err(WhatIfError::NothingDone);
    }
    let tick_s = tick_s(seen);
    Ok(Scenario {
        schema: SCHEMA,
        name: String::new(),
        seed: 0,
        items: ItemSpec {
            count: u32::try_from(total(last) - last.items.dead.min(total(last))).unwrap_or(u32::MAX).max(1),
            service_s: Distribution::Trace(took_s),
            order: ItemOrder::Drawn,
            drift: 1.0,
        },
        deadline_s: first.deadline_ms.map_or(f64::from(u32::MAX), seconds),
        confidence: first.confidence,
        replicas: ReplicaSpec { min: first.bounds.min, max: first.bounds.max, initial: first.allocation },
        startup_s: Distribution::Trace(startups_s(seen)),
        scale_in: ScaleInSpec::default(),
        tick_s,
        speed: Vec::new(),
        available: absences(lines, tick_s, first.bounds.max),
        contention: None,
        crash_per_replica_hour: 0.0,
        actuation_delay_s: 0.0,
        metric_gap: Vec::new(),
        hint_service_s: first.hints.service_ms_mean.map(|ms| ms / 1000.0),
        changes: changes(lines),
        controller: PluginSpec::new(&began.kind, began.params.clone()),
    })
}

fn changed(mut scenario: Scenario, otherwise: &Otherwise) -> Scenario {
    if let Some(controller) = &otherwise.controller {
        scenario.controller = controller.clone();
        for change in &mut scenario.changes {
            change.params = None;
        }
    }
    if let Some(deadline_s) = otherwise.deadline_s {
        scenario.deadline_s = deadline_s;
        for change in &mut scenario.changes {
            change.deadline_s = None;
        }
    }
    if let Some(max) = otherwise.max {
        scenario.replicas.max = max;
        scenario.replicas.min = scenario.replicas.min.min(max);
        scenario.replicas.initial = scenario.replicas.initial.map(|initial| initial.min(max));
        for change in &mut scenario.changes {
            change.max = None;
        }
        for (_, most) in scenario.available.iter_mut().filter(|(_, most)| *most != 0) {
            *most = max;
        }
    }
    scenario
}

/// The usual time between two looks.
fn tick_s(seen: &[&Observation]) -> f64 {
    let mut steps: Vec<u64> = seen.windows(2).map(|pair| pair[1].at_ms - pair[0].at_ms).filter(|step| *step != 0).collect();
    steps.sort_unstable();
    steps.get(steps.len() / 2).map_or(1.0, |step| seconds(*step))
}

/// From being asked for to the first sight at work, in the order of the first sight. Of what lies between two looks
/// the middle is taken.
fn startups_s(seen: &[&Observation]) -> Vec<f64> {
    let mut starting = BTreeMap::new();
    let mut ready = BTreeSet::new();
    let mut took_s = Vec::new();
    for replica in seen.iter().flat_map(|seen| &seen.replicas) {
        if replica.state == ReplicaState::Starting {
            starting.insert(&replica.id, replica.age_ms);
        } else if ready.insert(&replica.id) {
            let before = starting.get(&replica.id).copied().unwrap_or(0);
            took_s.push(seconds(before + replica.age_ms) / 2.0);
        }
    }
    if took_s.is_empty() { vec![0.0] } else { took_s }
}

/// When nothing could work: from when on, and how many replicas there could be.
fn absences(lines: &[Line], tick_s: f64, max: u32) -> Vec<(f64, u32)> {
    let told: Vec<u64> = lines
        .iter()
        .filter_map(|line| match line {
            Line::Told { input: input @ (Input::Seen(_) | Input::Blind { .. }), .. } => Some(input.at_ms()),
            Line::Told { .. } | Line::Began(_) | Line::Stood(_) => None,
        })
        .collect();
    let long = |pair: &&[u64]| AWAY_TICKS * tick_s < seconds(pair[1].saturating_sub(pair[0]));
    told.windows(2).filter(long).flat_map(|pair| [(seconds(pair[0]) + tick_s, 0), (seconds(pair[1]), max)]).collect()
}

/// What people changed on the way.
fn changes(lines: &[Line]) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut before: Option<&Observation> = None;
    let mut revision = None;
    for line in lines {
        match line {
            Line::Told { input: Input::Retuned { at_ms, params, revision: newer }, .. } => {
                revision = Some(*newer);
                changes.push(Change { at_s: seconds(*at_ms), params: Some(params.clone()), ..Change::default() });
            }
            // Tuned while its server was away.
            Line::Began(stand) => {
                if revision.is_some_and(|revision| revision < stand.revision) {
                    let at_s = before.map_or(0.0, |before| seconds(before.at_ms));
                    changes.push(Change { at_s, params: Some(stand.params.clone()), ..Change::default() });
                }
                revision = Some(stand.revision);
            }
            Line::Told { input: Input::Seen(seen), .. } => {
                changes.extend(before.and_then(|before| difference(before, seen)));
                before = Some(seen);
            }
            Line::Told { .. } | Line::Stood(_) => {}
        }
    }
    changes
}

fn difference(before: &Observation, now: &Observation) -> Option<Change> {
    let change = Change {
        at_s: seconds(now.at_ms),
        deadline_s: (before.deadline_ms != now.deadline_ms).then_some(now.deadline_ms).flatten().map(seconds),
        confidence: (before.confidence.to_bits() != now.confidence.to_bits()).then_some(now.confidence),
        min: (before.bounds.min != now.bounds.min).then_some(now.bounds.min),
        max: (before.bounds.max != now.bounds.max).then_some(now.bounds.max),
        ..Change::default()
    };
    (change != Change { at_s: change.at_s, ..Change::default() }).then_some(change)
}

fn total(seen: &Observation) -> u64 {
    let items = seen.items;
    if items.total == 0 { items.waiting + items.processing + items.done + items.dead } else { items.total }
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
