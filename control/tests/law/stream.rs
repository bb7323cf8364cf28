//! `stream` against Little's law, and in a loop with a small queue.

use control::controllers::{Law, law};
use control::observation::{Completion, Hints, Items, Observation};
use serde_json::{Value, json};

use crate::seen;

fn stream(params: Value) -> Box<dyn Law> {
    law("stream", &params, None).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn queue(second: u64, replicas: u32, waiting: u64, done: u64, services_s: &[f64]) -> Observation {
    let completions =
        services_s.iter().map(|service_s| Completion { service_ms: service_s * 1000.0, replica: None, at_ms: None }).collect();
    let items = Items { waiting, done, open: true, ..Items::default() };
    Observation { items, completions, value: None, deadline_ms: None, ..seen::at(second, replicas, 0.0) }
}

fn term(wish: &control::decision::Wish, name: &str) -> f64 {
    wish.terms.iter().find(|term| term.name == name).unwrap_or_else(|| panic!("{wish:?}")).value
}

#[test]
fn arrivals_keep_rate_times_service_replicas_busy_and_the_backlog_adds() {
    let mut law = stream(json!({"utilisation": 0.8, "target_wait_s": 30}));
    law.step(&queue(0, 4, 0, 0, &[]));
    // 20 came in 10 s and take 1.6 s each; 5 of them still wait.
    let wish = law.step(&queue(10, 4, 5, 15, &[1.6; 15]));
    assert!((term(&wish, "arrivals") - 2.0 * 1.6 / 0.8).abs() < 1e-9, "{wish:?}");
    assert!((term(&wish, "backlog") - 5.0 * 1.6 / 30.0).abs() < 1e-9, "{wish:?}");
    assert!((term(&wish, "wait_s") - 5.0 * 1.6 / 4.0).abs() < 1e-9, "{wish:?}");
    assert_eq!(
        wish.why,
        "2 items a second arrive and take 1.6 s each; 5 wait, about 2 s with 4 replicas: 4 replicas for the arrivals and 0.3 for \
         those that wait."
    );
}

#[test]
fn before_anything_is_known_it_holds_and_sends_one_to_find_out() {
    let mut law = stream(json!({}));
    assert_eq!(law.step(&queue(0, 0, 0, 0, &[])).value, 0.0);
    assert_eq!(law.step(&queue(5, 0, 40, 0, &[])).value, 1.0);
    assert_eq!(law.step(&queue(10, 3, 40, 0, &[])).value, 3.0);
}

#[test]
fn what_the_user_says_of_an_item_counts_until_one_was_done() {
    let mut law = stream(json!({"target_wait_s": 20}));
    let hints = Hints { service_ms_mean: Some(2000.0), history: None };
    let hinted = |seen| Observation { hints, ..seen };
    assert_eq!(law.step(&hinted(queue(0, 1, 40, 0, &[]))).value, 4.0);
    let wish = law.step(&hinted(queue(10, 1, 40, 5, &[0.5; 5])));
    assert_eq!(term(&wish, "backlog"), 40.0 * 0.5 / 20.0);
}

#[test]
fn retries_and_dead_items_are_no_arrivals() {
    let mut law = stream(json!({}));
    law.step(&queue(0, 2, 10, 0, &[1.0]));
    let mut seen = queue(10, 2, 7, 2, &[1.0]);
    seen.items.failed = 5;
    seen.items.dead = 1;
    assert_eq!(term(&law.step(&seen), "arrivals"), 0.0);
    seen.at_ms += 10_000;
    seen.items.done = 0;
    assert_eq!(term(&law.step(&seen), "arrivals"), 0.0, "a counter that falls back is no arrival either");
}

#[test]
fn how_often_it_is_asked_does_not_matter() {
    let (mut often, mut seldom) = (stream(json!({"smoothing_s": 100})), stream(json!({"smoothing_s": 100})));
    let (mut last, mut slow) = (0.0, 0.0);
    for second in 0..=600 {
        let seen = queue(second, 4, 3 * second, 0, &[1.0]);
        last = term(&often.step(&seen), "backlog");
        if second > 0 {
            last = often.step(&Observation { at_ms: seen.at_ms + 1, completions: vec![], ..seen.clone() }).terms[0].value;
        }
        if second % 30 == 0 {
            slow = seldom.step(&seen).terms[0].value;
        }
    }
    assert!((last - slow).abs() < 0.05, "{last} and {slow}");
}

#[test]
fn another_smoothing_keeps_what_was_learnt() {
    let mut law = stream(json!({"smoothing_s": 60}));
    for second in 0..300 {
        law.step(&queue(second, 5, 0, 4 * second, &[1.0; 4]));
    }
    let seen = queue(300, 5, 0, 1200, &[1.0; 4]);
    let before = law.step(&seen).value;
    law.retune(&json!({"smoothing_s": 5})).unwrap();
    let after = law.step(&Observation { at_ms: seen.at_ms + 1, completions: vec![], ..seen }).value;
    assert!((before - after).abs() < 0.01, "{before} became {after}");
}

/// A queue of items of 2 s, first 3 a second, then 6, then 1; a replica needs 5 s to start. The law alone decides,
/// rounded and within 1 to 40 replicas.
#[test]
fn the_wait_stays_near_its_target_when_the_arrivals_double() {
    let mut law = stream(json!({"target_wait_s": 20, "smoothing_s": 30}));
    let (mut waiting, mut done, mut able, mut replicas) = (0.0f64, 0.0f64, 1.0f64, 1u32);
    let (mut worst, mut late, mut at_most, mut counted) = (0.0f64, 0u32, 0u32, Vec::new());
    for second in 0..1800u64 {
        let rate = if second < 600 {
            3.0
        } else if second < 1200 {
            6.0
        } else {
            1.0
        };
        waiting += rate;
        able = (able + 1.0f64.min((f64::from(replicas) - able).max(0.0))).min(f64::from(replicas));
        let before = done as u64;
        let served = waiting.min(able / 2.0);
        waiting -= served;
        done += served;
        let services = vec![2.0; (done as u64 - before) as usize];
        let wait_s = waiting / (able / 2.0);
        if second > 60 {
            worst = worst.max(wait_s);
            late += u32::from(wait_s > 20.0);
        }
        let wish = law.step(&queue(second, replicas, waiting as u64, done as u64, &services));
        replicas = (wish.value.round() as u32).clamp(1, 40);
        at_most = at_most.max(replicas);
        if second % 600 == 599 {
            counted.push(replicas);
        }
    }
    // λ·s ÷ 0.8: 7.5, 15 and 2.5.
    assert!(counted.iter().zip([8, 15, 3]).all(|(there, wanted): (&u32, u32)| there.abs_diff(wanted) <= 1), "{counted:?}");
    assert!(worst < 20.0 && late == 0, "the worst wait was {worst} s");
    assert!(at_most <= 22, "at most {at_most}");
}
