//! Golden tables of `threshold`: the original's `default` scheduler.

use control::controllers::law;
use serde_json::json;

use crate::seen;

/// (error, replicas) → wanted, with a step of 2 and triggers of 0.05 up, 0.1 down; 1 to 10 replicas.
const TABLE: &[(f64, u32, f64)] = &[
    (0.0, 5, 5.0),
    (-0.0, 5, 5.0),
    (-0.049, 5, 5.0),
    (-0.05, 5, 7.0),
    (-0.6, 5, 7.0),
    (-0.05, 9, 10.0),
    (-0.05, 10, 10.0),
    (0.099, 5, 5.0),
    (0.1, 5, 3.0),
    (2.0, 5, 3.0),
    (0.1, 2, 1.0),
    (0.1, 1, 1.0),
    // The original bounds only the end that it moves towards.
    (0.1, 20, 18.0),
    (-0.1, 20, 10.0),
    (0.1, 0, 1.0),
];

#[test]
fn the_table_of_the_original() {
    let params = json!({"actuation_size": 2, "trigger_up": 0.05, "trigger_down": 0.1});
    let mut law = law("threshold", &params, None).ok().unwrap();
    for (place, &(error, replicas, wanted)) in TABLE.iter().enumerate() {
        let wish = law.step(&seen::at(place as u64, replicas, error));
        assert_eq!(wish.value, wanted, "error {error} with {replicas} replicas: {}", wish.why);
    }
}

#[test]
fn with_triggers_of_zero_it_acts_on_any_error_but_none() {
    let mut law = law("threshold", &json!({"trigger_up": 0, "trigger_down": 0}), None).ok().unwrap();
    assert_eq!(law.step(&seen::at(0, 5, -1e-12)).value, 6.0);
    assert_eq!(law.step(&seen::at(1, 5, 1e-12)).value, 4.0);
    assert_eq!(law.step(&seen::at(2, 5, 0.0)).value, 5.0);
}

#[test]
fn it_says_why() {
    let mut law = law("threshold", &json!({"trigger_up": 0.05, "trigger_down": 0.05}), None).ok().unwrap();
    let mut why = |replicas, error| law.step(&seen::at(0, replicas, error)).why;
    assert_eq!(why(3, -0.092), "9.2 % behind plan, beyond the trigger of 5 %: one replica more.");
    assert_eq!(why(3, 0.1), "10 % ahead of plan, beyond the trigger of 5 %: one replica fewer.");
    assert_eq!(why(10, -0.1), "10 % behind plan, beyond the trigger of 5 %: 10 is already at the bound.");
    assert_eq!(why(3, 0.01), "1 % ahead of plan, within the trigger of 5 %: nothing to do.");
    assert_eq!(why(3, 0.0), "On plan: nothing to do.");
}
