//! A submission, parsed and checked whole before anything is created: every problem, each by its field.

mod pods;
mod sections;

use std::collections::BTreeSet;

use control::controllers;
use control::form;
use control::job::{Bounds, JobSpec, LoopSpec, Objective, Workload};
use control::plugin::{FieldError, PluginSpec};
use garde::Validate;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

pub use self::sections::queue_fields;
use self::sections::{DEFAULT_METRIC, Head, LoopParams, ObjectiveParams, QueueParams, ReplicaParams};
use crate::monitor::unknown;
use crate::platform::Clusters;
use crate::{actuator, monitor, platform};

/// Longest inline workload, bytes. Longer ones are uploaded.
pub const INLINE_LIMIT: usize = 8 << 20;
/// Longest item, bytes.
pub const ITEM_LIMIT: usize = 1 << 20;
/// Most monitors, and most loops, of one job.
const PLUGINS_LIMIT: usize = 16;

/// Fields of a submission's top level.
const SECTIONS: &[&str] = &["name", "platform", "workload", "objective", "replicas", "monitors", "loops", "queue"];

/// Collects problems while the sections are read.
#[derive(Default)]
struct Problems(Vec<FieldError>);

impl Problems {
    fn add(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(FieldError::new(field, message));
    }

    fn take<T>(&mut self, prefix: &str, result: Result<T, Vec<FieldError>>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(errors) => {
                self.0.extend(errors.into_iter().map(|error| error.under(prefix)));
                None
            }
        }
    }

    fn section<P>(&mut self, prefix: &str, value: Option<&Value>) -> Option<P>
    where
        P: Serialize + DeserializeOwned + JsonSchema + Validate<Context = ()> + Default + Clone + Send + Sync,
    {
        let empty = json!({});
        self.take(prefix, form::parse::<P>(value.unwrap_or(&empty)))
    }
}

/// Reads a JSON submission, for a server with these clusters. Missing sections take defaults where a default makes sense.
///
/// # Errors
/// All problems at once, each with the dotted path of its field.
pub fn parse(body: &Value, clusters: &Clusters) -> Result<JobSpec, Vec<FieldError>> {
    let Some(fields) = body.as_object() else {
        return Err(vec![FieldError::new("", "must be a JSON object with at least name, platform and workload")]);
    };
    let mut problems = Problems::default();
    for name in fields.keys().filter(|name| !SECTIONS.contains(&name.as_str())) {
        problems.add(name, format!("is not a field of a submission; known are {}", SECTIONS.join(", ")));
    }

    let name = fields.get("name").cloned().unwrap_or(json!(""));
    let trimmed = name.as_str().map_or_else(|| name.clone(), |name| json!(name.trim()));
    let head = problems.section::<Head>("", Some(&json!({ "name": trimmed })));
    if name.as_str().is_some_and(|name| name.chars().any(char::is_control)) {
        problems.add("name", "must not hold control characters");
    }
    let objective = problems.section::<ObjectiveParams>("objective", fields.get("objective"));
    if fields.get("objective").is_none_or(|objective| objective.get("deadline_s").is_none()) {
        problems.add("objective.deadline_s", "is missing; it is the number of seconds from the submission to the wanted end");
    }
    let replicas = problems.section::<ReplicaParams>("replicas", fields.get("replicas"));
    if let Some(replicas) = &replicas {
        bounds(replicas, &mut problems);
    }
    let queue = problems.section::<QueueParams>("queue", fields.get("queue"));
    let queue = queue.and_then(|queue| problems.take("queue", queue.checked().map_err(|error| vec![error])));
    let platform = platform_spec(fields.get("platform"), clusters, &mut problems);
    let kind = fields.get("platform").and_then(|platform| platform.get("kind")).and_then(Value::as_str);
    let workload = if kind.is_some_and(platform::has_work) {
        no_workload(fields.get("workload"), &mut problems)
    } else {
        workload(fields.get("workload"), &mut problems)
    };
    let monitors = monitors(fields.get("monitors"), &mut problems);
    let loops = loops(fields.get("loops"), &monitors, &mut problems);
    if let Some(platform) = &platform {
        pods::fit(fields, platform, &mut problems);
    }

    match (head, objective, replicas, queue, platform, workload) {
        (Some(head), Some(objective), Some(replicas), Some(queue), Some(platform), Some(workload)) if problems.0.is_empty() => {
            Ok(JobSpec {
                name: head.name,
                platform,
                workload,
                objective: Objective { deadline_s: objective.deadline_s, confidence: objective.confidence, service_s: objective.service_s },
                replicas: Bounds { min: replicas.min, max: replicas.max, initial: replicas.initial },
                monitors,
                loops,
                queue,
            })
        }
        _ => Err(problems.0),
    }
}

