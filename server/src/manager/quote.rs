//! What a job would take, before anything is created: its items counted, the law asked.

use std::path::Path;

use app::form::submitted::Quoted;
use control::controllers::deadline::quote::{Ask, quote};
use control::controllers::deadline::{Deadline, Params};
use control::job::{JobSpec, Workload};
use control::observation::Hints;
use control::plugin::Plugin as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::Manager;

impl Manager {
    /// The quote for a checked submission, or why there is none.
    pub async fn quote(&self, spec: &JobSpec) -> Quoted {
        let items = match &spec.workload {
            Workload::Upload { upload } => match lines(&self.uploads().join(upload)).await {
                Ok(items) => Some(items),
                Err(error) => return Quoted::Unknown { why: format!("The items could not be counted: {error}.") },
            },
            other => typed(other),
        };
        of(spec, items)
    }
}

/// The quote for a submission of so many items.
pub fn of(spec: &JobSpec, items: Option<u64>) -> Quoted {
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
    let Some(items) = items else {
        return unknown("How many items there are is known only when they are fetched; type them or send a file.");
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

/// Items that stand in the submission itself, counted as they will be loaded.
pub fn typed(workload: &Workload) -> Option<u64> {
    let Workload::Inline { items } = workload else { return None };
    Some(items.lines().filter(|line| !line.is_empty()).count() as u64)
}

async fn lines(file: &Path) -> std::io::Result<u64> {
    let mut lines = BufReader::new(tokio::fs::File::open(file).await?).split(b'\n');
    let mut count = 0;
    while let Some(line) = lines.next_segment().await? {
        count += u64::from(!matches!(line.as_slice(), b"" | b"\r"));
    }
    Ok(count)
}
