//! What is stored comes back as it was, through text as the database and the browser read it.

use control::controllers::law;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::seen;

fn through_text(value: &Value) -> Value {
    serde_json::from_str(&value.to_string()).expect("it was JSON")
}

proptest! {
    #[test]
    fn a_law_restored_at_any_step_goes_on_as_if_never_stopped(
        story in seen::story(),
        stop in 0usize..40,
        params in prop_oneof![
            Just(("threshold", json!({"trigger_up": 0}))),
            Just(("pid", json!({"derivative_gain": 20}))),
            Just(("pid", json!({"form": "compat"}))),
        ],
    ) {
        let (kind, params) = params;
        let mut steady = law(kind, &params, None).ok().unwrap();
        let mut restarted = law(kind, &params, None).ok().unwrap();
        for (place, seen) in story.iter().enumerate() {
            if place == stop {
                let memory = through_text(&restarted.memory());
                restarted = law(kind, &params, Some(&memory)).ok().unwrap();
            }
            prop_assert_eq!(steady.step(seen), restarted.step(seen));
        }
    }
}
