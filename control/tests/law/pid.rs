//! Golden tables of the PID's compat form, and what its sound form promises.

use control::controllers::{Law, law};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::seen;

fn pid(params: Value) -> Box<dyn Law> {
    law("pid", &params, None).unwrap_or_else(|errors| panic!("{errors:?}"))
}

#[test]
fn compat_adds_the_whole_part_of_the_summed_terms() {
    // Kp 10, Ki 2, Kd 5: (error, n) → n + trunc(−10·e − 2·Σe − 5·Δe).
    let table = [
        // First Δe is 0: 1 + 0.2 = 1.2.
        (-0.1, 3, 4.0),
        // 3 + 0.8 + 1 = 4.8.
        (-0.3, 4, 8.0),
        // −0.5 + 0.7 − 1.75 = −1.55: toward zero, not down.
        (0.05, 8, 7.0),
        // 0 + 0.7 + 0.25 = 0.95: the fraction is lost.
        (0.0, 7, 7.0),
        // −9 − 1.1 − 4.5 = −14.6; the bounds are the guards' work.
        (0.9, 7, -7.0),
    ];
    let mut law = pid(json!({"form": "compat", "proportional_gain": 10, "integral_gain": 2, "derivative_gain": 5}));
    for (place, (error, replicas, wanted)) in table.into_iter().enumerate() {
        let wish = law.step(&seen::at(5 * place as u64, replicas, error));
        assert_eq!(wish.value, wanted, "step {place}: {wish:?}");
    }
}

#[test]
fn compat_with_the_documented_gain_never_acts() {
    let mut law = pid(json!({"form": "compat", "proportional_gain": 0.1, "integral_gain": 0, "derivative_gain": 0}));
    for second in 0..100 {
        assert_eq!(law.step(&seen::at(second, 1, -(second as f64) / 100.0)).value, 1.0);
    }
}

proptest! {
    #[test]
    fn compat_is_the_formula(
        errors in prop::collection::vec(-2.0..2.0f64, 1..30),
        gains in (0.0..50.0f64, 0.0..5.0f64, 0.0..50.0f64),
    ) {
        let (kp, ki, kd) = gains;
        let mut law = pid(json!({
            "form": "compat", "proportional_gain": kp, "integral_gain": ki, "derivative_gain": kd,
        }));
        let (mut last, mut sum) = (None, 0.0);
        for (place, error) in errors.into_iter().enumerate() {
            sum += error;
            let change = last.map_or(0.0, |last| error - last);
            last = Some(error);
            let action = (-error * kp + -kd * change + -sum * ki).trunc();
            prop_assert_eq!(law.step(&seen::at(place as u64, 5, error)).value, 5.0 + action);
        }
    }

    #[test]
    fn sound_takes_a_new_tuning_without_a_bump(
        story in seen::story(),
        gains in (0.0..100.0f64, 0.0..2.0f64, 0.0..50.0f64, 0.0..60.0f64),
    ) {
        const GAIN: f64 = 10.0;
        let mut law = pid(json!({"derivative_gain": GAIN}));
        let mut last = None;
        for seen in &story {
            last = Some((seen.clone(), law.step(seen)));
        }
        let (mut seen, before) = last.unwrap();
        let (kp, ki, kd, filter) = gains;
        law.retune(&json!({
            "proportional_gain": kp, "integral_gain": ki, "derivative_gain": kd, "derivative_filter_s": filter,
        })).unwrap();
        // Within a millisecond nothing new can have come of it but the integral's one step and the slope's.
        let error = seen.metric();
        seen.at_ms += 1;
        let after = law.step(&seen);
        // A deadline of milliseconds makes errors of thousands that move by much in one; then each term by what it saw.
        let moved = seen.metric() - error;
        let slope = -before.terms.iter().find(|term| term.name == "d").unwrap().value / GAIN;
        let terms = kp * moved.abs() + ki * seen.metric().abs() * 0.001 + kd * (moved / 0.001 - slope).abs() * 0.001 / (filter + 0.001);
        let slack = (0.02 + kd * 0.01 * 4.0).max(terms + 1e-9 * before.value.abs());
        prop_assert!((after.value - before.value).abs() <= slack, "{} became {}", before.value, after.value);
    }
}

#[test]
fn sound_answers_being_behind_within_seconds() {
    let mut law = pid(json!({}));
    assert_eq!(law.step(&seen::at(0, 3, 0.0)).value, 3.0);
    assert_eq!(law.step(&seen::at(5, 3, -0.05)).value, 3.0 + 2.0 + 0.05 * 0.5 * 5.0);
}

#[test]
fn sound_carries_fractions_and_does_not_care_how_often_it_is_asked() {
    let params = json!({"proportional_gain": 0, "integral_gain": 0.5});
    let (mut often, mut seldom) = (pid(params.clone()), pid(params));
    let mut last = 0.0;
    for second in 0..=60 {
        last = often.step(&seen::at(second, 3, -0.01)).value;
    }
    seldom.step(&seen::at(0, 3, -0.01));
    assert!((seldom.step(&seen::at(60, 3, -0.01)).value - last).abs() < 1e-9);
    assert!((last - 3.3).abs() < 1e-9);
}

#[test]
fn sound_does_not_wind_up_while_it_is_cut() {
    let mut law = pid(json!({"integral_gain": 1.0, "proportional_gain": 20.0}));
    let mut seen = seen::at(0, 10, -0.2);
    law.step(&seen);
    seen.saturated = true;
    let mut cut = 0.0;
    for second in 1..600 {
        seen.at_ms = second * 1000;
        cut = law.step(&seen).value;
    }
    assert_eq!(cut, 10.0 + 4.0, "ten minutes at the bound added nothing");
    seen.at_ms += 1000;
    seen.value = Some(0.05);
    assert!(law.step(&seen).value < 9.0, "it comes back at once");
}

#[test]
fn another_form_begins_afresh() {
    let mut law = pid(json!({}));
    for second in 0..60 {
        law.step(&seen::at(second, 3, -0.1));
    }
    law.retune(&json!({"form": "compat", "proportional_gain": 1, "integral_gain": 1, "derivative_gain": 1})).unwrap();
    assert_eq!(law.step(&seen::at(60, 3, -0.4)).value, 3.0, "0.4 + 0.4 + 0 is less than one");
}
