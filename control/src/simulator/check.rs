//! What is wrong with a scenario: all problems at once, each by the path of its field.

use super::distribution::Distribution;
use super::scenario::{SCHEMA, ScaleInSpec, Scenario};
use crate::plugin::FieldError;

/// More would not fit in a browser's memory.
const MOST_ITEMS: u32 = 10_000_000;
const MOST_REPLICAS: u32 = 10_000;
/// A run is cut at four deadlines.
const MOST_TICKS: f64 = 50_000_000.0;

pub fn problems(scenario: &Scenario) -> Vec<FieldError> {
    let mut found = Found(Vec::new());
    let (items, replicas) = (&scenario.items, &scenario.replicas);
    found.check("schema", scenario.schema == SCHEMA, || format!("must be {SCHEMA}, was {}", scenario.schema));
    found.check("items.count", (1..=MOST_ITEMS).contains(&items.count), || format!("must be 1 to {MOST_ITEMS}, was {}", items.count));
    found.distribution("items.service_s", &items.service_s);
    found.positive("items.drift", items.drift);
    found.positive("deadline_s", scenario.deadline_s);
    found.confidence("confidence", scenario.confidence);
    found.check("replicas.max", (1..=MOST_REPLICAS).contains(&replicas.max), || {
        format!("must be 1 to {MOST_REPLICAS}, was {}", replicas.max)
    });
    found.check("replicas.min", replicas.min <= replicas.max, || format!("must be at most max, was {}", replicas.min));
    if let Some(initial) = replicas.initial {
        found.check("replicas.initial", initial <= replicas.max, || format!("must be at most max, was {initial}"));
    }
    found.distribution("startup_s", &scenario.startup_s);
    match scenario.scale_in {
        ScaleInSpec::Drain { grace_s: Some(grace_s) } => found.zero_or_more("scale_in.drain.grace_s", grace_s),
        ScaleInSpec::Drain { grace_s: None } => {}
        ScaleInSpec::Kill { lease_s } => found.zero_or_more("scale_in.kill.lease_s", lease_s),
    }
    found.check("tick_s", scenario.tick_s.is_finite() && 0.001 <= scenario.tick_s, || {
        format!("must be at least 0.001, was {}", scenario.tick_s)
    });
    let ticks = scenario.deadline_s / scenario.tick_s;
    found.check("tick_s", ticks.is_nan() || ticks <= MOST_TICKS, || format!("must be at least a {MOST_TICKS}th of the deadline"));
    for (index, (_, speed)) in scenario.speed.iter().enumerate() {
        found.zero_or_more(&format!("speed[{index}]"), *speed);
    }
    found.rising("speed", scenario.speed.iter().map(|(at_s, _)| *at_s));
    found.rising("available", scenario.available.iter().map(|(at_s, _)| *at_s));
    found.rising("metric_gap", scenario.metric_gap.iter().flat_map(|(from_s, to_s)| [*from_s, *to_s]));
    found.rising("changes", scenario.changes.iter().map(|change| change.at_s));
    if let Some(contention) = scenario.contention {
        found.positive("contention.cores", contention.cores);
    }
    found.zero_or_more("crash_per_replica_hour", scenario.crash_per_replica_hour);
    found.zero_or_more("actuation_delay_s", scenario.actuation_delay_s);
    if let Some(hint_s) = scenario.hint_service_s {
        found.positive("hint_service_s", hint_s);
    }
    changes(scenario, &mut found);
    found.0
}

fn changes(scenario: &Scenario, found: &mut Found) {
    let (mut min, mut max) = (scenario.replicas.min, scenario.replicas.max);
    for (index, change) in scenario.changes.iter().enumerate() {
        let path = |field: &str| format!("changes[{index}].{field}");
        if let Some(deadline_s) = change.deadline_s {
            found.positive(&path("deadline_s"), deadline_s);
        }
        if let Some(confidence) = change.confidence {
            found.confidence(&path("confidence"), confidence);
        }
        if let Some(hint_s) = change.hint_service_s {
            found.positive(&path("hint_service_s"), hint_s);
        }
        (min, max) = (change.min.unwrap_or(min), change.max.unwrap_or(max));
        found.check(&path("max"), (1..=MOST_REPLICAS).contains(&max), || format!("must be 1 to {MOST_REPLICAS}, was {max}"));
        found.check(&path("min"), min <= max, || format!("must be at most max, was {min}"));
    }
}

struct Found(Vec<FieldError>);

impl Found {
    fn check(&mut self, field: &str, sound: bool, message: impl FnOnce() -> String) {
        if !sound {
            self.0.push(FieldError::new(field, message()));
        }
    }

    fn positive(&mut self, field: &str, number: f64) {
        self.check(field, number.is_finite() && 0.0 < number, || format!("must be above 0, was {number}"));
    }

    fn zero_or_more(&mut self, field: &str, number: f64) {
        self.check(field, number.is_finite() && 0.0 <= number, || format!("must be 0 or more, was {number}"));
    }

    fn confidence(&mut self, field: &str, number: f64) {
        self.check(field, (0.5..=0.9999).contains(&number), || format!("must be between 0.5 and 0.9999, was {number}"));
    }

    fn distribution(&mut self, path: &str, distribution: &Distribution) {
        for (field, message) in distribution.problems() {
            self.0.push(FieldError::new(format!("{path}.{field}"), message));
        }
    }

    /// Times must not be negative, and none may be before the one above it.
    fn rising(&mut self, field: &str, times: impl Iterator<Item = f64>) {
        let mut last = 0.0;
        for at_s in times {
            self.check(field, at_s.is_finite() && last <= at_s, || {
                format!("must be times from 0 on, in their order; {at_s} comes after {last}")
            });
            last = at_s;
        }
    }
}
