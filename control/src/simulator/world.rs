//! A scenario, drawn: every item with its length, and the chance that meets the replicas. The same for every
//! controller that is tried on it.

use super::distribution::Distribution;
use super::random::{Random, Stream};
use super::scenario::{ItemOrder, ItemSpec, ScaleInSpec, Scenario};

/// Nothing takes no time at all.
const SHORTEST_S: f64 = 1e-6;
const BLOCKS: usize = 10;

#[derive(Debug, Clone)]
pub struct World {
    /// Seconds at speed 1, in the order in which they wait.
    pub items_s: Vec<f64>,
    pub startup_s: Distribution,
    pub speed: Vec<(f64, f64)>,
    pub available: Vec<(f64, u32)>,
    pub cores: Option<f64>,
    pub crash_per_s: f64,
    pub scale_in: ScaleInSpec,
    pub actuation_delay_s: f64,
    pub seed: u64,
}

impl World {
    pub fn new(scenario: &Scenario) -> Self {
        Self {
            items_s: items(&scenario.items, scenario.seed),
            startup_s: scenario.startup_s.clone(),
            speed: scenario.speed.clone(),
            available: scenario.available.clone(),
            cores: scenario.contention.map(|contention| contention.cores),
            crash_per_s: scenario.crash_per_replica_hour / 3600.0,
            scale_in: scenario.scale_in,
            actuation_delay_s: scenario.actuation_delay_s,
            seed: scenario.seed,
        }
    }
}

fn items(spec: &ItemSpec, seed: u64) -> Vec<f64> {
    let mut random = Random::new(seed, Stream::Items);
    let mut items: Vec<f64> = (0..spec.count as usize).map(|index| spec.service_s.draw(index, &mut random)).collect();
    match spec.order {
        ItemOrder::Drawn => {}
        ItemOrder::Sorted => items.sort_by(f64::total_cmp),
        ItemOrder::Reversed => items.sort_by(|one, other| other.total_cmp(one)),
        ItemOrder::Blocks => items = blocks(items, &mut Random::new(seed, Stream::Order)),
    }
    let last = (items.len().max(2) - 1) as f64;
    for (index, item) in items.iter_mut().enumerate() {
        *item = (*item * (1.0 + (spec.drift - 1.0) * index as f64 / last)).max(SHORTEST_S);
    }
    items
}

/// Runs of like items in a random order, and a random order within each.
fn blocks(mut items: Vec<f64>, random: &mut Random) -> Vec<f64> {
    items.sort_by(f64::total_cmp);
    let size = items.len().div_ceil(BLOCKS);
    let mut blocks: Vec<Vec<f64>> = items.chunks(size).map(<[f64]>::to_vec).collect();
    for block in &mut blocks {
        random.shuffle(block);
    }
    random.shuffle(&mut blocks);
    blocks.concat()
}