fn bounds(replicas: &ReplicaParams, problems: &mut Problems) {
    if replicas.min > replicas.max {
        for (field, value) in [("replicas.min", replicas.min), ("replicas.initial", replicas.initial)] {
            if replicas.max < value {
                problems.add(field, format!("must not be above replicas.max, which is {}; was {value}", replicas.max));
            }
        }
    } else if !(replicas.min..=replicas.max).contains(&replicas.initial) {
        problems.add(
            "replicas.initial",
            format!("must be between replicas.min and replicas.max, {} to {}; was {}", replicas.min, replicas.max, replicas.initial),
        );
    }
}

fn platform_spec(value: Option<&Value>, clusters: &Clusters, problems: &mut Problems) -> Option<PluginSpec> {
    let Some(value) = value else {
        problems.add("platform", "is missing; such as {\"kind\": \"local\", \"params\": {\"command\": [\"./work\"]}}");
        return None;
    };
    let spec = plugin_spec("platform", value, problems)?;
    let params = problems.take("platform", platform::check(&spec, clusters))?;
    Some(PluginSpec { params, ..spec })
}

/// `{"kind", "params"}` with nothing else in it.
fn plugin_spec(prefix: &str, value: &Value, problems: &mut Problems) -> Option<PluginSpec> {
    let Some(object) = value.as_object() else {
        problems.add(prefix, "must be an object with kind and params");
        return None;
    };
    let before = problems.0.len();
    for name in object.keys().filter(|name| !matches!(name.as_str(), "kind" | "params")) {
        problems.add(&format!("{prefix}.{name}"), "is not a field here; known are kind, params");
    }
    let params = match object.get("params") {
        None => Value::Object(Map::new()),
        Some(params @ Value::Object(_)) => params.clone(),
        Some(_) => {
            problems.add(&format!("{prefix}.params"), "must be an object");
            return None;
        }
    };
    match object.get("kind") {
        Some(Value::String(kind)) if before == problems.0.len() => Some(PluginSpec::new(kind, params)),
        Some(Value::String(_)) => None,
        _ => {
            problems.add(&format!("{prefix}.kind"), "is missing; it names the plugin, as text");
            None
        }
    }
}

/// The work is there already, and is looked at when the job begins. A form sends an empty field all the same.
fn no_workload(value: Option<&Value>, problems: &mut Problems) -> Option<Workload> {
    let empty = |value: &Value| match value {
        Value::String(text) => text.trim().is_empty(),
        other => other.is_null(),
    };
    let given = value.and_then(Value::as_object).into_iter().flatten().find(|(name, value)| *name != "source" && !empty(value));
    if let Some((name, _)) = given {
        problems.add(&format!("workload.{name}"), "is that of the Job, whose completions are the items: leave it out");
        return None;
    }
    Some(Workload::Inline { items: String::new() })
}

