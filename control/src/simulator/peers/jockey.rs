//! Jockey: a table of the time that is left at each share of the items done and each allocation, from earlier runs of the
//! same job; the least allocation whose entry, with slack, fits the deadline; smoothed. It is the only rule here that has
//! seen the job before: it is trained on the same items' distribution, undisturbed. After Ferguson and others, EuroSys 2012.

use serde::{Deserialize, Serialize};

use super::{Every, Rule, whole};
use crate::observation::Observation;
use crate::simulator::plant::Plant;
use crate::simulator::scenario::Scenario;
use crate::simulator::world::World;

/// Of progress; the table's rows.
const STEPS: usize = 20;
const TRAINING_RUNS: u64 = 3;
/// The published minute for jobs of about an hour.
const PERIOD_SHARE: f64 = 1.0 / 60.0;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// Predictions are taken this many times as long.
    pub slack: f64,
    /// How much of the way to the wanted allocation it goes at each step.
    pub hysteresis: f64,
    /// The published three minutes for jobs of about an hour, as a share of the deadline: so much earlier it means
    /// to be done.
    pub dead_zone: f64,
}

impl Setting {
    pub fn list() -> Vec<Self> {
        let slacks = [1.2, 1.0, 1.5].into_iter();
        slacks.flat_map(|slack| [0.2, 0.5, 1.0].map(|hysteresis| Self { slack, hysteresis, dead_zone: 0.05 })).collect()
    }
}

pub struct Jockey {
    setting: Setting,
    every: Every,
    /// Each with the seconds left at every step of progress, the longest of the training runs.
    table: Vec<(u32, [f64; STEPS + 1])>,
    smoothed: Option<f64>,
}

impl Jockey {
    pub fn train(setting: &Setting, scenario: &Scenario) -> Self {
        let class = scenario.undisturbed();
        let worlds: Vec<_> = (1..=TRAINING_RUNS).map(|run| World::new(&Scenario { seed: scenario.seed + run, ..class.clone() })).collect();
        let table = allocations(scenario.replicas.max).into_iter().map(|replicas| (replicas, left(&worlds, replicas))).collect();
        Self { setting: setting.clone(), every: Every::seconds(PERIOD_SHARE * scenario.deadline_s), table, smoothed: None }
    }
}

/// From 1 to the most, about a fifth apart.
fn allocations(most: u32) -> Vec<u32> {
    let mut list = vec![1];
    while let Some(last) = list.last()
        && *last < most
    {
        list.push((last + 1).max(last * 6 / 5).min(most));
    }
    list
}

fn left(worlds: &[World], replicas: u32) -> [f64; STEPS + 1] {
    let mut longest = [0.0f64; STEPS + 1];
    for world in worlds {
        let mut plant = Plant::new(world, replicas);
        plant.advance(f64::MAX, &mut Vec::new());
        let ends_ms = plant.take_ends_ms();
        let end_ms = ends_ms.last().copied().unwrap_or(0);
        for (step, longest) in longest.iter_mut().enumerate() {
            let done = step * ends_ms.len() / STEPS;
            let at_ms = if done == 0 { 0 } else { ends_ms[done - 1] };
            *longest = longest.max((end_ms - at_ms) as f64 / 1000.0);
        }
    }
    longest
}

impl Rule for Jockey {
    fn want(&mut self, seen: &Observation) -> Option<u32> {
        if !self.every.due(seen.at_ms) {
            return None;
        }
        let deadline_s = seen.deadline_ms.unwrap_or(u64::MAX) as f64 / 1000.0;
        let left_s = deadline_s * (1.0 - self.setting.dead_zone) - seen.at_ms as f64 / 1000.0;
        let step = (seen.items.done * STEPS as u64 / seen.items.total.max(1)) as usize;
        let fits = self.table.iter().find(|(_, left)| self.setting.slack * left[step] <= left_s);
        let raw = f64::from(fits.or(self.table.last()).map_or(seen.bounds.max, |(replicas, _)| *replicas));
        let smoothed = self.smoothed.map_or(raw, |smoothed| smoothed + self.setting.hysteresis * (raw - smoothed));
        self.smoothed = Some(smoothed);
        Some(whole(smoothed))
    }
}
