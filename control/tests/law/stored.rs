//! What is stored comes back as it was, through text as the database and the browser read it.

use control::controllers::law;
use control::plugin::PluginSpec;
use proptest::prelude::*;
use serde_json::Value;

use crate::{every, seen};

pub fn through_text(value: &Value) -> Value {
    serde_json::from_str(&value.to_string()).expect("it was JSON")
}

proptest! {
    #![proptest_config(every::cases())]

    #[test]
    fn a_law_restored_at_any_step_goes_on_as_if_never_stopped(
        story in seen::story(),
        stop in 0usize..40,
        spec in every::tuned(),
    ) {
        let PluginSpec { kind, params } = spec;
        let mut steady = law(&kind, &params, None).ok().unwrap();
        let mut restarted = law(&kind, &params, None).ok().unwrap();
        for (place, seen) in story.iter().enumerate() {
            if place == stop {
                let memory = through_text(&restarted.memory());
                restarted = law(&kind, &params, Some(&memory)).ok().unwrap();
            }
            prop_assert_eq!(steady.step(seen), restarted.step(seen), "{}", kind);
        }
    }

    #[test]
    fn what_was_seen_comes_back_as_it_was(seen in seen::any()) {
        let text = serde_json::to_string(&seen).unwrap();
        prop_assert_eq!(serde_json::from_str::<control::observation::Observation>(&text).unwrap(), seen);
    }
}