fn workload(value: Option<&Value>, problems: &mut Problems) -> Option<Workload> {
    const WANTED: &str = "is missing; such as {\"source\": \"inline\", \"items\": \"one\\ntwo\"}";
    let Some(object) = value.and_then(Value::as_object) else {
        problems.add("workload", WANTED);
        return None;
    };
    let (field, wanted) = match object.get("source").and_then(Value::as_str) {
        Some("inline") => ("items", "is missing; one item a line, or a list of texts"),
        Some("upload") => ("upload", "is missing; choose a file, or give the id that the upload answered"),
        Some("url") => ("url", "is missing; such as http://example.org/items.txt"),
        Some(other) => {
            problems.add("workload.source", format!("must be inline, upload or url; was \"{other}\""));
            return None;
        }
        None => {
            problems.add("workload.source", "is missing; must be inline, upload or url");
            return None;
        }
    };
    let before = problems.0.len();
    for name in object.keys().filter(|name| *name != "source" && *name != field) {
        problems.add(&format!("workload.{name}"), format!("is not a field of this source; known are source, {field}"));
    }
    let path = format!("workload.{field}");
    let text = match object.get(field) {
        Some(Value::String(text)) if !text.trim().is_empty() => text.clone(),
        Some(Value::Array(items)) if field == "items" && !items.is_empty() => listed(items, &path, problems)?,
        None | Some(Value::String(_) | Value::Null | Value::Array(_)) => {
            problems.add(&path, wanted);
            return None;
        }
        Some(_) => {
            problems.add(&path, if field == "items" { "must be text, one item a line, or a list of texts" } else { "must be text" });
            return None;
        }
    };
    match field {
        "items" if text.len() > INLINE_LIMIT => {
            problems.add(&path, format!("is {} bytes long; inline workloads end at {INLINE_LIMIT}, upload a file instead", text.len()));
        }
        "items" => {
            if let Some((line, long)) = text.lines().enumerate().find(|(_, line)| line.len() > ITEM_LIMIT) {
                problems.add(&path, format!("line {} is {} bytes long; an item ends at {ITEM_LIMIT}", line + 1, long.len()));
            }
        }
        "url" => {
            if let Err(why) = super::workload::check_url(&text) {
                problems.add(&path, why);
            }
        }
        _ => {
            if !super::workload::is_upload_id(&text) {
                problems.add(&path, "is not the id of an upload; POST the file to /api/v1/uploads and take the id from the answer");
            }
        }
    }
    if before < problems.0.len() {
        return None;
    }
    Some(match field {
        "items" => Workload::Inline { items: text },
        "url" => Workload::Url { url: text },
        _ => Workload::Upload { upload: text },
    })
}

/// A JSON list of items, as text with one item a line.
fn listed(items: &[Value], path: &str, problems: &mut Problems) -> Option<String> {
    let mut lines = Vec::with_capacity(items.len());
    for (place, item) in items.iter().enumerate() {
        match item.as_str() {
            Some(text) if !text.contains('\n') => lines.push(text),
            Some(_) => problems.add(&format!("{path}.{place}"), "must not hold a line break: an item is one line"),
            None => problems.add(&format!("{path}.{place}"), "must be text"),
        }
    }
    (lines.len() == items.len()).then(|| lines.join("\n"))
}

fn monitors(value: Option<&Value>, problems: &mut Problems) -> Vec<PluginSpec> {
    let default = json!([{ "kind": "progress" }, { "kind": "cpu" }]);
    let list = match value.unwrap_or(&default) {
        Value::Array(list) if list.len() <= PLUGINS_LIMIT => list,
        Value::Array(list) => {
            problems.add("monitors", format!("must be at most {PLUGINS_LIMIT}, were {}", list.len()));
            return Vec::new();
        }
        _ => {
            problems.add("monitors", "must be a list of objects with kind and params");
            return Vec::new();
        }
    };
    let mut seen = BTreeSet::new();
    let mut specs = Vec::new();
    for (place, value) in list.iter().enumerate() {
        let prefix = format!("monitors.{place}");
        let Some(spec) = plugin_spec(&prefix, value, problems) else { continue };
        if !seen.insert(spec.kind.clone()) {
            problems.add(&format!("{prefix}.kind"), format!("\"{}\" is there already: its metrics would clash", spec.kind));
        } else if problems.take(&prefix, monitor::build(&spec).map(|_| ())).is_some() {
            specs.push(spec);
        }
    }
    specs
}

