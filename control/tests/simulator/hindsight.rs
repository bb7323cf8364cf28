//! The clairvoyant's allocation is the least that meets the deadline.

use control::simulator::clairvoyant;
use control::simulator::grid::{self, Set};
use control::simulator::run::Prepared;

use crate::drivers::scenario;

#[test]
fn one_replica_fewer_misses() {
    for number in 0..40 {
        let Prepared { scenario, world, hindsight } = grid::job(Set::Plain, grid::TUNING, number).prepared;
        let least = hindsight.replicas.unwrap();
        assert!(hindsight.finish_s <= scenario.deadline_s);
        assert_eq!(clairvoyant::finish(&world, least, scenario.deadline_s).map(|end| end.finish_s), Some(hindsight.finish_s));
        if least > 1 {
            assert!(clairvoyant::finish(&world, least - 1, scenario.deadline_s).is_none(), "{}", scenario.name);
        }
    }
}

#[test]
fn by_hand() {
    // 12 items of 10 s in 30 s after 5 s of start: two waves, so six replicas.
    let text = r#"{"items": {"count": 12, "service_s": {"constant": 10}}, "deadline_s": 30, "replicas": {"max": 20}, "startup_s": {"constant": 5}}"#;
    let hindsight = Prepared::new(scenario(text)).hindsight;
    assert_eq!((hindsight.replicas, hindsight.finish_s, hindsight.replica_seconds), (Some(6), 25.0, 120.0 + 6.0 * 5.0));
    // One wave on twelve: 15 s of 30 s.
    assert_eq!((hindsight.greatest_finish_s, hindsight.feasible), (15.0, true));

    let tight = Prepared::new(scenario(&text.replace("30", "21"))).hindsight;
    assert_eq!((tight.replicas, tight.feasible), (Some(12), false), "15 s are more than 70 of 100 of 21 s");
    let hopeless = Prepared::new(scenario(&text.replace("30", "14"))).hindsight;
    assert_eq!((hopeless.replicas, hopeless.feasible, hopeless.finish_s), (None, false, 15.0));
}

#[test]
fn short_capacity_decides_what_is_feasible() {
    let with = |left: u32| {
        let text = format!(
            r#"{{"items": {{"count": 100, "service_s": {{"constant": 10}}}}, "deadline_s": 100, "replicas": {{"max": 50}}, "available": [[0, 50], [60, {left}]]}}"#
        );
        Prepared::new(scenario(&text)).hindsight
    };
    assert_eq!((with(16).replicas, with(16).feasible), (Some(10), true));
    assert!(!with(15).feasible);
}
