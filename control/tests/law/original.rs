//! Golden tables of the original's other laws, computed from their formulas and not by this code: each line is
//! (error, replicas) → wanted, in order, with 1 to 10 replicas allowed. They hold to the bit.

use control::controllers::law;
use serde_json::{Value, json};

use crate::seen;

fn check(kind: &str, params: Value, table: &[(f64, u32, f64)]) {
    let mut law = law(kind, &params, None).unwrap_or_else(|errors| panic!("{errors:?}"));
    for (place, &(error, replicas, wanted)) in table.iter().enumerate() {
        let wish = law.step(&seen::at(5 * place as u64, replicas, error));
        assert_eq!(wish.value.to_bits(), wanted.to_bits(), "step {place}, {wanted} expected: {wish:?}");
    }
}

#[test]
fn progress_tendency_steps_beyond_its_triggers_and_leans_against_the_tendency_within() {
    check("progress_tendency", json!({"actuation_size": 2, "trigger_up": 0.02, "trigger_down": 0.05}), TENDENCY);
}

#[test]
fn proportional_with_equal_factors_is_the_one_factor() {
    let params = json!({"factor_up": 7.3, "factor_down": 7.3, "trigger_up": 0.02, "trigger_down": 0.05});
    check("proportional", params, ONE_FACTOR);
}

#[test]
fn proportional_has_a_factor_each_way() {
    let params = json!({"factor_up": 11.1, "factor_down": 3.7, "trigger_up": 0.02, "trigger_down": 0.05});
    check("proportional", params, TWO_FACTORS);
}

#[test]
fn proportional_derivative_without_triggers() {
    check("proportional_derivative", json!({"proportional_factor": 9.7, "derivative_factor": 43.3}), DERIVATIVE);
}

#[test]
fn proportional_derivative_within_its_triggers_remembers_and_does_not_act() {
    let params = json!({"proportional_factor": 30.1, "derivative_factor": 20.7, "trigger_up": 0.01, "trigger_down": 0.02});
    check("proportional_derivative", params, TRIGGERED);
}

/// Percent of a processor and of the job there, replicas and shares here: 0.5 there, with ten replicas for a
/// whole processor, is 5 here.
#[test]
fn a_factor_of_the_original_is_multiplied_by_the_largest_allocation() {
    let percent_there: f64 = 40.0 - 0.5 * -12.0;
    let mut law = law("proportional", &json!({"factor_up": 0.5 * 10.0, "trigger_up": 0}), None).ok().unwrap();
    assert_eq!(law.step(&seen::at(0, 4, -0.12)).value, 10.0 * percent_there / 100.0);
}

#[test]
fn they_say_why() {
    let why = |kind: &str, params: Value, story: &[(u32, f64)]| {
        let mut law = law(kind, &params, None).unwrap_or_else(|errors| panic!("{errors:?}"));
        story.iter().map(|&(replicas, error)| law.step(&seen::at(0, replicas, error)).why).last().unwrap()
    };
    let tendency = |story: &[(u32, f64)]| why("progress_tendency", json!({}), story);
    assert_eq!(tendency(&[(3, -0.1)]), "10 % behind plan, beyond the trigger of 2 %: one replica more.");
    assert_eq!(
        tendency(&[(3, 0.02), (3, 0.01)]),
        "1 % ahead of plan, within the trigger of 5 %, and 1 % lost since the last check: one replica more."
    );
    assert_eq!(tendency(&[(3, 0.0)]), "On plan, and no tendency: nothing to do.");
    assert_eq!(why("proportional", json!({}), &[(3, -0.1)]), "10 % behind plan, beyond the trigger of 2 %: 2 replicas more.");
    assert_eq!(why("proportional", json!({}), &[(1, 0.1)]), "10 % ahead of plan, beyond the trigger of 2 %: 1 is already at the bound.");
    assert_eq!(
        why("proportional_derivative", json!({}), &[(3, -0.1), (3, -0.08)]),
        "8 % behind plan, beyond the trigger of 0 %: 0.8 for the distance and -1.6 for its change, 0.8 replicas fewer."
    );
}

