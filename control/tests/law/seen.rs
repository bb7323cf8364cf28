//! Observations for tests: a job of 900 items, 1 to 10 replicas, 300 s to its deadline.

use control::job::Bounds;
use control::observation::{Items, Observation};
use proptest::prelude::*;

pub fn at(second: u64, replicas: u32, value: f64) -> Observation {
    Observation {
        at_ms: second * 1000,
        deadline_ms: 300_000,
        value,
        items: Items { total: 900, waiting: 900, ..Items::default() },
        replicas,
        bounds: Bounds { min: 1, max: 10, initial: 1 },
        saturated: false,
    }
}

/// What a loop may see at one moment, without its time.
pub fn any() -> impl Strategy<Value = Observation> {
    (-1.5..1.5f64, 0u32..30, 0u64..40, (1u32..5, 0u32..20)).prop_map(|(value, replicas, left, (min, more))| Observation {
        at_ms: 0,
        deadline_ms: 300_000,
        value,
        items: Items { total: 100, waiting: left, done: 100 - left, ..Items::default() },
        replicas,
        bounds: Bounds { min, max: min + more, initial: min },
        saturated: false,
    })
}

/// A story: pauses of 0.5 to 20 s between what is seen.
pub fn story() -> impl Strategy<Value = Vec<Observation>> {
    prop::collection::vec((500u64..20_000, any()), 1..40).prop_map(|steps| {
        let mut at_ms = 0;
        steps
            .into_iter()
            .map(|(pause, seen)| {
                at_ms += pause;
                Observation { at_ms, ..seen }
            })
            .collect()
    })
}
