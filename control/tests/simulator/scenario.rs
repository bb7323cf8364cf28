//! Reading scenarios: what may be left out, and what is wrong with the rest.

use control::simulator::distribution::Distribution;
use control::simulator::run::Prepared;
use control::simulator::scenario::{ItemOrder, ScaleInSpec, Scenario};

use crate::drivers::scenario;

const FULL: &str = r#"{ "schema": 1, "name": "heavy tail, half speed from minute 10", "seed": 7,
  "items": { "count": 2000, "service_s": { "lognormal": { "mean": 12, "cv": 1.0 } } },
  "deadline_s": 1800, "confidence": 0.99,
  "replicas": { "min": 1, "max": 50, "initial": 1 },
  "startup_s": { "constant": 5 },
  "scale_in": { "drain": {} },
  "tick_s": 1,
  "speed": [[0, 1.0], [600, 0.5]],
  "available": [[0, 50], [900, 30]],
  "crash_per_replica_hour": 0.5,
  "actuation_delay_s": 2, "metric_gap": [[300, 360]],
  "hint_service_s": 6,
  "changes": [ { "at_s": 400, "deadline_s": 1500 }, { "at_s": 500, "params": { "margin": 0.02 } } ],
  "controller": { "kind": "deadline", "params": {} } }"#;

const LEAST: &str = r#"{"items": {"count": 3, "service_s": {"constant": 1}}, "deadline_s": 60}"#;

fn problems(text: &str) -> Vec<(String, String)> {
    Scenario::parse(text).expect_err("a wrong scenario").into_iter().map(|error| (error.field, error.message)).collect()
}

#[test]
fn the_example_of_the_docs_is_read_and_written_back() {
    let read = scenario(FULL);
    assert_eq!((read.items.count, read.last_deadline_s(), read.deadline_at_s(399.0)), (2000, 1500.0, 1800.0));
    assert_eq!(scenario(&serde_json::to_string(&read).unwrap()), read);
}

#[test]
fn everything_but_items_and_deadline_may_be_left_out() {
    let read = scenario(LEAST);
    assert_eq!((read.schema, read.seed, read.confidence, read.tick_s), (1, 0, 0.99, 1.0));
    assert_eq!((read.replicas.min, read.replicas.max, read.replicas.initial), (1, 10, None));
    assert_eq!((read.startup_s, read.scale_in), (Distribution::Constant(0.0), ScaleInSpec::Drain { grace_s: None }));
    assert_eq!((read.items.order, read.items.drift, read.controller.kind.as_str()), (ItemOrder::Drawn, 1.0, "deadline"));
    assert_eq!(problems("{}")[0].1, "missing field `items` at line 1 column 2");
}

#[test]
fn unknown_fields_and_wrong_types_are_told_by_their_path() {
    let path = |text: &str| problems(text)[0].0.clone();
    assert_eq!(path(&LEAST.replace("\"count\"", "\"cuont\"")), "items.cuont");
    assert_eq!(path(&LEAST.replace("{\"constant\": 1}", "{\"lognormal\": {\"mean\": 1, \"sd\": 2}}")), "items.service_s.lognormal.sd");
    assert_eq!(path(&FULL.replace("\"margin\": 0.02 }", "}, \"deadline\": 3")), "changes[1].deadline");
    assert_eq!(path(&FULL.replace("[600, 0.5]", "[600, \"half\"]")), "speed[1][1]");
    assert_eq!(path(&format!("{LEAST} x")), "");
}

#[test]
fn all_that_is_out_of_bounds_is_told_at_once() {
    let text = r#"{"schema": 2, "items": {"count": 0, "service_s": {"uniform": {"min": 3, "max": 2}}, "drift": 0}, "deadline_s": -1,
        "confidence": 1, "replicas": {"min": 3, "max": 2, "initial": 9}, "startup_s": {"trace": []}, "scale_in": {"kill": {"lease_s": -1}},
        "tick_s": 0, "speed": [[5, 1], [4, -1]], "metric_gap": [[5, 4]], "contention": {"cores": 0}, "crash_per_replica_hour": -1,
        "hint_service_s": 0, "changes": [{"at_s": 1, "max": 1}]}"#;
    let fields: Vec<_> = problems(text).into_iter().map(|(field, _)| field).collect();
    let expected = [
        "schema",
        "items.count",
        "items.service_s.uniform.max",
        "items.drift",
        "deadline_s",
        "confidence",
        "replicas.min",
        "replicas.initial",
        "startup_s.trace",
        "scale_in.kill.lease_s",
        "tick_s",
        "speed[1]",
        "speed",
        "metric_gap",
        "contention.cores",
        "crash_per_replica_hour",
        "hint_service_s",
        "changes[0].min",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn distributions_have_the_means_they_name() {
    for (text, mean) in [
        (r#"{"constant": 4}"#, 4.0),
        (r#"{"uniform": {"min": 2, "max": 6}}"#, 4.0),
        (r#"{"exponential": {"mean": 4}}"#, 4.0),
        (r#"{"lognormal": {"mean": 4, "cv": 1}}"#, 4.0),
        (r#"{"pareto": {"min": 1, "alpha": 1.5, "max": 100}}"#, 2.8),
        (r#"{"bimodal": {"fast": 2, "slow": 22, "share_slow": 0.1}}"#, 4.0),
        (r#"{"trace": [1, 2, 9]}"#, 4.0),
    ] {
        let text = format!(r#"{{"items": {{"count": 90000, "service_s": {text}}}, "deadline_s": 60}}"#);
        let items = Prepared::new(scenario(&text)).world.items_s;
        let found = items.iter().sum::<f64>() / 90_000.0;
        assert!((found / mean - 1.0).abs() < 0.03, "{text}: {found}");
    }
}

#[test]
fn items_wait_in_the_order_that_is_asked_for() {
    let items = |extra: &str| {
        let text = format!(r#"{{"items": {{"count": 100, "service_s": {{"exponential": {{"mean": 5}}}}{extra}}}, "deadline_s": 60}}"#);
        Prepared::new(scenario(&text)).world.items_s
    };
    let sum = |items: &[f64]| items.iter().sum::<f64>();
    let (drawn, sorted, reversed, blocks) =
        (items(""), items(r#", "order": "sorted""#), items(r#", "order": "reversed""#), items(r#", "order": "blocks""#));
    assert!(sorted.is_sorted() && reversed.iter().rev().is_sorted() && !drawn.is_sorted() && !blocks.is_sorted());
    let mut same = blocks.clone();
    same.sort_by(f64::total_cmp);
    assert_eq!(same, sorted);
    // Like items lie together: within a block they differ less than all of them do.
    let spread = |items: &[f64]| {
        items.iter().fold(0.0, |most: f64, item| most.max(*item)) - items.iter().fold(f64::MAX, |least, item| least.min(*item))
    };
    assert!(blocks.chunks(10).map(spread).sum::<f64>() / 10.0 < spread(&drawn) / 3.0);

    let drifted = items(r#", "drift": 3"#);
    assert_eq!((drifted[0], drifted[99]), (drawn[0], drawn[99] * 3.0));
    assert!(sum(&drifted) > 1.5 * sum(&drawn));
}
