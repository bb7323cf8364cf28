//! Jobs small enough to work out with a pencil.

use control::control_loop::Input;
use control::observation::ReplicaState;

use crate::drivers::play;

#[test]
fn two_waves_on_two_replicas_after_their_start() {
    let (result, player) = play(
        r#"{"items": {"count": 4, "service_s": {"constant": 10}}, "deadline_s": 30,
            "replicas": {"min": 2, "max": 2}, "startup_s": {"constant": 5}}"#,
        &[],
    );
    assert_eq!(result.finish_s, Some(25.0));
    assert!(result.met);
    assert_eq!(result.replica_seconds, 50.0);
    // One replica would need 45 s.
    assert_eq!((result.clairvoyant_peak, result.clairvoyant_replica_seconds), (2, 50.0));
    assert_eq!((result.cost_ratio, result.over_allocation, result.peak), (1.0, 0.0, 2));

    let at = |second: usize| &player.seen[second];
    assert_eq!(at(0).replicas.iter().map(|replica| replica.state).collect::<Vec<_>>(), [ReplicaState::Starting; 2]);
    assert_eq!(at(4).in_flight.len(), 0);
    assert_eq!((at(5).items.waiting, at(5).items.processing, at(5).in_flight[1].age_ms), (2, 2, 0));
    let done = &at(15).completions;
    assert_eq!((done.len(), done[0].service_ms, done[0].at_ms), (2, 10_000.0, Some(15_000)));
    assert_eq!((at(15).items.done, at(15).items.processing, at(15).replicas[0].age_ms), (2, 2, 15_000));
    assert_eq!(at(16).completions, []);
}

#[test]
fn half_speed_stretches_what_is_in_hand() {
    let (result, player) = play(
        r#"{"items": {"count": 1, "service_s": {"constant": 20}}, "deadline_s": 100, "replicas": {"max": 1}, "speed": [[10, 0.5], [20, 0], [30, 1]]}"#,
        &[],
    );
    // 10 s of work by 10 s, 5 more by 20 s, none until 30 s, and the last 5.
    assert_eq!(result.finish_s, Some(35.0));
    assert_eq!(player.seen.len(), 35);
}

#[test]
fn replicas_share_cores() {
    let (result, _) = play(
        r#"{"items": {"count": 3, "service_s": {"trace": [10, 10, 30]}}, "deadline_s": 100,
            "replicas": {"min": 3, "max": 3}, "contention": {"cores": 2}}"#,
        &[],
    );
    // Two thirds of the speed until two are done at 15 s, when 20 s of the third are left.
    assert_eq!(result.finish_s, Some(35.0));
}

const SIX: &str =
    r#""items": {"count": 6, "service_s": {"constant": 10}}, "deadline_s": 100, "replicas": {"min": 1, "max": 3, "initial": 3}"#;

#[test]
fn a_drain_loses_nothing() {
    let (result, player) = play(&format!("{{{SIX}}}"), &[(5, 1)]);
    assert_eq!(result.finish_s, Some(40.0));
    assert_eq!((result.lost_work_s, result.items_lost), (0.0, 0));
    assert_eq!(result.replica_seconds, 3.0 * 10.0 + 30.0);
    let draining = |second: usize| player.seen[second].replicas.iter().filter(|replica| replica.state == ReplicaState::Draining).count();
    assert_eq!((draining(5), draining(6), draining(10)), (0, 2, 0));
    assert_eq!((player.seen[6].allocation, player.seen[6].in_flight.len()), (Some(1), 3));
    assert_eq!(player.told, [Input::Moved { at_ms: 5000, to: 1 }]);
}

