//! Stories of one loop, and what holds for any story.

use control::control_loop::{ControlLoop, Effect, Input};
use control::observation::{Items, Observation, Replica, ReplicaState};
use control::plan::progress_error;
use control::plugin::PluginSpec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::every::{decided, live, moved};
use crate::seen;

fn start(kind: &str, params: Value) -> ControlLoop {
    ControlLoop::new("pace", &PluginSpec::new(kind, params), 1, None).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn eager() -> ControlLoop {
    start("threshold", json!({"trigger_up": 0, "trigger_down": 0}))
}

fn notes(effects: &[Effect]) -> Vec<&str> {
    effects.iter().filter_map(|effect| if let Effect::Note { text } = effect { Some(text.as_str()) } else { None }).collect()
}

fn blind(second: u64) -> Input {
    Input::Blind { at_ms: second * 1000, why: "no answer from the queue".to_owned() }
}

#[test]
fn a_move_is_remembered_before_it_is_asked_for_and_asked_for_once() {
    let mut pace = eager();
    let effects = pace.handle(Input::Seen(seen::at(1, 3, -0.1)));
    assert!(matches!(effects.as_slice(), [Effect::Decided(_), Effect::Remember(_), Effect::Move { to: 4 }]), "{effects:?}");
    assert_eq!(decided(&effects).map(|decision| (decision.from, decision.to, decision.revision)), Some((3, 4, 1)));

    // On its way, the goal is where the loop stands; at the goal nothing is asked again.
    let effects = pace.handle(Input::Seen(seen::at(2, 3, 0.0)));
    assert_eq!(moved(&effects), None);
    assert_eq!(decided(&effects).map(|decision| (decision.from, decision.to)), Some((4, 4)));
    assert_eq!(moved(&pace.handle(Input::Seen(seen::at(3, 3, -0.1)))), Some(5));
}

#[test]
fn what_is_not_newer_is_dropped() {
    let mut pace = eager();
    pace.handle(Input::Seen(seen::at(5, 3, 0.0)));
    assert_eq!(pace.handle(Input::Seen(seen::at(5, 3, -0.5))), []);
    assert_eq!(pace.handle(Input::Seen(seen::at(4, 3, -0.5))), []);
}

#[test]
fn blindness_holds_and_is_told_once_each_time() {
    let mut pace = eager();
    let effects = pace.handle(blind(1));
    assert_eq!(notes(&effects), ["Loop pace is blind and holds: no answer from the queue."]);
    assert_eq!(pace.handle(blind(2)), []);
    let nan = pace.handle(Input::Seen(seen::at(3, 3, f64::NAN)));
    assert_eq!(nan, [], "a number that is none is blindness, too");
    pace.handle(Input::Seen(seen::at(4, 3, 0.0)));
    assert_eq!(notes(&pace.handle(blind(5))).len(), 1);
}

#[test]
fn the_cooldown_runs_from_when_the_move_was_true() {
    let mut pace = start("threshold", json!({"trigger_up": 0, "guards": {"cooldown_s": 10}}));
    assert_eq!(moved(&pace.handle(Input::Seen(seen::at(1, 3, -0.1)))), Some(4));
    pace.handle(Input::Moved { at_ms: 6_000, to: 4 });
    let held = pace.handle(Input::Seen(seen::at(15, 4, -0.1)));
    assert_eq!(moved(&held), None);
    let decision = decided(&held).unwrap();
    assert_eq!(decision.guards, ["cooldown"]);
    assert!(decision.why.ends_with("one replica more. Held at 4 by cooldown."), "{}", decision.why);

    let memory = serde_json::from_str(&pace.memory().to_string()).unwrap();
    let spec = PluginSpec::new("threshold", pace.params());
    let mut restarted = ControlLoop::new("pace", &spec, 1, Some(memory)).unwrap();
    assert_eq!(moved(&restarted.handle(Input::Seen(seen::at(15, 4, -0.1)))), None);
    assert_eq!(restarted.handle(Input::Seen(seen::at(15, 4, -0.1))), [], "it knows what it saw last");
    assert_eq!(moved(&restarted.handle(Input::Seen(seen::at(16, 4, -0.1)))), Some(5));
}

#[test]
fn losing_against_another_loop_starts_no_cooldown_and_its_winning_move_does() {
    let mut pace = start("threshold", json!({"trigger_up": 0, "trigger_down": 0, "guards": {"cooldown_s": 10}}));
    assert_eq!(moved(&pace.handle(Input::Seen(seen::at(1, 6, 0.1)))), Some(5));
    pace.handle(Input::Moved { at_ms: 1_000, to: 6 });
    assert_eq!(moved(&pace.handle(Input::Seen(seen::at(2, 6, 0.1)))), Some(5));
    pace.handle(Input::Moved { at_ms: 2_000, to: 6 });
    pace.handle(Input::Moved { at_ms: 3_000, to: 8 });
    assert_eq!(moved(&pace.handle(Input::Seen(seen::at(4, 8, 0.1)))), None);
    assert_eq!(moved(&pace.handle(Input::Seen(seen::at(13, 8, 0.1)))), Some(7));
}

#[test]
fn a_refusal_is_told_once_and_tried_again() {
    let mut pace = eager();
    let refused = |second: u64| Input::Refused { at_ms: second * 1000, why: "no memory left".to_owned() };
    pace.handle(Input::Seen(seen::at(1, 3, -0.1)));
    assert_eq!(notes(&pace.handle(refused(2))), ["Loop pace: the move to 4 was refused: no memory left."]);
    assert_eq!(moved(&pace.handle(Input::Seen(seen::at(3, 3, -0.1)))), Some(4));
    assert_eq!(pace.handle(refused(4)), []);
}

#[test]
fn a_lost_answer_holds_nothing_for_ever() {
    let mut pace = eager();
    pace.handle(Input::Seen(seen::at(1, 3, -0.1)));
    let effects = pace.handle(Input::Seen(seen::at(61, 3, -0.1)));
    assert_eq!(notes(&effects), ["Loop pace: the move to 4 was not answered within 60 s; it goes on from 3, which is true now."]);
    assert_eq!(moved(&effects), Some(4));
}

#[test]
fn a_move_that_is_seen_to_be_true_is_answered() {
    let mut pace = start("threshold", json!({"trigger_up": 0, "guards": {"cooldown_s": 10}}));
    assert_eq!(moved(&pace.handle(Input::Seen(seen::at(1, 3, -0.1)))), Some(4));
    assert_eq!(moved(&pace.handle(Input::Seen(seen::at(5, 4, -0.1)))), None, "the cooldown runs from here");
    pace.handle(Input::Moved { at_ms: 6_000, to: 4 });
    assert_eq!(moved(&pace.handle(Input::Seen(seen::at(15, 4, -0.1)))), Some(5), "the answer that came later began no second one");
}

#[test]
fn fewer_replicas_come_with_who_should_go() {
    let mut pace = eager();
    let mut seen = seen::at(1, 2, 0.1);
    seen.replicas = [("busy", ReplicaState::Busy), ("idle", ReplicaState::Idle)]
        .map(|(id, state)| Replica { id: id.into(), state, age_ms: 5_000 })
        .into();
    let effects = pace.handle(Input::Seen(seen));
    assert_eq!(moved(&effects), Some(1));
    assert_eq!(decided(&effects).unwrap().drain, ["idle".into()]);
}

#[test]
fn a_tuning_is_taken_or_told_and_never_half() {
    let mut pace = eager();
    let tuning = |revision, params| Input::Retuned { at_ms: 1000, revision, params };
    let bad = tuning(2, json!({"actuation_size": 0, "trigger_up": "much"}));
    assert_eq!(
        notes(&pace.handle(bad.clone())),
        ["Loop pace: revision 2 was not accepted, revision 1 stays: actuation_size must be between 1 and 1000, was 0; \
             trigger_up must be a number such as 1.5, was “much”."]
    );
    assert_eq!(pace.handle(bad), [], "told once");
    assert_eq!(pace.revision(), 1);
    assert_eq!(pace.handle(tuning(3, json!({"actuation_size": 3, "trigger_up": 0}))), []);
    let effects = pace.handle(Input::Seen(seen::at(2, 3, -0.1)));
    assert_eq!((moved(&effects), decided(&effects).unwrap().revision), (Some(6), 3));
}

#[test]
fn a_memory_that_does_not_fit_is_left_behind_with_a_note() {
    for memory in [json!("old"), json!({"law": {"sound": 7}, "state": {}})] {
        let mut pace = ControlLoop::new("pace", &PluginSpec::new("pid", json!({})), 1, Some(memory)).unwrap();
        let effects = pace.handle(Input::Seen(seen::at(1, 3, 0.0)));
        assert_eq!(notes(&effects).len(), 1);
        assert!(decided(&effects).is_some());
    }
}

#[test]
fn errors_of_a_new_loop_lie_where_its_spec_has_them() {
    let fields = |kind: &str, params| match ControlLoop::new("pace", &PluginSpec::new(kind, params), 1, Some(json!(1))) {
        Ok(_) => vec![],
        Err(errors) => errors.into_iter().map(|error| error.field).collect(),
    };
    assert_eq!(fields("magic", json!({})), ["kind"]);
    assert_eq!(fields("pid", json!({"kp": 1, "guards": {"dead_band": -1}})), ["params.kp", "params.guards.dead_band"]);
}

/// A job of 900 items of one second each and a deadline of 300 s, on the sound PID's defaults; replicas need
/// 2 s to start. Three replicas are the even pace.
#[test]
fn the_default_pid_brings_a_job_of_minutes_to_its_deadline() {
    let mut pace = start("pid", json!({}));
    let (mut replicas, mut able, mut done, mut directions) = (1u32, 1.0f64, 0.0f64, vec![]);
    let mut ended = None;
    for second in 1..=400u64 {
        able += (f64::from(replicas) - able).clamp(-10.0, 0.5);
        done += able;
        let handled = (done as u64).min(900);
        if handled == 900 {
            ended = Some(second);
            break;
        }
        let items = Items { total: 900, waiting: 900 - handled, done: handled, ..Items::default() };
        let value = progress_error(items, second * 1000, 300_000);
        let seen = Observation { items, ..seen::at(second, replicas, value) };
        if let Some(to) = moved(&pace.handle(Input::Seen(seen))) {
            directions.push(replicas < to);
            replicas = to;
            pace.handle(Input::Moved { at_ms: second * 1000, to });
        }
    }
    let ended = ended.expect("the job ends");
    assert!((285..=303).contains(&ended), "it ended after {ended} s");
    let reversals = directions.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(reversals <= 6, "{reversals} reversals");
}

fn laws() -> impl Strategy<Value = PluginSpec> {
    prop_oneof![
        Just(PluginSpec::new("threshold", json!({"trigger_up": 0, "trigger_down": 0, "actuation_size": 3}))),
        Just(PluginSpec::new("pid", json!({"derivative_gain": 20, "guards": {"cooldown_s": 15}}))),
        Just(PluginSpec::new("pid", json!({"form": "compat", "proportional_gain": 30}))),
    ]
}

proptest! {
    #[test]
    fn restored_at_any_step_it_goes_on_as_if_never_stopped(spec in laws(), story in seen::story(), stop in 0usize..40) {
        let mut steady = ControlLoop::new("pace", &spec, 1, None).unwrap();
        let mut restarted = ControlLoop::new("pace", &spec, 1, None).unwrap();
        let mut remembered = None;
        for (place, seen) in story.iter().enumerate() {
            if place == stop {
                restarted = ControlLoop::new("pace", &spec, 1, remembered.take()).unwrap();
            }
            let effects = live(&mut restarted, seen);
            for effect in &effects {
                if let Effect::Remember(memory) = effect {
                    remembered = Some(serde_json::from_str(&memory.to_string()).unwrap());
                }
            }
            prop_assert_eq!(live(&mut steady, seen), effects);
        }
    }
}
