//! A script is played by the clock, and one that cannot be played is refused in words.

use control::controllers::law;
use serde_json::{Value, json};

use crate::seen;

fn refusal(script: Value) -> (String, String) {
    match law("scripted", &json!({"script": script}), None) {
        Ok(_) => panic!("it is refused"),
        Err(errors) => (errors[0].field.clone(), errors[0].message.clone()),
    }
}

#[test]
fn each_step_lasts_until_the_next_and_the_last_for_ever() {
    let mut law = law("scripted", &json!({"script": "10: 2, 60.5:5\n 120 :0"}), None).ok().unwrap();
    let mut wanted = |at_ms| {
        let mut seen = seen::at(0, 7, -0.4);
        seen.at_ms = at_ms;
        law.step(&seen).value
    };
    let times = [0, 9_999, 10_000, 60_499, 60_500, 119_999, 120_000, 9_999_999];
    assert_eq!(times.map(&mut wanted), [7.0, 7.0, 2.0, 2.0, 5.0, 5.0, 0.0, 0.0]);
}

#[test]
fn it_says_where_in_the_script_it_is() {
    let mut law = law("scripted", &json!({"script": ["10: 1", "60: 5"]}), None).ok().unwrap();
    assert_eq!(law.step(&seen::at(0, 3, 0.0)).why, "The script has not begun yet: 3 replicas, until 10 s.");
    assert_eq!(law.step(&seen::at(20, 3, 0.0)).why, "By the script: one replica from 10 s on, until 60 s.");
    assert_eq!(law.step(&seen::at(60, 3, 0.0)).why, "By the script: 5 replicas from 60 s on.");
}

#[test]
fn what_is_no_script_is_refused_with_what_would_be_right() {
    let shape = "must be steps of seconds: replicas such as 60: 5, was ";
    for text in ["soon", "60", "60: many", "60: -1", "-1: 3", "NaN: 3", "inf: 3", "60: 2.5", "0: 1; 60: 2"] {
        assert_eq!(refusal(json!(text)), ("script".to_owned(), format!("{shape}“{text}”")));
    }
    assert_eq!(refusal(json!("x".repeat(1_000_000))).1, format!("{shape}“{}”", "x".repeat(40)));
    assert_eq!(refusal(json!(" \n ,")).1, "must have at least one step such as 0: 2");
    assert_eq!(refusal(json!(["60: 1", "30: 2"])).1, "must have its steps in the order of their times, but 30 s comes after 60 s");
    assert_eq!(refusal(json!(["60: 1, 60: 2"])).1, "must have its steps in the order of their times, but 60 s comes after 60 s");
    let long: Vec<_> = (0..1001).map(|second| format!("{second}: 1")).collect();
    assert_eq!(refusal(json!(long)).1, "must have at most 1000 steps");
    assert_eq!(refusal(json!([60, 5])).0, "script.0");
}

#[test]
fn a_new_script_is_played_from_where_the_clock_is() {
    let mut law = law("scripted", &json!({"script": "0: 2, 100: 4"}), None).ok().unwrap();
    assert_eq!(law.step(&seen::at(50, 2, 0.0)).value, 2.0);
    law.retune(&json!({"script": "0: 2, 40: 6, 100: 4"})).unwrap();
    assert_eq!(law.step(&seen::at(51, 2, 0.0)).value, 6.0);
}
