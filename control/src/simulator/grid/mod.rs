//! Many jobs from one seed: plain ones, disturbed ones, ones that are neither, and ones that nobody could end in time.
//! A job is drawn again until it is what its set says. Chosen by number, so that any of them can be made alone.

mod disturbance;
mod draw;

use serde::{Deserialize, Serialize};

use super::clairvoyant;
use super::plant::Plant;
use super::random::{Random, Stream};
use super::run::Prepared;
use super::scenario::Scenario;
use super::world::World;
use draw::Base;

/// Laws and peers are tuned on this grid …
pub const TUNING: u64 = 11;
/// … and reported on this one, which is changed whenever it has been looked at and a law is changed after that.
pub const REPORT: u64 = 70_417;

/// A shorter job gives a controller that looks once a second too few looks, a longer one nobody waits for.
const DEADLINES_S: std::ops::RangeInclusive<f64> = 60.0..=172_800.0;
/// Of the deadline: who was exactly right until the disturbance and then took everything is done by then. It
/// keeps out the jobs that only a clairvoyant could save.
const REACTION_SHARE: f64 = 0.95;
/// How many deadlines the greatest allocation needs for a job that cannot be done: each ratio as likely as any other of
/// its size, as it is with the slack of those that can.
const TOO_MUCH: (f64, f64) = (1.0, 4.0);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Set {
    Plain,
    Disturbed,
    Infeasible,
    /// Feasible, with what is neither plain nor on the list of disturbances.
    Further,
}

impl Set {
    pub const ALL: [Self; 4] = [Self::Plain, Self::Disturbed, Self::Infeasible, Self::Further];

    pub fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Disturbed => "disturbed",
            Self::Infeasible => "infeasible",
            Self::Further => "further",
        }
    }
}

#[derive(Debug, Clone)]
pub struct GridJob {
    pub set: Set,
    pub prepared: Prepared,
    /// What disturbs it, by name.
    pub causes: Vec<&'static str>,
}

/// The job of that number.
pub fn job(set: Set, seed: u64, number: u64) -> GridJob {
    // Far apart, so that neither sets nor grids nor numbers meet.
    let own = (seed << 24) ^ ((set as u64) << 20) ^ number;
    let mut random = Random::new(own, Stream::Grid);
    loop {
        let found = match set {
            Set::Plain => plain(&mut random),
            Set::Disturbed => disturbed(&mut random, disturbance::apply),
            Set::Infeasible => infeasible(&mut random),
            Set::Further => disturbed(&mut random, disturbance::further),
        };
        if let Some((mut prepared, base, causes)) = found {
            prepared.scenario.name = format!("{}-{number:04} {}", set.word(), base.words(&causes));
            return GridJob { set, prepared, causes };
        }
    }
}

type Found = Option<(Prepared, Base, Vec<&'static str>)>;

fn plain(random: &mut Random) -> Found {
    let (scenario, base) = drawn(random, |base, greatest_s| greatest_s * base.slack)?;
    let prepared = feasible(scenario)?;
    as_large(&base, &prepared).then(|| (prepared, base, Vec::new()))
}

type Disturb = fn(&mut Scenario, &mut Base, u32, &mut Random) -> Option<disturbance::Disturbed>;

fn disturbed(random: &mut Random, disturb: Disturb) -> Found {
    let (mut scenario, mut base) = drawn(random, |base, greatest_s| greatest_s * base.slack)?;
    let calm = Prepared::new(scenario.clone());
    let least = calm.hindsight.replicas.filter(|_| as_large(&base, &calm))?;
    let disturbed = disturb(&mut scenario, &mut base, least, random)?;
    let prepared = feasible(scenario)?;
    if let Some(at_s) = disturbed.strikes_s
        && !in_time(&calm, &prepared, at_s)
    {
        return None;
    }
    Some((prepared, base, disturbed.causes))
}

fn infeasible(random: &mut Random) -> Found {
    let share = random.log_between(TOO_MUCH.0, TOO_MUCH.1);
    let (scenario, mut base) = drawn(random, |_, greatest_s| greatest_s / share)?;
    base.slack = 1.0 / share;
    let prepared = Prepared::new(scenario);
    prepared.hindsight.replicas.is_none().then(|| (prepared, base, Vec::new()))
}

/// A job whose deadline follows from when the greatest allocation is done.
fn drawn(random: &mut Random, deadline_s: impl Fn(&Base, f64) -> f64) -> Option<(Scenario, Base)> {
    let base = Base::draw(random)?;
    let mut scenario = base.scenario(random);
    let greatest = clairvoyant::finish(&World::new(&scenario), scenario.replicas.max, f64::MAX)?;
    // Whole tenths read better, and nothing depends on more.
    scenario.deadline_s = (deadline_s(&base, greatest.finish_s) * 10.0).round() / 10.0;
    scenario.tick_s = (scenario.deadline_s / 2000.0).round().max(1.0);
    DEADLINES_S.contains(&scenario.deadline_s).then_some((scenario, base))
}

/// Most of a very short job is the start of its replicas, and of a very uneven one its longest item: then hindsight
/// needs far fewer than was meant.
fn as_large(base: &Base, prepared: &Prepared) -> bool {
    prepared.hindsight.replicas.is_some_and(|least| base.least <= 2.0 * f64::from(least))
}

fn feasible(scenario: Scenario) -> Option<Prepared> {
    let prepared = Prepared::new(scenario);
    prepared.hindsight.feasible.then_some(prepared)
}

/// Whether taking everything from the disturbance on is early enough, after the least that would have been
/// right without it.
fn in_time(calm: &Prepared, disturbed: &Prepared, at_s: f64) -> bool {
    let Some(least) = calm.hindsight.replicas else { return false };
    let limit_s = REACTION_SHARE * disturbed.scenario.last_deadline_s();
    let mut plant = Plant::unseen(&disturbed.world, least);
    plant.advance(at_s, &mut Vec::new());
    plant.ask(disturbed.scenario.replicas.max, Vec::new());
    plant.advance(limit_s, &mut Vec::new());
    plant.ended()
}
