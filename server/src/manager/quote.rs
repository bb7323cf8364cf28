//! What a job would take, before anything is created: its items counted, the law asked.

use std::path::Path;

use app::api::error::ApiError;
use app::form::submitted::Quoted;
use control::controllers::deadline::quote::{Ask, quote};
use control::controllers::deadline::{Deadline, Params};
use control::job::JobSpec;
use control::observation::{Hints, History};
use control::plugin::Plugin as _;

use super::{Manager, experience, internal, workload};
use crate::store::Experience;
use crate::words::chain;

impl Manager {
    /// The quote for a checked submission, or why there is none.
    pub async fn quote(&self, spec: &JobSpec) -> Quoted {
        // Without experience a guess must do, as on the command line.
        let history = self.experience(spec).await.ok().and_then(|experience| experience.history);
        of(spec, Some(&self.uploads()), history).await
    }

    /// What earlier jobs with the same program taught.
    pub async fn experience(&self, spec: &JobSpec) -> Result<Experience, ApiError> {
        self.shared.store.experience(&experience::template(spec)).await.map_err(|error| internal(&error))
    }
}

/// The same where uploads lie elsewhere, or nowhere.
pub async fn of(spec: &JobSpec, uploads: Option<&Path>, history: Option<History>) -> Quoted {
    let unknown = |why: &str| Quoted::Unknown { why: why.to_owned() };
    let Some(law) = spec.loops.iter().find(|one| one.controller.kind == Deadline::KIND) else {
        return unknown("Only the law “Deadline” can foretell a finish; none of the loops has it.");
    };
    let Ok(params) = serde_json::from_value::<Params>(law.controller.params.clone()) else {
        return unknown("The law’s parameters could not be read.");
    };
    let service_s = spec.objective.service_s;
    if service_s.is_none() && history.is_none() {
        return unknown(
            "Nobody said how long an item takes: fill in “An item takes about” (objective.service_s), even with a rough guess.",
        );
    }
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
        hints: Hints { service_ms_mean: service_s.map(|seconds| seconds * 1000.0), history },
    };
    match quote(&params, &ask) {
        Some(quote) => Quoted::Quote { items, quote },
        None => unknown("There are no items."),
    }
}
