//! What hindsight would have done: the least constant allocation that meets the deadline in the same world.

use serde::{Deserialize, Serialize};

use super::plant::Plant;
use super::scenario::Scenario;
use super::world::World;

/// Of the deadline; the greatest allocation of a feasible job needs no more.
pub const FEASIBLE_SHARE: f64 = 0.7;
/// Times the clairvoyant's; the capacity of a feasible job is never less.
pub const FEASIBLE_CAPACITY: f64 = 1.6;

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Clairvoyant {
    /// None when not even the greatest allocation meets the deadline.
    pub replicas: Option<u32>,
    /// Its own, or with none that meets the deadline, that of the greatest.
    pub finish_s: f64,
    /// All seconds of service, and a start-up for each of its replicas.
    pub replica_seconds: f64,
    /// When the greatest allocation from the first second is done; infinite when never.
    pub greatest_finish_s: f64,
    pub feasible: bool,
}

impl Clairvoyant {
    pub fn new(scenario: &Scenario, world: &World) -> Self {
        let deadline_s = scenario.last_deadline_s();
        let most = scenario.replicas.max;
        // Anything that takes far longer is as good as never.
        let greatest = finish(world, most, 1000.0 * deadline_s);
        let greatest_finish_s = greatest.map_or(f64::INFINITY, |end| end.finish_s);

        let Some(greatest) = greatest.filter(|end| end.finish_s <= deadline_s) else {
            let end = greatest.unwrap_or_default();
            return Self {
                replicas: None,
                finish_s: end.finish_s,
                replica_seconds: end.replica_seconds,
                greatest_finish_s,
                feasible: false,
            };
        };
        // `high` meets the deadline and `low` does not. It is seldom far above what the work itself asks for, so there the
        // search begins, in steps that double; then halves.
        let none = scenario.replicas.min.max(1) - 1;
        let (mut low, mut high, mut best) = (none, most, greatest);
        let mut next = (greatest.replica_seconds / deadline_s).ceil() as u32;
        let mut step = 1;
        while 1 < high - low {
            let middle = next.clamp(low + 1, high - 1);
            match finish(world, middle, deadline_s) {
                Some(end) => (high, best) = (middle, end),
                None => low = middle,
            }
            next = match (low == none, high == most) {
                (true, false) => high.saturating_sub(step),
                (false, true) => low.saturating_add(step),
                _ => low.midpoint(high),
            };
            step *= 2;
        }
        let scarce = scenario.available.iter().filter(|(at_s, _)| *at_s < deadline_s).map(|(_, count)| *count).min();
        let enough = scarce.is_none_or(|count| most <= count || FEASIBLE_CAPACITY * f64::from(high) <= f64::from(count));
        let feasible = enough && greatest_finish_s <= FEASIBLE_SHARE * deadline_s;
        Self { replicas: Some(high), finish_s: best.finish_s, replica_seconds: best.replica_seconds, greatest_finish_s, feasible }
    }

    /// Who cannot be beaten when no one is there: the greatest allocation.
    pub fn reference(&self, scenario: &Scenario) -> u32 {
        self.replicas.unwrap_or(scenario.replicas.max)
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub struct End {
    pub finish_s: f64,
    pub replica_seconds: f64,
}

/// How a constant allocation ends, if it does so in time.
pub fn finish(world: &World, replicas: u32, within_s: f64) -> Option<End> {
    let mut plant = Plant::unseen(world, replicas);
    plant.advance(within_s, &mut Vec::new());
    plant.ended().then(|| End { finish_s: plant.now_s(), replica_seconds: plant.tally.service_s + plant.tally.first_startups_s })
}
