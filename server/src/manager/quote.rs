//! What a job would take, before anything is created: its items counted, the law asked.

use std::path::Path;

use app::form::submitted::Quoted;
use control::controllers::deadline::quote::{Ask, quote};
use control::controllers::deadline::{Deadline, Params};
use control::job::JobSpec;
use control::observation::Hints;
use control::plugin::Plugin as _;

use super::{Manager, workload};
use crate::words::chain;

impl Manager {
    /// The quote for a checked submission, or why there is none.
    pub async fn quote(&self, spec: &JobSpec) -> Quoted {
        of(spec, Some(&self.uploads())).await
    }
}

/// The same where uploads lie elsewhere, or nowhere.
pub async fn of(spec: &JobSpec, uploads: Option<&Path>) -> Quoted {
    let unknown = |why: &str| Quoted::Unknown { why: why.to_owned() };
    let Some(law) = spec.loops.iter().find(|one| one.controller.kind == Deadline::KIND) else {
        return unknown("Only the law “Deadline” can foretell a finish; none of the loops has it.");
    };
    let Ok(params) = serde_json::from_value::<Params>(law.controller.params.clone()) else {
        return unknown("The law’s parameters could not be read.");
    };
    let Some(service_s) = spec.objective.service_s else {
        return unknown(
            "Nobody said how long an item takes: fill in “An item takes about” (objective.service_s), even with a rough guess.",
        );
    };
    let items = match workload::count(&spec.workload, uploads).await {
        Ok(Some(items)) => items,
        Ok(None) => return unknown("How many items there are is known only when they are fetched; type them or send a file."),
        Err(error) => return unknown(&format!("The items could not be counted: {}.", chain(&error))),
    };
    let ask = Ask {
        items,
        deadline_ms: (spec.objective.deadline_s * 1000.0) as u64,
        confidence: spec.objective.confidence,
        bounds: spec.replicas,
        hints: Hints { service_ms_mean: Some(service_s * 1000.0), history: None },
    };
    match quote(&params, &ask) {
        Some(quote) => Quoted::Quote { items, quote },
        None => unknown("There are no items."),
    }
}
