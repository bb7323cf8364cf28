//! What befalls a job, drawn: one thing, and in three jobs of ten a second.

use super::super::random::Random;
use super::super::scenario::{Change, Contention, ItemOrder, Scenario};
use super::draw::{Base, Hint, Shape};

pub struct Disturbed {
    pub causes: Vec<&'static str>,
    /// When it begins, if it does not hold from the start: a controller cannot know before.
    pub strikes_s: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Drift,
    Sorted,
    Blocks,
    Slow,
    Contention,
    Crashes,
    Gaps,
    Deadline,
    Hint,
    Fast,
    Capacity,
    Wide,
}

/// What counts as disturbed …
const DISTURBED: [Kind; 9] =
    [Kind::Drift, Kind::Sorted, Kind::Blocks, Kind::Slow, Kind::Contention, Kind::Crashes, Kind::Gaps, Kind::Deadline, Kind::Hint];

/// … and what else happens to jobs, told apart.
const FURTHER: [Kind; 3] = [Kind::Fast, Kind::Capacity, Kind::Wide];

/// Of the disturbed jobs so many are disturbed twice.
const TWICE: f64 = 0.3;

/// None when what was drawn means nothing to this job.
pub fn apply(scenario: &mut Scenario, base: &mut Base, least: u32, random: &mut Random) -> Option<Disturbed> {
    let first = DISTURBED[random.below(DISTURBED.len())];
    let (cause, first_s) = one(first, scenario, base, least, random)?;
    if random.unit() >= TWICE {
        return Some(Disturbed { causes: vec![cause], strikes_s: first_s });
    }
    let second = DISTURBED[random.below(DISTURBED.len())];
    let order = [Kind::Sorted, Kind::Blocks];
    if second == first || (order.contains(&first) && order.contains(&second)) {
        return None;
    }
    let (another, second_s) = one(second, scenario, base, least, random)?;
    let strikes_s = match (first_s, second_s) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    Some(Disturbed { causes: vec![cause, another], strikes_s })
}

/// One thing that is not on the list of disturbances. None when it means nothing to this job.
pub fn further(scenario: &mut Scenario, base: &mut Base, least: u32, random: &mut Random) -> Option<Disturbed> {
    let kind = FURTHER[random.below(FURTHER.len())];
    let (cause, strikes_s) = one(kind, scenario, base, least, random)?;
    Some(Disturbed { causes: vec![cause], strikes_s })
}

fn one(kind: Kind, scenario: &mut Scenario, base: &mut Base, least: u32, random: &mut Random) -> Option<(&'static str, Option<f64>)> {
    let deadline_s = scenario.deadline_s;
    let max = scenario.replicas.max;
    let at_s = tenth(random.between(0.1, 0.6) * deadline_s);
    Some(match kind {
        Kind::Drift => {
            scenario.items.drift = hundredth(random.log_between(0.4, 3.0));
            (if scenario.items.drift < 1.0 { "drift down" } else { "drift up" }, None)
        }
        Kind::Sorted | Kind::Blocks if base.shape == Shape::Constant => return None,
        Kind::Sorted => {
            let rising = random.unit() < 0.5;
            scenario.items.order = if rising { ItemOrder::Sorted } else { ItemOrder::Reversed };
            (if rising { "sorted" } else { "reversed" }, None)
        }
        Kind::Blocks => {
            scenario.items.order = ItemOrder::Blocks;
            ("blocks", None)
        }
        Kind::Slow => {
            let speed = hundredth(random.between(0.4, 0.8));
            scenario.speed = vec![(at_s, speed)];
            if random.unit() < 0.5 {
                scenario.speed.push((tenth(at_s + random.between(0.1, 0.4) * deadline_s), 1.0));
                ("slow for a while", Some(at_s))
            } else {
                ("slow from then on", Some(at_s))
            }
        }
        Kind::Fast => {
            scenario.speed = vec![(at_s, hundredth(random.between(1.3, 2.5)))];
            ("fast", None)
        }
        Kind::Contention => {
            scenario.contention = Some(Contention { cores: hundredth(random.between(0.4, 0.9) * f64::from(max)) });
            ("contention", None)
        }
        Kind::Crashes => {
            scenario.crash_per_replica_hour = hundredth(random.log_between(0.1, 2.0));
            ("crashes", None)
        }
        Kind::Gaps => {
            let mut from_s = tenth(random.between(0.02, 0.3) * deadline_s);
            for _ in 0..=random.below(3) {
                let to_s = tenth(from_s + random.between(0.02, 0.1) * deadline_s);
                scenario.metric_gap.push((from_s, to_s));
                from_s = tenth(to_s + random.between(0.05, 0.3) * deadline_s);
            }
            ("metric gaps", None)
        }
        Kind::Deadline => {
            let moved_s = tenth(random.between(0.75, 1.3) * deadline_s);
            scenario.changes.push(Change { at_s, deadline_s: Some(moved_s), ..Change::default() });
            (if moved_s < deadline_s { "deadline earlier" } else { "deadline later" }, Some(at_s))
        }
        Kind::Hint => {
            base.hint = if random.unit() < 0.5 { Hint::Half } else { Hint::Double };
            scenario.hint_service_s = base.hint_s();
            ("hint wrong", None)
        }
        Kind::Capacity => {
            let left = (random.between(1.6, 2.5) * f64::from(least)).ceil() as u32;
            if max <= left {
                return None;
            }
            scenario.available = vec![(0.0, max), (at_s, left), (tenth(at_s + random.between(0.1, 0.4) * deadline_s), max)];
            ("capacity short", Some(at_s))
        }
        Kind::Wide => {
            base.shape = Shape::Lognormal(3.0);
            scenario.items.service_s = base.shape.distribution(base.mean_s);
            ("wide spread", None)
        }
    })
}

fn tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

fn hundredth(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}