#[test]
fn a_kill_loses_what_was_in_hand_until_the_lease_is_over() {
    let (result, player) = play(&format!(r#"{{{SIX}, "scale_in": {{"kill": {{"lease_s": 50}}}}}}"#), &[(5, 1)]);
    // The one that stays does its item and the three that wait by 40 s, idles until 55 s, and does both.
    assert_eq!(result.finish_s, Some(75.0));
    assert_eq!((result.lost_work_s, result.items_lost), (10.0, 2));
    let items = player.seen[45].items;
    assert_eq!((items.waiting, items.processing, items.done), (0, 2, 4));
    assert_eq!(player.seen[45].replicas[0].state, ReplicaState::Idle);
    assert_eq!(player.seen[55].items.waiting, 1);
}

#[test]
fn a_drain_with_a_grace_kills_when_it_is_over_and_the_item_comes_back_at_once() {
    let (result, player) = play(&format!(r#"{{{SIX}, "scale_in": {{"drain": {{"grace_s": 2}}}}}}"#), &[(5, 1)]);
    assert_eq!((result.lost_work_s, result.items_lost), (14.0, 2));
    assert_eq!((player.seen[7].items.waiting, player.seen[7].replicas.len()), (5, 1));
    assert_eq!(result.finish_s, Some(60.0));
}

#[test]
fn capacity_that_goes_takes_the_newest_and_comes_back_by_itself() {
    let (result, player) = play(
        r#"{"items": {"count": 4, "service_s": {"constant": 10}}, "deadline_s": 100, "replicas": {"min": 2, "max": 2},
            "available": [[0, 2], [5, 1], [12, 2]], "startup_s": {"constant": 1}}"#,
        &[],
    );
    // r1: 1–11, 11–21, 21–31. r2 loses 4 s of its item, which r1 takes next; r3 starts at 12 and has the last from 13.
    assert_eq!(result.finish_s, Some(31.0));
    assert_eq!((result.crash_lost_work_s, result.lost_work_s), (4.0, 0.0));
    assert_eq!((player.seen[6].available, player.seen[6].allocation, player.seen[6].replicas.len()), (Some(1), Some(2), 1));
    assert_eq!(&*player.seen[13].replicas[1].id, "r3");
}

#[test]
fn an_actuator_takes_its_time_and_answers_the_last_of_several() {
    let (result, player) = play(
        r#"{"items": {"count": 100, "service_s": {"constant": 1}}, "deadline_s": 100, "replicas": {"max": 5}, "actuation_delay_s": 2}"#,
        &[(1, 3), (2, 5)],
    );
    let there = |second: usize| player.seen[second].replicas.len();
    assert_eq!((there(2), there(3), there(4)), (1, 3, 5));
    assert_eq!(player.told, [Input::Moved { at_ms: 4000, to: 5 }]);
    assert_eq!((result.moves, result.reversals), (2, 0));
}

#[test]
fn in_a_gap_nothing_is_seen_and_nothing_is_forgotten() {
    let (_, player) = play(
        r#"{"items": {"count": 20, "service_s": {"constant": 1}}, "deadline_s": 100, "replicas": {"max": 1}, "metric_gap": [[3, 6]]}"#,
        &[],
    );
    let times: Vec<_> = player.seen.iter().map(|seen| seen.at_ms / 1000).take(5).collect();
    assert_eq!(times, [0, 1, 2, 6, 7]);
    assert_eq!(player.seen[3].completions.len(), 4);
    let blind = player.told.iter().filter(|input| matches!(input, Input::Blind { .. })).count();
    assert_eq!(blind, 3);
}

#[test]
fn changes_reach_the_controller_when_they_are_made() {
    let (result, player) = play(
        r#"{"items": {"count": 20, "service_s": {"constant": 1}}, "deadline_s": 100, "replicas": {"max": 2}, "hint_service_s": 3,
            "changes": [{"at_s": 4, "deadline_s": 15, "confidence": 0.9, "params": {"margin": 0.1}}, {"at_s": 5, "max": 1, "hint_service_s": 2}]}"#,
        &[],
    );
    let known = |second: usize| (player.seen[second].deadline_ms, player.seen[second].confidence, player.seen[second].bounds.max);
    assert_eq!(known(3), (Some(100_000), 0.99, 2));
    assert_eq!(known(5), (Some(15_000), 0.9, 1));
    assert_eq!(player.seen[5].hints.service_ms_mean, Some(2000.0));
    assert!(matches!(&player.told[..], [Input::Retuned { at_ms: 4000, revision: 2, params }] if params["margin"] == 0.1));
    assert_eq!((result.finish_s, result.deadline_s, result.met), (Some(20.0), 15.0, false));
}

#[test]
fn a_job_that_does_not_end_is_cut_after_four_deadlines() {
    let (result, _) = play(r#"{"items": {"count": 1, "service_s": {"constant": 1000}}, "deadline_s": 10, "replicas": {"max": 1}}"#, &[]);
    assert_eq!((result.finish_s, result.met, result.replica_seconds, result.ticks), (None, false, 40.0, 41));
}
