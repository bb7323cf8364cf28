//! From the flat fields of the browser's form to the JSON of a submission.

use std::collections::BTreeMap;

use control::form::unflatten;
use serde_json::{Map, Value, json};

/// Field names are dotted JSON paths; plugin parameters carry their kind in the path
/// (`loops.0.controller.pid.proportional_gain`), so that every kind can stand in one form.
pub fn to_submission(fields: &BTreeMap<String, String>) -> Value {
    let mut body = unflatten(fields);
    let Some(object) = body.as_object_mut() else { return body };
    object.remove("deadline_unit");
    if let Some(platform) = object.get_mut("platform") {
        choose(platform);
    }
    if let Some(workload) = object.get_mut("workload").and_then(Value::as_object_mut) {
        keep_source(workload);
    }
    if let Some(monitors) = object.remove("monitors") {
        object.insert("monitors".to_owned(), monitors_on(&monitors));
    }
    if let Some(loops) = object.remove("loops") {
        object.insert("loops".to_owned(), loops_on(loops));
    }
    body
}

/// `{"kind": "pid", "pid": {…}, "threshold": {…}}` becomes `{"kind": "pid", "params": {…}}`.
fn choose(value: &mut Value) {
    let Some(object) = value.as_object_mut() else { return };
    let Some(kind) = object.get("kind").and_then(Value::as_str).map(str::to_owned) else { return };
    let params = object.remove(&kind).unwrap_or_else(|| json!({}));
    *value = json!({ "kind": kind, "params": params });
}

/// All sources stand in the form; only the chosen one is sent on.
fn keep_source(workload: &mut Map<String, Value>) {
    let field = match workload.get("source").and_then(Value::as_str) {
        Some("inline") => "items",
        Some("upload") => "upload",
        Some("url") => "url",
        _ => return,
    };
    workload.retain(|name, _| name == "source" || name == field);
}

fn monitors_on(monitors: &Value) -> Value {
    let Some(object) = monitors.as_object() else { return monitors.clone() };
    let chosen = object.iter().filter_map(|(kind, fields)| {
        let mut params = fields.as_object()?.clone();
        params.remove("on")?;
        Some(json!({ "kind": kind, "params": params }))
    });
    Value::Array(chosen.collect())
}

/// The first loop is always meant; further ones only when they are switched on.
fn loops_on(loops: Value) -> Value {
    let list = match loops {
        Value::Array(list) => list,
        other => return other,
    };
    let chosen = list.into_iter().enumerate().filter_map(|(place, mut value)| {
        let object = value.as_object_mut()?;
        let on = object.remove("on").is_some();
        if place > 0 && !on {
            return None;
        }
        for part in ["controller", "actuator"] {
            if let Some(part) = object.get_mut(part) {
                choose(part);
            }
        }
        Some(value)
    });
    Value::Array(chosen.collect())
}
