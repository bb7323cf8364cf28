//! Observations for tests: a job of 900 items, 1 to 10 replicas, 300 s to its deadline.

use std::collections::BTreeMap;

use control::job::Bounds;
use control::observation::{
    Budget, Completion, Hints, History, InFlight, Items, Metric, Observation, Replica, ReplicaId, ReplicaState, ScaleIn,
};
use proptest::option::of;
use proptest::prelude::*;

pub fn at(second: u64, replicas: u32, value: f64) -> Observation {
    Observation {
        at_ms: second * 1000,
        deadline_ms: Some(300_000),
        value: Some(value),
        items: Items { total: 900, waiting: 900, ..Items::default() },
        allocation: Some(replicas),
        bounds: Bounds { min: 1, max: 10, initial: 1 },
        ..Observation::at(0)
    }
}

/// What a loop may see at one moment, without its time.
pub fn any() -> impl Strategy<Value = Observation> {
    let goal = (of(1u64..600_000), of(-1.5..1.5f64), 0.5..0.9999f64, of(budget()), hints());
    let bounds = (1u32..5, 0u32..20, of(0u32..30), of(0u32..30));
    let world = (items(), replicas(), prop::collection::vec(completion(), 0..6), metrics(), of(scale_in()));
    (goal, bounds, world).prop_map(|(goal, (min, more, allocation, available), world)| {
        let (deadline_ms, value, confidence, budget, hints) = goal;
        let (mut items, replicas, completions, metrics, scale_in) = world;
        let held = replicas.iter().filter(|replica| matches!(replica.state, ReplicaState::Busy | ReplicaState::Draining));
        let in_flight: Vec<_> = held.map(|replica| InFlight { replica: replica.id.clone(), age_ms: replica.age_ms / 2 }).collect();
        items.processing = in_flight.len() as u64;
        items.total = items.left() + items.done + items.dead;
        Observation {
            deadline_ms,
            confidence,
            budget,
            hints,
            value,
            items,
            in_flight,
            completions,
            replicas,
            allocation,
            bounds: Bounds { min, max: min + more, initial: min },
            available,
            scale_in,
            metrics,
            ..Observation::at(0)
        }
    })
}

fn items() -> impl Strategy<Value = Items> {
    (0u64..40, 0u64..200, 0u64..5, 0u64..3, prop::bool::weighted(0.2)).prop_map(|(waiting, done, failed, dead, open)| Items {
        waiting,
        done,
        failed,
        dead,
        open,
        ..Items::default()
    })
}

fn replicas() -> impl Strategy<Value = Vec<Replica>> {
    let state = prop::sample::select(vec![
        ReplicaState::Starting,
        ReplicaState::Idle,
        ReplicaState::Busy,
        ReplicaState::Busy,
        ReplicaState::Draining,
    ]);
    prop::collection::vec((state, 0u64..100_000), 0..12).prop_map(|replicas| {
        let numbered = replicas.into_iter().enumerate();
        numbered.map(|(number, (state, age_ms))| Replica { id: name(number), state, age_ms }).collect()
    })
}

fn name(number: usize) -> ReplicaId {
    format!("replica-{number}").into()
}

fn completion() -> impl Strategy<Value = Completion> {
    let service_ms = prop_oneof![1.0..5_000.0f64, Just(0.0), 1.0..1e7f64];
    (service_ms, of(0usize..12), of(0u64..300_000)).prop_map(|(service_ms, replica, at_ms)| Completion {
        service_ms,
        replica: replica.map(name),
        at_ms,
    })
}

fn metrics() -> impl Strategy<Value = BTreeMap<std::sync::Arc<str>, Metric>> {
    of((0.0..3.0f64, 0u64..120_000))
        .prop_map(|cpu| cpu.map(|(value, age_ms)| ("cpu".into(), Metric { value, age_ms })).into_iter().collect())
}

fn hints() -> impl Strategy<Value = Hints> {
    let history = (1u32..50, 0.0..12.0f64, 0.0..2.0f64).prop_map(|(jobs, log_mean, log_sd)| History { jobs, log_mean, log_sd });
    (of(1.0..60_000.0f64), of(history)).prop_map(|(service_ms_mean, history)| Hints { service_ms_mean, history })
}

fn budget() -> impl Strategy<Value = Budget> {
    (0.0..5.0f64, 0.0..10.0f64).prop_map(|(limit, price_replica_hour)| Budget { limit, price_replica_hour })
}

fn scale_in() -> impl Strategy<Value = ScaleIn> {
    prop_oneof![
        of(0u64..60_000).prop_map(|grace_ms| ScaleIn::Drain { grace_ms }),
        (0u64..60_000).prop_map(|lease_ms| ScaleIn::Kill { lease_ms }),
    ]
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
