//! The grid holds what its sets promise, and any of its jobs can be made alone.

use control::simulator::grid::{self, Set};

#[test]
fn sets_are_what_they_say() {
    for number in 0..30 {
        for set in Set::ALL {
            let job = grid::job(set, grid::REPORT, number);
            let (scenario, hindsight) = (&job.prepared.scenario, job.prepared.hindsight);
            let ratio = scenario.deadline_s / hindsight.greatest_finish_s;
            match set {
                Set::Infeasible => assert!(!hindsight.feasible && (0.2..1.0).contains(&ratio), "{}", scenario.name),
                Set::Plain => assert!(hindsight.feasible && (1.4..10.1).contains(&ratio) && job.causes.is_empty(), "{}", scenario.name),
                Set::Disturbed | Set::Further => assert!(hindsight.feasible && !job.causes.is_empty(), "{}", scenario.name),
            }
            assert!((60.0..=172_800.0).contains(&scenario.deadline_s) && 0.0 < scenario.tick_s);
            assert!(scenario.tick_s == 1.0 || scenario.tick_s <= scenario.deadline_s / 500.0);
            let text = serde_json::to_string(scenario).unwrap();
            assert_eq!(control::simulator::scenario::Scenario::parse(&text).as_ref(), Ok(scenario), "{text}");
        }
    }
}

#[test]
fn a_job_is_the_same_each_time_and_no_two_are_alike() {
    let name = |seed, number| grid::job(Set::Plain, seed, number).prepared.scenario.seed;
    assert_eq!(name(grid::TUNING, 5), name(grid::TUNING, 5));
    let mut seeds: Vec<_> = (0..40).flat_map(|number| [name(grid::TUNING, number), name(grid::REPORT, number)]).collect();
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 80);
}
