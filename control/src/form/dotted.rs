//! Turns the dotted names of a posted form into nested objects and arrays.

use std::collections::BTreeMap;

use serde_json::Value;

/// Deeper than any submission; the rest of a longer name stays in its last part.
const DEEPEST: usize = 16;

#[derive(Default)]
struct Branch {
    value: Option<String>,
    parts: BTreeMap<String, Branch>,
}

/// `loops.0.name=a` → `{"loops": [{"name": "a"}]}`. Where all names at one place are numbers, it is an
/// array in their order; gaps close up, so that a removed row leaves no hole. A name that is both a value
/// and an object keeps its value under an empty name, where the check reports it.
pub fn unflatten(posted: &BTreeMap<String, String>) -> Value {
    let mut root = Branch::default();
    for (name, value) in posted {
        let mut branch = &mut root;
        for part in name.splitn(DEEPEST, '.') {
            branch = branch.parts.entry(part.to_owned()).or_default();
        }
        branch.value = Some(value.clone());
    }
    if root.parts.is_empty() { Value::Object(serde_json::Map::new()) } else { nested(root) }
}

fn nested(branch: Branch) -> Value {
    if branch.parts.is_empty() {
        return Value::String(branch.value.unwrap_or_default());
    }
    let places: Option<BTreeMap<u64, &String>> = branch.parts.keys().map(|part| Some((part.parse().ok()?, part))).collect();
    if let Some(places) = places.filter(|places| branch.value.is_none() && places.len() == branch.parts.len()) {
        let order: Vec<String> = places.into_values().cloned().collect();
        let mut parts = branch.parts;
        return order.iter().filter_map(|part| parts.remove(part)).map(nested).collect();
    }
    let mut object: serde_json::Map<String, Value> = branch.parts.into_iter().map(|(part, branch)| (part, nested(branch))).collect();
    if let Some(value) = branch.value {
        object.insert(String::new(), Value::String(value));
    }
    Value::Object(object)
}
