//! What every law in the catalog owes to its form.

use std::collections::BTreeSet;

use control::controllers::{catalog, describe, law};
use control::form::FieldKind;
use serde_json::json;

#[test]
fn every_kind_is_there_once() {
    let kinds: BTreeSet<_> = catalog().iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds.len(), catalog().len(), "two laws share a kind");
}

#[test]
fn every_field_tells_its_help_and_every_number_its_unit_bounds_and_step() {
    for info in describe() {
        assert!(!info.title.is_empty() && info.about.ends_with('.'), "{} does not say what it is", info.kind);
        for field in &info.fields {
            let name = format!("{}.{}", info.kind, field.name);
            assert!(field.help.len() > 10, "{name} has no help");
            assert!(!field.title.is_empty(), "{name} has no title");
            if matches!(field.kind, FieldKind::Number | FieldKind::Integer) {
                assert!(field.unit.is_some(), "{name} has no unit");
                assert!(field.step.is_some(), "{name} has no step");
                let (min, max) = (field.min.expect(&name), field.max.expect(&name));
                let default = field.default.as_f64().expect(&name);
                assert!(min <= default && default <= max, "{name}: the default {default} is out of bounds");
            }
        }
    }
}

#[test]
fn every_law_carries_the_common_guards_and_runs_on_its_defaults() {
    for info in describe() {
        for guard in ["guards.largest_step", "guards.dead_band", "guards.cooldown_s"] {
            assert!(info.fields.iter().any(|field| field.name == guard), "{} lacks {guard}", info.kind);
        }
        let law = law(&info.kind, &json!({}), None).unwrap_or_else(|errors| panic!("{}: {errors:?}", info.kind));
        for field in &info.fields {
            let pointer = format!("/{}", field.name.replace('.', "/"));
            assert_eq!(law.params().pointer(&pointer), Some(&field.default), "{}.{}", info.kind, field.name);
        }
    }
}

#[test]
fn an_unknown_law_is_answered_with_those_that_there_are() {
    let Err(errors) = law("magic", &json!({}), None) else { panic!("there is no magic") };
    assert_eq!(errors[0].field, "kind");
    let known: Vec<_> = catalog().iter().map(|entry| entry.kind).collect();
    assert_eq!(errors[0].message, format!("must be one of {}, was “magic”", known.join(", ")));
}
