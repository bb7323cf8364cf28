//! What every law in the catalog owes to a job, whatever its params and whatever it sees.

use control::control_loop::{ControlLoop, Effect, Input};
use control::controllers::{catalog, describe, law};
use control::decision::Decision;
use control::form::{Field, FieldKind, unflatten};
use control::observation::{Budget, Completion, History, Metric, Observation};
use control::plugin::PluginSpec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{seen, stored};

/// Laws that predict take their time in a build for tests.
pub fn cases() -> ProptestConfig {
    ProptestConfig::with_cases(96)
}

/// Any law, with each of its params at its default, at an end of its range or half way between the ends.
pub fn tuned() -> impl Strategy<Value = PluginSpec> {
    (0..catalog().len(), prop::collection::vec(0u8..8, 32)).prop_map(|(place, choices)| {
        let info = catalog()[place].describe();
        let posted = info.fields.iter().zip(choices.iter().cycle());
        let posted = posted.filter_map(|(field, choice)| Some((field.name.clone(), pick(field, *choice)?))).collect();
        PluginSpec::new(&info.kind, unflatten(&posted))
    })
}

/// None leaves the default. The script and the metric are texts of a shape of their own.
fn pick(field: &Field, choice: u8) -> Option<String> {
    let (min, max) = (field.min.unwrap_or(0.0), field.max.unwrap_or(1000.0));
    match (&field.kind, choice) {
        (FieldKind::Number, 0) | (FieldKind::Integer, 0) => Some(min.to_string()),
        (FieldKind::Number, 1) | (FieldKind::Integer, 1) => Some(max.to_string()),
        (FieldKind::Number, 2) => Some((min + (max - min) / 2.0).to_string()),
        (FieldKind::Integer, 2) => Some((min + (max - min) / 2.0).round().to_string()),
        (FieldKind::Choice(words), choice) => words.get(usize::from(choice)).cloned(),
        (FieldKind::Bool, 0) => Some("on".to_owned()),
        (FieldKind::Lines, 0) => Some("0: 0, 30: 1000000, 90: 3".to_owned()),
        (FieldKind::Text, 0) => Some("cpu".to_owned()),
        _ => None,
    }
}

fn start(spec: &PluginSpec) -> ControlLoop {
    ControlLoop::new("pace", spec, 1, None).unwrap_or_else(|errors| panic!("{}: {errors:?}", spec.kind))
}

pub fn moved(effects: &[Effect]) -> Option<u32> {
    effects.iter().find_map(|effect| if let Effect::Move { to } = effect { Some(*to) } else { None })
}

pub fn decided(effects: &[Effect]) -> Option<&Decision> {
    effects.iter().find_map(|effect| if let Effect::Decided(decision) = effect { Some(decision) } else { None })
}

/// Tells the loop what it sees, and answers every move at once.
pub fn live(this: &mut ControlLoop, seen: &Observation) -> Vec<Effect> {
    let mut effects = this.handle(Input::Seen(seen.clone()));
    if let Some(to) = moved(&effects) {
        effects.extend(this.handle(Input::Moved { at_ms: seen.at_ms + 100, to }));
    }
    effects
}

/// Numbers that a broken monitor might send.
const BROKEN: [f64; 6] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, -1.0];

