//! The one place that knows how input names and JSON paths belong together.
//! Inputs name the kind (`platform.local.command`), so that every kind's fields fit on one page;
//! JSON says `params` (`platform.params.command`).

use std::collections::BTreeMap;

use control::form::Field;
use serde_json::Value;

/// Dotted names as nested objects: `guards.cooldown_s` becomes `{"guards": {"cooldown_s": …}}`.
pub fn nested(values: &BTreeMap<String, String>) -> Value {
    control::form::unflatten(values)
}

/// The kinds of monitors that are switched on, in the order in which the server reads them: by name.
fn monitors(values: &BTreeMap<String, String>) -> impl Iterator<Item = &str> {
    values.keys().filter_map(|name| name.strip_prefix("monitors.")?.strip_suffix(".on"))
}

/// The input that a JSON path is about: `params` becomes the chosen kind.
pub fn input(path: &str, values: &BTreeMap<String, String>) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    if let ["monitors", place, rest @ ..] = parts.as_slice()
        && let Some(kind) = place.parse::<usize>().ok().and_then(|place| monitors(values).nth(place))
    {
        return match rest {
            ["params", rest @ ..] if !rest.is_empty() => format!("monitors.{kind}.{}", rest.join(".")),
            _ => format!("monitors.{kind}.on"),
        };
    }
    if path == "workload" {
        return "workload.source".to_owned();
    }
    for owner in ["platform", "controller", "actuator"] {
        let Some(place) = parts.iter().position(|part| *part == owner) else { continue };
        let at = parts[..=place].join(".");
        let Some(kind) = values.get(&format!("{at}.kind")) else { continue };
        return match &parts[place + 1..] {
            ["params", rest @ ..] if !rest.is_empty() => format!("{at}.{kind}.{}", rest.join(".")),
            _ => format!("{at}.kind"),
        };
    }
    path.to_owned()
}

/// Nested parameters as dotted names with their text: what a form shows, and what undo posts.
pub fn flat(value: &Value) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    walk(value, String::new(), &mut out);
    out
}

fn walk(value: &Value, at: String, out: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                walk(inner, path, out);
            }
        }
        other => {
            out.insert(at, text(other));
        }
    }
}

/// Guards are the same for every law, and shown together after its own fields.
pub fn is_guard(field: &Field) -> bool {
    field.name.starts_with("guards.")
}

/// A JSON value as a form shows it: lists as lines, maps as `KEY=value` lines.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().map(text).collect::<Vec<_>>().join("\n"),
        Value::Object(fields) => fields.iter().map(|(key, value)| format!("{key}={}", text(value))).collect::<Vec<_>>().join("\n"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn posted() -> BTreeMap<String, String> {
        [
            ("platform.kind", "local"),
            ("platform.local.command", "./worker"),
            ("monitors.http_json.on", "on"),
            ("monitors.http_json.url", "http://x"),
            ("monitors.progress.window_s", "5"),
            ("monitors.resources.on", "on"),
            ("loops.0.controller.kind", "pid"),
            ("loops.0.controller.pid.guards.cooldown_s", "5"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
    }

    #[test]
    fn errors_find_their_inputs() {
        let find = |path: &str| input(path, &posted());
        assert_eq!(find("platform.params.command"), "platform.local.command");
        assert_eq!(find("platform.kind"), "platform.kind");
        assert_eq!(find("loops.0.controller.params.guards.cooldown_s"), "loops.0.controller.pid.guards.cooldown_s");
        assert_eq!(find("monitors.0.params.url"), "monitors.http_json.url");
        assert_eq!(find("monitors.1.kind"), "monitors.resources.on", "progress is not switched on");
        assert_eq!(find("replicas.max"), "replicas.max");
        assert_eq!(find("workload"), "workload.source");
    }

    #[test]
    fn parameters_survive_the_way_through_a_form() {
        let params = json!({ "kp": 1.5, "guards": { "cooldown_s": 5 } });
        let flat = flat(&params);
        assert_eq!(flat["kp"], "1.5");
        assert_eq!(flat["guards.cooldown_s"], "5");
        assert_eq!(nested(&flat)["guards"]["cooldown_s"], "5");
    }
}
