//! Which replicas go first.

use control::observation::{InFlight, Observation, Replica, ReplicaState, ScaleIn};
use control::victims::choose;

use crate::seen;

/// Two that start, one idle, two busy, one draining.
fn six(scale_in: Option<ScaleIn>) -> Observation {
    let replica = |id: &str, state, age_ms| Replica { id: id.into(), state, age_ms };
    let in_flight = |id: &str, age_ms| InFlight { replica: id.into(), age_ms };
    Observation {
        replicas: vec![
            replica("old item", ReplicaState::Busy, 90_000),
            replica("new item", ReplicaState::Busy, 80_000),
            replica("idle", ReplicaState::Idle, 70_000),
            replica("draining", ReplicaState::Draining, 95_000),
            replica("starts", ReplicaState::Starting, 2_000),
            replica("just asked for", ReplicaState::Starting, 100),
        ],
        in_flight: vec![in_flight("old item", 9_000), in_flight("new item", 1_000), in_flight("draining", 5_000)],
        scale_in,
        ..seen::at(0, 5, 0.0)
    }
}

fn names(seen: &Observation, count: u32) -> Vec<String> {
    choose(seen, count).iter().map(ToString::to_string).collect()
}

#[test]
fn the_young_and_the_idle_go_before_the_busy_and_none_goes_twice() {
    assert_eq!(names(&six(None), 9), ["just asked for", "starts", "idle", "old item", "new item"]);
    assert_eq!(names(&six(None), 1), ["just asked for"]);
    assert_eq!(names(&six(None), 0), Vec::<String>::new());
}

#[test]
fn a_drain_takes_who_is_free_soonest_and_a_kill_who_loses_least() {
    let drain = six(Some(ScaleIn::Drain { grace_ms: None }));
    assert_eq!(names(&drain, 4)[3], "old item");
    assert_eq!(names(&six(Some(ScaleIn::Kill { lease_ms: 10_000 })), 4)[3], "new item");
}
