//! Other people's rules, rebuilt from what they published, in the place of a control loop. Each holds what is there
//! while it sees nothing, keeps to the bounds, and gets the same drain and the same victims as our own laws.

mod guv;
mod hpa;
mod jockey;
mod keda;

use serde::{Deserialize, Serialize};

use super::driver::Driver;
use super::run::Prepared;
use super::scenario::Scenario;
use crate::control_loop::{Effect, Input};
use crate::observation::{Observation, ReplicaState};

/// A rule with its setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Peer {
    /// All that there may be, from the first second.
    AlwaysMax,
    /// The least constant allocation that meets the deadline, known from hindsight.
    Clairvoyant,
    Hpa(hpa::Setting),
    Keda(keda::Setting),
    Guv(guv::Setting),
    Jockey(jockey::Setting),
}

/// How many items in the queue one replica is meant to have.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backlog {
    /// The same number for every job, as these rules ask for.
    Items(f64),
    /// As many as the user believes that it can do in this share of the deadline; nobody does so in practice.
    OfDeadline(f64),
}

/// What a rule wants at each look.
trait Rule {
    /// None to leave everything as it is.
    fn want(&mut self, seen: &Observation) -> Option<u32>;
}

impl Peer {
    pub fn name(&self) -> &'static str {
        match self {
            Self::AlwaysMax => "always the maximum",
            Self::Clairvoyant => "clairvoyant's constant",
            Self::Hpa(hpa::Setting { backlog: Backlog::Items(_), .. }) => "HPA on backlog",
            Self::Hpa(_) => "HPA on backlog, told the deadline",
            Self::Keda(keda::Setting { backlog: Backlog::Items(_), .. }) => "KEDA ScaledJob",
            Self::Keda(_) => "KEDA ScaledJob, told the deadline",
            Self::Guv(_) => "guv",
            Self::Jockey(_) => "Jockey",
        }
    }

    /// Ready to drive this job.
    pub fn start(&self, prepared: &Prepared) -> Box<dyn Driver> {
        let scenario = &prepared.scenario;
        match self {
            Self::AlwaysMax => ruled(Constant(scenario.replicas.max)),
            Self::Clairvoyant => ruled(Constant(prepared.hindsight.reference(scenario))),
            Self::Hpa(setting) => ruled(hpa::Hpa::new(setting, scenario)),
            Self::Keda(setting) => ruled(keda::Keda::new(setting, scenario)),
            Self::Guv(setting) => ruled(guv::Guv::new(setting)),
            Self::Jockey(setting) => ruled(jockey::Jockey::train(setting, scenario)),
        }
    }

    /// Every setting that is tried in tuning, the published one first.
    pub fn settings() -> Vec<Vec<Self>> {
        let mut lists = vec![vec![Self::AlwaysMax], vec![Self::Clairvoyant]];
        lists.extend(hpa::Setting::lists().map(|list| list.into_iter().map(Self::Hpa).collect()));
        lists.extend(keda::Setting::lists().map(|list| list.into_iter().map(Self::Keda).collect()));
        lists.push(guv::Setting::list().into_iter().map(Self::Guv).collect());
        lists.push(jockey::Setting::list().into_iter().map(Self::Jockey).collect());
        lists
    }
}

impl Backlog {
    /// These rules' own tuning lists.
    const ITEMS: [f64; 5] = [1.0, 5.0, 20.0, 100.0, 500.0];
    const SHARES: [f64; 4] = [1.0, 0.7, 0.5, 0.3];

    fn lists() -> [Vec<Self>; 2] {
        [Self::ITEMS.map(Self::Items).to_vec(), Self::SHARES.map(Self::OfDeadline).to_vec()]
    }

    /// Without a belief, ten seconds an item: guv's own guess, and the only one published.
    fn items(self, scenario: &Scenario) -> f64 {
        match self {
            Self::Items(items) => items,
            Self::OfDeadline(share) => share * scenario.deadline_s / scenario.hint_service_s.unwrap_or(10.0),
        }
    }
}

struct Constant(u32);

impl Rule for Constant {
    fn want(&mut self, _: &Observation) -> Option<u32> {
        Some(self.0)
    }
}

/// A rule that drives.
struct Ruled<R> {
    rule: R,
    goal: Option<u32>,
}

fn ruled<R: Rule + 'static>(rule: R) -> Box<dyn Driver> {
    Box::new(Ruled { rule, goal: None })
}

impl<R: Rule> Driver for Ruled<R> {
    fn seen(&mut self, seen: &mut Observation) -> Vec<Effect> {
        let goal = self.goal.unwrap_or_else(|| seen.allocated());
        let Some(want) = self.rule.want(seen) else { return Vec::new() };
        let to = want.min(seen.bounds.max).max(seen.bounds.min);
        self.goal = Some(to);
        if to == goal { Vec::new() } else { vec![Effect::Move { to }] }
    }

    fn told(&mut self, _: Input) -> Vec<Effect> {
        Vec::new()
    }
}

/// Looks only every so often.
#[derive(Debug, Clone)]
struct Every {
    period_ms: u64,
    next_ms: u64,
}

impl Every {
    fn seconds(seconds: f64) -> Self {
        Self { period_ms: (seconds * 1000.0) as u64, next_ms: 0 }
    }

    fn due(&mut self, at_ms: u64) -> bool {
        let due = self.next_ms <= at_ms;
        if due {
            self.next_ms = at_ms + self.period_ms;
        }
        due
    }
}

/// Largest of what was wanted within a time: rules that scale down slowly keep one.
#[derive(Debug, Clone, Default)]
struct Window {
    wanted: std::collections::VecDeque<(u64, u32)>,
}

impl Window {
    fn largest(&mut self, at_ms: u64, want: u32, within_ms: u64) -> u32 {
        while self.wanted.front().is_some_and(|(then_ms, _)| then_ms + within_ms < at_ms) {
            self.wanted.pop_front();
        }
        // Smaller ones before a larger one can never be the largest again.
        while self.wanted.back().is_some_and(|(_, wanted)| *wanted <= want) {
            self.wanted.pop_back();
        }
        self.wanted.push_back((at_ms, want));
        self.wanted.front().map_or(want, |(_, wanted)| *wanted)
    }
}

/// Replicas that exist and are to stay.
fn standing(seen: &Observation) -> u32 {
    let staying = seen.replicas.iter().filter(|replica| replica.state != ReplicaState::Draining).count();
    u32::try_from(staying).unwrap_or(u32::MAX)
}

/// Whole replicas for a fraction; a cast saturates.
fn whole(wish: f64) -> u32 {
    // A division may leave 12 as 12.000000000000002.
    (wish - 1e-9).ceil() as u32
}