/// Puts a number where laws could take it in.
type Breaks = fn(&mut Observation, f64);
const PLACES: [Breaks; 6] = [
    |seen, broken| seen.completions.push(Completion { service_ms: broken, replica: None, at_ms: None }),
    |seen, broken| seen.metrics.extend([("cpu".into(), Metric { value: broken, age_ms: 0 })]),
    |seen, broken| seen.hints.service_ms_mean = Some(broken),
    |seen, broken| seen.hints.history = Some(History { jobs: 3, log_mean: broken, log_sd: 1.0 }),
    |seen, broken| seen.budget = Some(Budget { limit: broken, price_replica_hour: 1.0 }),
    |seen, broken| seen.value = Some(broken),
];

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn moves_stay_within_bounds_and_items(spec in tuned(), story in seen::story()) {
        let mut pace = start(&spec);
        for seen in &story {
            let effects = live(&mut pace, seen);
            let decision = decided(&effects).expect("every observation is decided");
            prop_assert_eq!(moved(&effects), Some(decision.to).filter(|to| *to != decision.from));
            prop_assert!(decision.wanted.is_finite() && decision.terms.iter().all(|term| term.value.is_finite()));
            prop_assert!(!decision.why.is_empty() && decision.why.ends_with('.'), "{}", decision.why);
            if let Some(to) = moved(&effects) {
                let left = seen.items.left();
                // A largest step may come from outside only bit by bit, but never away from the bounds.
                let outside = seen.bounds.min.saturating_sub(to).max(to.saturating_sub(seen.bounds.max));
                let before = seen.bounds.min.saturating_sub(decision.from).max(decision.from.saturating_sub(seen.bounds.max));
                let stepwise = decision.guards.contains(&"largest_step".to_owned());
                prop_assert!(outside == 0 || outside < before || u64::from(to) == left || (stepwise && to < decision.from));
                prop_assert!(seen.items.open || left == 0 || u64::from(to) <= left || to < decision.from);
            }
        }
    }

    #[test]
    fn the_same_story_has_the_same_end(spec in tuned(), story in seen::story()) {
        let (mut left, mut right) = (start(&spec), start(&spec));
        for seen in &story {
            prop_assert_eq!(live(&mut left, seen), live(&mut right, seen));
        }
        prop_assert_eq!(left.memory(), right.memory());
    }

    #[test]
    fn the_same_tuning_again_changes_nothing(spec in tuned(), story in seen::story(), when in 0usize..40) {
        let (mut left, mut again) = (start(&spec), start(&spec));
        for (place, seen) in story.iter().enumerate() {
            if place == when {
                let same = Input::Retuned { at_ms: seen.at_ms, revision: 2, params: spec.params.clone() };
                let memory = again.memory();
                prop_assert_eq!(moved(&again.handle(same)), None);
                prop_assert_eq!(again.memory(), memory);
            }
            let (left, mut again) = (live(&mut left, seen), live(&mut again, seen));
            for effect in &mut again {
                if let Effect::Decided(decision) = effect {
                    decision.revision -= u32::from(when <= place);
                }
            }
            // What is stored, and when, may differ; what is done may not.
            let acts = |effects: Vec<Effect>| effects.into_iter().filter(|effect| !matches!(effect, Effect::Remember(_))).collect::<Vec<_>>();
            prop_assert_eq!(acts(left), acts(again));
        }
    }

    #[test]
    fn another_tuning_is_the_law_with_those_params_and_all_that_was_learnt(
        before in tuned(),
        choices in prop::collection::vec(0u8..8, 32),
        story in seen::story(),
    ) {
        let mut edited = law(&before.kind, &before.params, None).ok().unwrap();
        let (last, story) = story.split_last().unwrap();
        for seen in story {
            edited.step(seen);
        }
        let memory = edited.memory();
        let info = catalog().iter().find(|entry| entry.kind == before.kind).unwrap().describe();
        let posted = info.fields.iter().zip(&choices).filter_map(|(field, choice)| Some((field.name.clone(), pick(field, *choice)?)));
        let after = unflatten(&posted.collect());
        edited.retune(&after).unwrap();
        prop_assert_eq!(edited.memory(), memory.clone());
        let mut fresh = law(&before.kind, &after, Some(&stored::through_text(&memory))).ok().unwrap();
        prop_assert_eq!(edited.step(last), fresh.step(last));
    }

    #[test]
    fn blindness_in_between_neither_moves_nor_teaches(spec in tuned(), story in seen::story()) {
        let (mut pace, mut clear) = (start(&spec), start(&spec));
        for seen in &story {
            let (dimmed, lit) = (live(&mut pace, seen), live(&mut clear, seen));
            prop_assert_eq!(decided(&dimmed), decided(&lit));
            for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let dark = Observation { at_ms: seen.at_ms + 1, value: Some(value), ..seen.clone() };
                prop_assert_eq!(moved(&pace.handle(Input::Seen(dark))), None);
            }
            let effects = pace.handle(Input::Blind { at_ms: seen.at_ms + 2, why: "dark".to_owned() });
            prop_assert_eq!(moved(&effects), None);
            prop_assert_eq!(&pace.memory()["law"], &clear.memory()["law"]);
        }
    }
}

proptest! {
    // Each of them tries every law with every broken number in every place.
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn no_broken_number_gets_into_a_memory(story in seen::story()) {
        for (entry, place, broken) in catalog().iter().flat_map(|entry| PLACES.into_iter().flat_map(move |place| BROKEN.map(|broken| (entry, place, broken)))) {
            let spec = PluginSpec::new(entry.kind, json!({}));
            let mut pace = start(&spec);
            for seen in story.iter().take(6) {
                let mut seen = seen.clone();
                place(&mut seen, broken);
                let effects = live(&mut pace, &seen);
                if let Some(decision) = decided(&effects) {
                    prop_assert!(decision.wanted.is_finite() && decision.to <= seen.bounds.max.max(decision.from));
                }
            }
            let memory = stored::through_text(&pace.memory()["law"]);
            let restored = law(&spec.kind, &spec.params, Some(&memory));
            prop_assert!(restored.is_ok(), "{}: {} was in, and {} cannot be read again", spec.kind, broken, memory);
            prop_assert_eq!(restored.ok().unwrap().memory(), memory);
        }
    }
}

#[test]
fn at_the_goal_no_tuning_moves_anything() {
    for (kind, value) in
        [("threshold", 0.0), ("progress_tendency", 0.0), ("proportional", 0.0), ("proportional_derivative", 0.0), ("target", 1.0)]
    {
        let info = describe().into_iter().find(|info| info.kind == kind).unwrap();
        let mut law = law(kind, &json!({}), None).ok().unwrap();
        for (second, field) in info.fields.iter().enumerate().filter(|(_, field)| !["target", "metric"].contains(&field.name.as_str())) {
            for choice in 0..3 {
                let posted = pick(field, choice).map(|text| (field.name.clone(), text)).into_iter().collect();
                law.retune(&unflatten(&posted)).unwrap();
                assert_eq!(law.step(&seen::at(second as u64, 4, value)).value, 4.0, "{kind}.{}", field.name);
            }
        }
    }
}

/// The longest story that a stored memory may tell: what is stored at every tick must stay small.
#[test]
fn a_memory_does_not_grow_with_the_job() {
    for entry in catalog() {
        let mut law = law(entry.kind, &json!({}), None).ok().unwrap();
        let mut size = |seconds: std::ops::Range<u64>| {
            for second in seconds {
                let mut seen = seen::at(second, 4, (second % 17) as f64 / 17.0 - 0.5);
                seen.deadline_ms = Some(10_000_000);
                seen.items.done = second;
                seen.completions = vec![Completion { service_ms: 900.0 + (second * 37 % 211) as f64, replica: None, at_ms: None }];
                law.step(&seen);
            }
            let memory: Value = law.memory();
            memory.to_string().len()
        };
        let early = size(0..400);
        let late = size(400..1200);
        assert!(late < early + early / 2 + 1000, "{}: {early} bytes became {late}", entry.kind);
    }
}
