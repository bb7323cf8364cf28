//! Other people's rules do what they published.

use control::simulator::contest::{self, Contender};
use control::simulator::grid::{self, Set};
use control::simulator::peers::Peer;
use control::simulator::run::{self, NoStopwatch, Prepared};
use serde_json::json;

use crate::drivers::scenario;

/// Replicas asked for at some seconds.
fn asked<const N: usize>(peer: serde_json::Value, text: &str, seconds: [u64; N]) -> [u32; N] {
    let peer: Peer = serde_json::from_value(peer).expect("a peer");
    let prepared = Prepared::new(scenario(text));
    let mut found = [0; N];
    let mut trace = |input: &control::control_loop::Input, _: &[control::control_loop::Effect]| {
        if let control::control_loop::Input::Seen(seen) = input {
            for (second, found) in seconds.iter().zip(&mut found) {
                if seen.at_ms == second * 1000 {
                    *found = seen.allocated();
                }
            }
        }
    };
    run::run(&prepared, peer.name(), &mut *peer.start(&prepared), &mut NoStopwatch, Some(&mut trace));
    found
}

/// No item ends before 1 000 s.
const FROZEN: &str = r#"{"items": {"count": 101, "service_s": {"constant": 1000}}, "deadline_s": 4000, "replicas": {"min": 1, "max": 40}}"#;

#[test]
fn hpa_rises_by_four_or_twice_every_fifteen_seconds() {
    let hpa = json!({"hpa": {"backlog": {"items": 4.0}, "stabilization_s": 300.0}});
    // At 20 replicas 81 wait, and 21 would be wanted; but 81 ÷ (4 × 20) is within a tenth of 1.
    assert_eq!(asked(hpa, FROZEN, [0, 1, 14, 16, 31, 46]), [1, 5, 5, 10, 20, 20]);
}

#[test]
fn keda_starts_all_at_once_and_stops_none() {
    let keda = json!({"keda": {"backlog": {"items": 5.0}}});
    // As many as the queue asks for, beside the least number: 100 ÷ 5 + 1.
    assert_eq!(asked(keda, FROZEN, [0, 1, 31, 500]), [1, 21, 21, 21]);
}

#[test]
fn kedas_workers_end_when_the_queue_is_empty() {
    let text = r#"{"items": {"count": 25, "service_s": {"trace": [100, 200]}}, "deadline_s": 4000, "replicas": {"min": 1, "max": 40}}"#;
    let keda = json!({"keda": {"backlog": {"items": 2.0}}});
    // 24 wait: 12 + 1. At 200 s nine are free and take the last five; four find nothing and end, and so does whoever is
    // done later.
    assert_eq!(asked(keda, text, [0, 1, 199, 201, 299, 399]), [1, 13, 13, 9, 9, 2]);
}

#[test]
fn hpa_holds_what_is_there_for_less_than_its_window() {
    let text = FROZEN.replace("\"min\": 1", "\"min\": 1, \"initial\": 30");
    // 71 wait and 18 would do; the thirty that were there at the first look count until they are 300 s old.
    let hpa = json!({"hpa": {"backlog": {"items": 4.0}, "stabilization_s": 300.0}});
    assert_eq!(asked(hpa, &text, [1, 299, 301]), [30, 30, 18]);
}

#[test]
fn guv_divides_the_work_by_the_time_that_is_left() {
    // It believes 10 s an item: 101 × 10 ÷ (1000 − 2.326 × 5 − 10) = 1.03.
    let guv = json!({"guv": {"share": 1.0, "boot_s": 0.0}});
    let text = FROZEN.replace("4000", "1000");
    assert_eq!(asked(guv.clone(), &text, [1]), [2]);
    // 101 × 100 ÷ (1000 − 2.326 × 50 − 100) = 12.9.
    assert_eq!(asked(guv, &text.replace("\"deadline_s\"", "\"hint_service_s\": 100, \"deadline_s\""), [1]), [13]);
}

#[test]
fn jockey_finds_the_clairvoyants_allocation_for_a_job_without_chance() {
    let text = r#"{"items": {"count": 1000, "service_s": {"constant": 10}}, "deadline_s": 1000, "replicas": {"min": 1, "max": 40}}"#;
    let jockey = |slack: f64| json!({"jockey": {"slack": slack, "hysteresis": 1.0, "dead_zone": 0.0}});
    assert_eq!(asked(jockey(1.0), text, [1, 500]), [10, 10]);
    // Its table goes in steps of a fifth: 12 replicas need 840 s.
    assert_eq!(asked(jockey(1.15), text, [1]), [12]);
}

#[test]
fn every_setting_of_every_entrant_runs() {
    let job = grid::job(Set::Plain, grid::TUNING, 0);
    for entrant in contest::entrants() {
        assert!(!entrant.settings.is_empty());
        for setting in &entrant.settings {
            let result = setting.run(&entrant.name, &job.prepared, &mut NoStopwatch);
            assert!(result.replica_seconds > 0.0, "{} {}", entrant.name, setting.words());
        }
        assert_eq!(entrant.settings.iter().filter(|setting| **setting == entrant.settings[0]).count(), 1, "{}", entrant.name);
    }
}

#[test]
fn the_two_ends_of_every_table() {
    let job = grid::job(Set::Plain, grid::TUNING, 1);
    let run = |peer: Peer| Contender::Peer(peer).run("end", &job.prepared, &mut NoStopwatch);
    let (most, least) = (run(Peer::AlwaysMax), run(Peer::Clairvoyant));
    assert!(most.met && least.met && least.over_allocation == 0.0 && least.peak == least.clairvoyant_peak);
    assert_eq!(most.peak, job.prepared.scenario.replicas.max);
    assert!(least.finish_s >= most.finish_s);
}