const TENDENCY: &[(f64, u32, f64)] = &[
    (0.0, 5, 5.0),
    (0.01, 5, 3.0),
    (-0.01, 5, 7.0),
    (-0.01, 9, 9.0),
    (0.0, 9, 7.0),
    (0.04, 1, 1.0),
    (0.03, 10, 10.0),
    (0.05, 5, 3.0),
    (0.01, 1, 3.0),
    (-0.05, 10, 10.0),
    (-0.04, 12, 10.0),
    (-0.019, 0, 1.0),
    (-0.021, 5, 7.0),
    (0.0, 5, 3.0),
    (0.0, 6, 6.0),
    (-0.019999, 0, 2.0),
    (-0.02, 13, 10.0),
    (-0.3, 9, 10.0),
    (0.05, 1, 1.0),
    (0.049999, 3, 5.0),
    (0.1, 10, 8.0),
    (-0.0, 10, 10.0),
    (1.7, 14, 12.0),
    (-1.2, 0, 2.0),
    (-0.141, 9, 10.0),
    (-0.279, 9, 10.0),
    (0.121, 6, 4.0),
    (-0.342, 0, 2.0),
    (0.029, 3, 1.0),
    (-0.107, 0, 2.0),
    (-0.354, 8, 10.0),
    (0.006, 13, 11.0),
    (-0.37, 2, 4.0),
    (-0.053, 4, 6.0),
    (-0.344, 6, 8.0),
    (-0.327, 2, 4.0),
];

const ONE_FACTOR: &[(f64, u32, f64)] = &[
    (0.0, 6, 6.0),
    (-0.019999, 0, 0.0),
    (-0.02, 13, 10.0),
    (-0.3, 9, 10.0),
    (0.05, 1, 1.0),
    (0.049999, 3, 3.0),
    (0.1, 10, 9.27),
    (-0.0, 10, 10.0),
    (1.7, 14, 1.5899999999999999),
    (-1.2, 0, 8.76),
    (-0.141, 9, 10.0),
    (-0.279, 9, 10.0),
    (0.121, 6, 5.1167),
    (-0.342, 0, 2.4966),
    (0.029, 3, 3.0),
    (-0.107, 0, 0.7811),
    (-0.354, 8, 10.0),
    (0.006, 13, 13.0),
    (-0.37, 2, 4.7010000000000005),
    (-0.053, 4, 4.3869),
    (-0.344, 6, 8.511199999999999),
    (-0.327, 2, 4.3871),
];

const TWO_FACTORS: &[(f64, u32, f64)] = &[
    (0.0, 6, 6.0),
    (-0.019999, 0, 0.0),
    (-0.02, 13, 10.0),
    (-0.3, 9, 10.0),
    (0.05, 1, 1.0),
    (0.049999, 3, 3.0),
    (0.1, 10, 9.63),
    (-0.0, 10, 10.0),
    (1.7, 14, 7.71),
    (-1.2, 0, 10.0),
    (-0.141, 9, 10.0),
    (-0.279, 9, 10.0),
    (0.121, 6, 5.5523),
    (-0.342, 0, 3.7962000000000002),
    (0.029, 3, 3.0),
    (-0.107, 0, 1.1877),
    (-0.354, 8, 10.0),
    (0.006, 13, 13.0),
    (-0.37, 2, 6.107),
    (-0.053, 4, 4.5883),
    (-0.344, 6, 9.8184),
    (-0.327, 2, 5.6297),
];

const DERIVATIVE: &[(f64, u32, f64)] = &[
    (-0.3, 4, 6.91),
    (0.9, 11, 1.0),
    (0.0, 5, 5.0),
    (0.0024, 6, 5.872800000000001),
    (-0.0091, 7, 7.58622),
    (-0.0283, 8, 9.10587),
    (-0.024, 7, 7.04661),
    (-0.0317, 8, 8.6409),
    (-0.019, 9, 8.63439),
    (-0.0454, 8, 9.583499999999999),
    (-0.0456, 9, 9.450980000000001),
    (0.0, 9, 9.0),
    (-0.052, 9, 10.0),
    (-0.0603, 8, 8.9443),
    (-0.0426, 9, 8.64681),
    (-0.0258, 8, 7.522820000000001),
    (-0.0213, 9, 9.011759999999999),
    (-0.0216, 9, 9.22251),
    (-0.0078, 9, 8.478119999999999),
    (-0.0013, 8, 7.731160000000001),
    (-0.0242, 8, 9.22631),
    (-0.0443, 8, 9.30004),
];

const TRIGGERED: &[(f64, u32, f64)] = &[
    (0.0, 5, 5.0),
    (0.0024, 6, 6.0),
    (-0.0091, 7, 7.0),
    (-0.0283, 8, 9.24927),
    (-0.024, 7, 7.63339),
    (-0.0317, 8, 9.11356),
    (-0.019, 9, 9.309009999999999),
    (-0.0454, 8, 9.913020000000001),
    (-0.0456, 9, 10.0),
    (0.0, 9, 9.0),
    (-0.052, 9, 10.0),
    (-0.0603, 8, 9.98684),
    (-0.0426, 9, 9.915870000000002),
    (-0.0258, 8, 8.42882),
    (-0.0213, 9, 9.54798),
    (-0.0216, 9, 9.656369999999999),
    (-0.0078, 9, 9.0),
    (-0.0013, 8, 8.0),
    (-0.0242, 8, 9.20245),
    (-0.0443, 8, 9.7495),
];
