//! Scores worked out by hand, and the sums over many.

use control::control_loop::{Effect, Input};
use control::decision::Decision;
use control::forecast::Forecast;
use control::observation::Observation;
use control::simulator::driver::Driver;
use control::simulator::report::{quantile, wilson};
use control::simulator::run::{self, NoStopwatch, Prepared};

use crate::drivers::{play, scenario};

/// 100 items of 10 s in 200 s: five replicas with hindsight.
const JOB: &str = r#"{"items": {"count": 100, "service_s": {"constant": 10}}, "deadline_s": 200, "replicas": {"min": 5, "max": 50}}"#;

#[test]
fn what_is_above_the_clairvoyant_counts_over_time() {
    let (result, _) = play(JOB, &[]);
    assert_eq!((result.finish_s, result.clairvoyant_peak, result.over_allocation, result.cost_ratio), (Some(200.0), 5, 0.0, 1.0));
    // Ten from 20 s on: 10 items by then, 90 more in 9 waves. Five too many for 90 s of five for 200 s.
    let (result, _) = play(JOB, &[(20, 10)]);
    assert_eq!((result.finish_s, result.peak, result.over_allocation), (Some(110.0), 10, 5.0 * 90.0 / (5.0 * 200.0)));
    assert_eq!(result.replica_seconds, 5.0 * 20.0 + 10.0 * 90.0);
}

#[test]
fn turning_back_is_a_reversal_and_standing_still_is_none() {
    let (result, _) = play(JOB, &[(5, 6), (6, 8), (7, 8), (8, 7), (9, 6), (10, 9), (11, 9)]);
    assert_eq!((result.moves, result.reversals), (5, 2));
}

/// Says the same forecast from a second on.
struct Prophet {
    from_ms: u64,
    forecast: Forecast,
}

impl Driver for Prophet {
    fn seen(&mut self, seen: &mut Observation) -> Vec<Effect> {
        let forecast = (self.from_ms <= seen.at_ms).then_some(self.forecast);
        let decision = Decision {
            at_ms: seen.at_ms,
            from: 5,
            to: 5,
            wanted: 5.0,
            seen: 0.0,
            terms: Vec::new(),
            guards: Vec::new(),
            why: String::new(),
            revision: 1,
            forecast,
            drain: Vec::new(),
        };
        vec![Effect::Decided(decision)]
    }

    fn told(&mut self, _: Input) -> Vec<Effect> {
        Vec::new()
    }
}

#[test]
fn a_forecast_is_held_against_the_finish() {
    let forecast = Forecast {
        p5_ms: 190_000,
        p50_ms: 195_000,
        p95_ms: 210_000,
        p_meet: 0.7,
        replica_seconds: 0.0,
        cost: None,
        earliest_ms: Some(199_000),
    };
    let run =
        |forecast| run::run(&Prepared::new(scenario(JOB)), "prophet", &mut Prophet { from_ms: 70_000, forecast }, &mut NoStopwatch, None);
    let result = run(forecast);
    // A quarter was done at 50 s; it speaks from 70 s on.
    let taken: Vec<_> = result.forecasts.iter().map(|taken| (taken.items_share, taken.at_s, taken.covered, taken.width)).collect();
    assert_eq!(taken, [(0.25, 70.0, true, 0.1), (0.5, 100.0, true, 0.1), (0.75, 150.0, true, 0.1)]);
    assert_eq!((result.announced_ms, result.announced_earliest_ms), (Some(70_000), Some(199_000)));

    let result = run(Forecast { p95_ms: 199_900, earliest_ms: None, ..forecast });
    assert!(result.forecasts.iter().all(|taken| !taken.covered));
    assert_eq!(result.announced_ms, None);
}

#[test]
fn intervals_and_quantiles() {
    let (low, high) = wilson(148, 200);
    assert!((low - 0.675).abs() < 0.001 && (high - 0.796).abs() < 0.001, "{low} {high}");
    assert_eq!(wilson(0, 0), (0.0, 1.0));
    assert_eq!(wilson(50, 50).1, 1.0);
    let ranks: Vec<f64> = (1..=100).map(f64::from).collect();
    assert_eq!((quantile(ranks.clone(), 0.5), quantile(ranks.clone(), 0.95), quantile(ranks, 1.0)), (50.0, 95.0, 100.0));
    assert_eq!((quantile(vec![3.0], 0.05), quantile(Vec::new(), 0.5)), (3.0, 0.0));
}
