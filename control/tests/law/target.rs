//! `target` against the published algorithm of the Kubernetes autoscaler, and in a loop.

use control::control_loop::{ControlLoop, Effect, Input};
use control::controllers::{Law, law};
use control::observation::{Metric, Observation, Replica, ReplicaState};
use control::plugin::PluginSpec;
use serde_json::{Value, json};

use crate::seen;

fn target(params: Value) -> Box<dyn Law> {
    law("target", &params, None).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// No window: the bare algorithm.
fn bare(value: f64) -> Value {
    json!({"target": value, "scale_down_window_s": 0})
}

fn wanted(params: Value, replicas: u32, metric: f64) -> f64 {
    target(params).step(&seen::at(0, replicas, metric)).value
}

fn measured(second: u64, replicas: u32, value: f64, age_ms: u64) -> Observation {
    let mut seen = seen::at(second, replicas, 0.0);
    seen.metrics.insert("cpu".into(), Metric { value, age_ms });
    seen
}

#[test]
fn the_ratio_is_rounded_up_and_nothing_moves_within_the_tolerance() {
    // Its own examples: 200m against 100m doubles, 50m halves.
    assert_eq!(wanted(bare(100.0), 3, 200.0), 6.0);
    assert_eq!(wanted(bare(100.0), 4, 50.0), 2.0);
    assert_eq!(wanted(bare(75.0), 5, 90.0), 6.0);
    assert_eq!(wanted(bare(100.0), 3, 111.0), 4.0);
    assert_eq!(wanted(bare(100.0), 9, 109.0), 9.0);
    assert_eq!(wanted(bare(100.0), 9, 91.0), 9.0);
    assert_eq!(wanted(bare(0.3), 5, 0.36), 6.0, "a rounding error asks for no seventh");
    assert_eq!(wanted(bare(100.0), 3, 0.0), 0.0, "an exact zero is a value");
    assert_eq!(wanted(bare(100.0), 0, 250.0), 3.0, "from none, as if one had the load");
}

#[test]
fn turned_round_it_is_rounded_down() {
    let inverse = |value: f64| json!({"target": value, "inverse": true, "scale_down_window_s": 0});
    assert_eq!(wanted(inverse(10.0), 4, 20.0), 2.0);
    assert_eq!(wanted(inverse(10.0), 4, 6.0), 6.0);
    assert_eq!(wanted(inverse(0.3), 3, 0.15), 6.0);
    assert_eq!(wanted(inverse(10.0), 4, 0.0), 10.0, "what costs nothing may be had to the bound");
    assert_eq!(wanted(inverse(10.0), 0, 0.0), 1.0, "the first shows what one costs");
}

#[test]
fn a_metric_that_is_missing_stale_or_no_ratio_holds_and_says_so() {
    let mut law = target(json!({"metric": "cpu", "target": 0.5, "max_age_s": 30}));
    let mut held = |seen: Observation| {
        let wish = law.step(&seen);
        assert_eq!(wish.value, 4.0);
        wish.why
    };
    assert_eq!(held(seen::at(0, 4, 9.0)), "cpu is not measured: it holds.");
    assert_eq!(held(measured(1, 4, 9.0, 31_000)), "cpu is 31 s old, more than the allowed 30 s: it holds.");
    assert_eq!(held(measured(2, 4, f64::NAN, 0)), "cpu is not a finite number: it holds.");
    assert_eq!(held(measured(3, 4, -1.0, 0)), "cpu is negative and has no ratio to its target: it holds.");
    let mut starting = measured(4, 4, 9.0, 0);
    starting.replicas = vec![Replica { id: "a".into(), state: ReplicaState::Starting, age_ms: 0 }];
    assert_eq!(held(starting), "No replica is ready, so the metric says nothing of them: it holds.");
    assert_eq!(law.step(&measured(5, 4, 0.75, 30_000)).value, 6.0);
}

#[test]
fn replicas_that_start_are_not_counted_twice() {
    let mut law = target(json!({"metric": "cpu", "target": 0.5}));
    let mut seen = measured(0, 4, 1.0, 0);
    let states = [ReplicaState::Busy, ReplicaState::Idle, ReplicaState::Starting, ReplicaState::Starting, ReplicaState::Draining];
    seen.replicas = states.into_iter().enumerate().map(|(id, state)| Replica { id: id.to_string().into(), state, age_ms: 0 }).collect();
    assert_eq!(law.step(&seen).value, 4.0, "two that are ready need to be four, and two already start");
}

#[test]
fn downwards_the_largest_wish_of_the_window_counts() {
    let mut law = target(json!({"target": 1, "scale_down_window_s": 300}));
    let mut wanted = |second, replicas, metric| law.step(&seen::at(second, replicas, metric)).value;
    assert_eq!(wanted(0, 4, 0.5), 4.0, "a new loop does not begin by letting go");
    assert_eq!(wanted(100, 4, 2.0), 8.0, "upwards at once");
    assert_eq!(wanted(200, 8, 0.25), 8.0);
    assert_eq!(wanted(399, 8, 0.5), 8.0);
    assert_eq!(wanted(400, 8, 0.25), 4.0, "the wish for 8 is 300 s old, the one for 4 is not");
    assert_eq!(wanted(698, 4, 0.25), 4.0);
    assert_eq!(wanted(699, 4, 0.25), 2.0);
}

#[test]
fn upwards_it_can_wait_as_well() {
    let mut law = target(json!({"target": 1, "scale_up_window_s": 60}));
    let mut wanted = |second, replicas, metric| law.step(&seen::at(second, replicas, metric)).value;
    assert_eq!(wanted(0, 2, 2.0), 2.0);
    assert_eq!(wanted(30, 2, 1.5), 2.0);
    assert_eq!(wanted(60, 2, 3.0), 3.0, "the smallest wish of the last minute");
    assert_eq!(wanted(90, 3, 3.0), 6.0);
}

#[test]
fn its_memory_stays_small() {
    let mut law = target(json!({"target": 1, "scale_down_window_s": 3600, "scale_up_window_s": 3600}));
    for second in 0..3600 {
        law.step(&seen::at(second, 3, (second % 7) as f64 / 2.0));
    }
    let memory = law.memory().to_string();
    assert!(memory.len() < 1000, "{memory}");
}

/// A load of 5.4 processors that falls to 1.5 after ten minutes; each replica takes its even share.
#[test]
fn a_load_is_shared_by_as_many_as_the_target_says() {
    let params = json!({"metric": "cpu", "target": 0.8, "scale_down_window_s": 120});
    let mut pace = ControlLoop::new("cpu", &PluginSpec::new("target", params), 1, None).unwrap_or_else(|errors| panic!("{errors:?}"));
    let mut replicas = 1;
    let mut course = Vec::new();
    for second in (0..1200).step_by(15) {
        let load = if second < 600 { 5.4 } else { 1.5 };
        let cpu = (load / f64::from(replicas)).min(1.0);
        for effect in pace.handle(Input::Seen(measured(second + 1, replicas, cpu, 0))) {
            if let Effect::Move { to } = effect {
                pace.handle(Input::Moved { at_ms: second * 1000 + 1500, to });
                replicas = to;
                course.push((second, to));
            }
        }
    }
    assert_eq!(course.iter().map(|(_, to)| *to).collect::<Vec<_>>(), [2, 3, 4, 5, 7, 2], "{course:?}");
    assert!((705..=735).contains(&course[5].0), "{course:?}");
}
