//! How long a replica takes from being asked for to being ready.

use serde::{Deserialize, Serialize};

use crate::observation::{Observation, ReplicaState};

/// Before one was seen.
const GUESS_MS: f64 = 1000.0;

/// What has taken so long may take so many times as long.
const LONGER: f64 = 1.25;

/// Start-ups fade with this many, for a platform may be slower at noon.
const HORIZON: f64 = 30.0;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Startup {
    seen: f64,
    mean_ms: f64,
    /// Replicas that were ready at the observation before, and when that was.
    ready: usize,
    at_ms: Option<u64>,
}

impl Startup {
    /// Learns from replicas that became ready since the observation before. Replicas start in turn, so they are
    /// the youngest ready ones; on average they have been ready for half the time since then.
    pub fn learn(&mut self, seen: &Observation) {
        let ready = seen.replicas.iter().filter(|replica| is_ready(replica.state)).count();
        if let Some(at_ms) = self.at_ms
            && ready > self.ready
        {
            let since = seen.at_ms.saturating_sub(at_ms) as f64;
            let mut ages: Vec<u64> = seen.replicas.iter().filter(|replica| is_ready(replica.state)).map(|replica| replica.age_ms).collect();
            ages.sort_unstable();
            for age in ages.iter().take(ready - self.ready) {
                self.seen = (self.seen + 1.0).min(HORIZON);
                self.mean_ms += ((*age as f64 - 0.5 * since).max(0.0) - self.mean_ms) / self.seen;
            }
        }
        self.ready = ready;
        self.at_ms = Some(seen.at_ms);
    }

    /// How much of `expected_ms` is nothing but a guess: before one start-up was seen, whoever starts may be ready at once.
    pub fn guessed_ms(&self, seen: &Observation) -> f64 {
        if self.seen > 0.0 { 0.0 } else { self.expected_ms(seen) - oldest_ms(seen).unwrap_or(0) as f64 }
    }

    /// What a start-up takes, ms. The first to be ready are the fast ones, so those that still start count too, each as
    /// the mean or as somewhat longer than it has taken so far. Before one was seen, longer than any so far.
    pub fn expected_ms(&self, seen: &Observation) -> f64 {
        if self.seen <= 0.0 {
            return oldest_ms(seen).map_or(GUESS_MS, |age| GUESS_MS.max(LONGER * age as f64));
        }
        let starting = seen.replicas.iter().filter(|replica| replica.state == ReplicaState::Starting);
        let (count, sum) = starting.fold((self.seen, self.seen * self.mean_ms), |(count, sum), replica| {
            (count + 1.0, sum + self.mean_ms.max(LONGER * replica.age_ms as f64))
        });
        sum / count
    }
}

/// Of those that start.
fn oldest_ms(seen: &Observation) -> Option<u64> {
    seen.replicas.iter().filter(|replica| replica.state == ReplicaState::Starting).map(|replica| replica.age_ms).max()
}

fn is_ready(state: ReplicaState) -> bool {
    matches!(state, ReplicaState::Idle | ReplicaState::Busy)
}
