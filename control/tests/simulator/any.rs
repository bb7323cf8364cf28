//! What holds for any job under any controller.

use control::control_loop::{Effect, Input};
use control::simulator::contest::Contender;
use control::simulator::grid::{self, Set};
use control::simulator::run::{self, NoStopwatch, Prepared};
use control::simulator::scenario::{ScaleInSpec, Scenario};
use proptest::prelude::*;
use serde_json::json;

/// Moves at random times to random places.
fn wild(steps: Vec<(u64, u32)>) -> crate::drivers::Player {
    crate::drivers::Player::plays(&steps)
}

fn any_scenario() -> impl Strategy<Value = Scenario> {
    let items = (1u32..200, 0usize..5, 0.5f64..2.0);
    let life = (0u64..1 << 40, 0.0f64..20.0, 0usize..4, 0.0f64..60.0, 0.0f64..4.0);
    (items, life).prop_map(|((count, shape, drift), (seed, startup_s, scale_in, crashes, delay_s))| {
        let shapes = [
            json!({"constant": 4}),
            json!({"exponential": {"mean": 4}}),
            json!({"lognormal": {"mean": 4, "cv": 2}}),
            json!({"pareto": {"min": 1, "alpha": 1.5, "max": 100}}),
            json!({"bimodal": {"fast": 1, "slow": 20, "share_slow": 0.2}}),
        ];
        let ways =
            [json!({"drain": {}}), json!({"drain": {"grace_s": 2}}), json!({"kill": {"lease_s": 7}}), json!({"kill": {"lease_s": 0}})];
        let text = json!({
            "seed": seed, "items": {"count": count, "service_s": shapes[shape], "drift": drift}, "deadline_s": 300,
            "replicas": {"min": 0, "max": 12}, "startup_s": {"uniform": {"min": 0, "max": startup_s}}, "scale_in": ways[scale_in],
            "crash_per_replica_hour": crashes, "actuation_delay_s": delay_s, "speed": [[50, 0.5], [80, 2]],
            "available": [[0, 12], [40, 5], [70, 9]], "contention": {"cores": 8}
        });
        Scenario::parse(&text.to_string()).expect("a drawn scenario is sound")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn items_and_replicas_are_conserved(scenario in any_scenario(), moves in prop::collection::vec((0u64..300, 0u32..=12), 0..40)) {
        let prepared = Prepared::new(scenario);
        let mut player = wild(moves);
        let result = run::run(&prepared, "wild", &mut player, &mut NoStopwatch, None);
        let mut completed = 0;
        for seen in &player.seen {
            let items = seen.items;
            completed += seen.completions.len() as u64;
            prop_assert_eq!(items.total, items.waiting + items.processing + items.done);
            prop_assert_eq!(items.done, completed);
            prop_assert!(seen.in_flight.len() as u64 <= items.processing);
            if matches!(prepared.scenario.scale_in, ScaleInSpec::Drain { .. }) {
                prop_assert_eq!(seen.in_flight.len() as u64, items.processing);
            }
            prop_assert!(seen.replicas.len() <= seen.available.unwrap() as usize);
            prop_assert!(seen.replicas.iter().all(|replica| replica.age_ms <= seen.at_ms));
            let idle_while_items_wait = items.waiting > 0 && seen.replicas.iter().any(|replica| replica.state == control::observation::ReplicaState::Idle);
            prop_assert!(!idle_while_items_wait);
        }
        prop_assert!(0.0 <= result.over_allocation && result.replica_seconds.is_finite());
        if prepared.scenario.scale_in == (ScaleInSpec::Drain { grace_s: None }) {
            prop_assert_eq!((result.items_lost, result.lost_work_s), (0, 0.0));
        }
        // Whatever it cost, nobody finishes with less work than there is.
        if result.finish_s.is_some() {
            let work: f64 = prepared.world.items_s.iter().sum();
            prop_assert!(work / 2.0 <= result.replica_seconds + 1e-6);
        }
    }
}

#[test]
fn a_drain_loses_nothing_and_a_kill_does_under_a_real_law() {
    let busy = json!({"actuation_size": 4, "trigger_up": 0.0, "trigger_down": 0.0});
    let law = Contender::Law(control::plugin::PluginSpec::new("threshold", busy));
    let mut killed = 0;
    for number in 0..10 {
        let mut job = grid::job(Set::Plain, grid::TUNING, number);
        assert_eq!(law.run("threshold", &job.prepared, &mut NoStopwatch).items_lost, 0, "{}", job.prepared.scenario.name);
        job.prepared.world.scale_in = ScaleInSpec::Kill { lease_s: 60.0 };
        killed += law.run("threshold", &job.prepared, &mut NoStopwatch).items_lost;
    }
    assert!(killed > 0);
}

#[test]
fn a_trace_holds_all_that_goes_in_and_out() {
    let job = grid::job(Set::Plain, grid::TUNING, 3);
    let spec = control::plugin::PluginSpec::new("threshold", json!({}));
    let (mut seen, mut moved, mut moves) = (0, 0, 0);
    let mut trace = |input: &Input, effects: &[Effect]| {
        seen += u64::from(matches!(input, Input::Seen(_)));
        moved += u32::from(matches!(input, Input::Moved { .. }));
        moves += u32::from(effects.iter().any(|effect| matches!(effect, Effect::Move { .. })));
    };
    let result = run::simulate(&job.prepared, &spec, Some(&mut trace)).unwrap();
    assert_eq!((seen, moved, moves), (result.ticks, result.moves, result.moves));
}