fn loops(value: Option<&Value>, monitors: &[PluginSpec], problems: &mut Problems) -> Vec<LoopSpec> {
    let default = json!([{ "controller": { "kind": "deadline" } }]);
    let list = match value.unwrap_or(&default) {
        Value::Array(list) if list.len() <= PLUGINS_LIMIT => list,
        Value::Array(list) => {
            problems.add("loops", format!("must be at most {PLUGINS_LIMIT}, were {}", list.len()));
            return Vec::new();
        }
        _ => {
            problems.add("loops", "must be a list; an empty one keeps the replicas as they are");
            return Vec::new();
        }
    };
    let metrics: Vec<&str> =
        monitors.iter().filter_map(|spec| monitor::find(&spec.kind)).flat_map(|entry| entry.metrics.iter().copied()).collect();
    let mut names = BTreeSet::new();
    let mut specs = Vec::new();
    for (place, value) in list.iter().enumerate() {
        let prefix = format!("loops.{place}");
        if let Some(spec) = one_loop(&prefix, value, &metrics, problems) {
            if names.insert(spec.name.clone()) {
                specs.push(spec);
            } else {
                problems.add(&format!("{prefix}.name"), format!("\"{}\" is the name of another loop", spec.name));
            }
        }
    }
    specs
}

fn one_loop(prefix: &str, value: &Value, metrics: &[&str], problems: &mut Problems) -> Option<LoopSpec> {
    let Some(object) = value.as_object() else {
        problems.add(prefix, "must be an object with name, controller, metric, actuator and interval_s");
        return None;
    };
    let mut plain = object.clone();
    let controller = plain.remove("controller");
    let actuator = plain.remove("actuator").unwrap_or_else(|| json!({ "kind": "local_replicas" }));
    // The metric is looked up even when another field is wrong: all problems come at once.
    let metric = plain.get("metric").and_then(Value::as_str).unwrap_or(DEFAULT_METRIC).to_owned();
    let params = problems.section::<LoopParams>(prefix, Some(&Value::Object(plain)));
    if let Some(params) = &params
        && !params.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    {
        problems.add(&format!("{prefix}.name"), "must be letters, digits, - and _ only, such as pace");
    }
    if !metrics.contains(&metric.as_str()) {
        let published = if metrics.is_empty() { "nothing: it has no monitor".to_owned() } else { metrics.join(", ") };
        problems.add(&format!("{prefix}.metric"), format!("no monitor of this job publishes \"{metric}\"; published is {published}"));
    }
    let controller = match controller {
        Some(value) => plugin_spec(&format!("{prefix}.controller"), &value, problems),
        None => {
            problems.add(&format!("{prefix}.controller"), "is missing; such as {\"kind\": \"pid\"}");
            None
        }
    };
    let controller = controller.and_then(|spec| {
        let checked = if controllers::catalog().iter().any(|entry| entry.kind == spec.kind) {
            controllers::law(&spec.kind, &spec.params, None)
                .map_err(|errors| errors.into_iter().map(|error| error.under("params")).collect())
        } else {
            Err(vec![unknown("controller", &spec.kind, controllers::catalog().iter().map(|entry| entry.kind))])
        };
        let law = problems.take(&format!("{prefix}.controller"), checked)?;
        // In full and by their types: the first revision is what tunings are compared with.
        Some(PluginSpec { params: law.params(), ..spec })
    });
    let actuator = plugin_spec(&format!("{prefix}.actuator"), &actuator, problems)
        .filter(|spec| problems.take(&format!("{prefix}.actuator"), actuator::build(spec).map(|_| ())).is_some());
    match (params, controller, actuator) {
        (Some(params), Some(controller), Some(actuator)) => {
            Some(LoopSpec { name: params.name, controller, metric: params.metric, actuator, interval_s: params.interval_s })
        }
        _ => None,
    }
}
