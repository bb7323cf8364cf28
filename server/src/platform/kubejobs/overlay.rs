//! What a user adds to the pod template, merged over it, and what nobody may add.

use serde_json::{Map, Value};

/// The overlay as it was written; an empty one changes nothing.
///
/// # Errors
/// A sentence that says what would be right.
pub fn read(text: &str) -> Result<Value, String> {
    if text.trim().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let value: Value = serde_json::from_str(text).map_err(|error| format!("must be a JSON object; {error}"))?;
    let Some(object) = value.as_object() else { return Err("must be a JSON object with metadata and spec".to_owned()) };
    match object.keys().find(|key| !matches!(key.as_str(), "metadata" | "spec")) {
        Some(key) => Err(format!("{key:?} is not a part of a pod template; known are metadata, spec")),
        None => Ok(value),
    }
}

/// Merges what is above over what is below: objects by key, lists of named things by name, all else is replaced.
pub fn merge(below: &mut Value, above: &Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (key, value) in above {
                match below.get_mut(key) {
                    Some(known) => merge(known, value),
                    None => drop(below.insert(key.clone(), value.clone())),
                }
            }
        }
        (Value::Array(below), Value::Array(above)) if named(below) && named(above) => {
            for value in above {
                match below.iter_mut().find(|known| known["name"] == value["name"]) {
                    Some(known) => merge(known, value),
                    None => below.push(value.clone()),
                }
            }
        }
        (below, above) => *below = above.clone(),
    }
}

fn named(list: &[Value]) -> bool {
    list.iter().all(|value| value.get("name").is_some_and(Value::is_string))
}

/// Parts of a pod template that would let a worker out of its container, one sentence each.
pub fn unsafe_parts(pod: &Value) -> Vec<String> {
    let spec = &pod["spec"];
    let mut found = Vec::new();
    let mut refuse = |part: String| found.push(format!("{part} is refused: workers have nothing of their node."));
    for part in ["hostNetwork", "hostPID", "hostIPC"] {
        if spec[part] == true {
            refuse(part.to_owned());
        }
    }
    if spec["automountServiceAccountToken"] != false {
        refuse("A token of the service account".to_owned());
    }
    for volume in list(&spec["volumes"]) {
        if !volume["hostPath"].is_null() {
            refuse(format!("The hostPath of volume {}", volume["name"]));
        }
        if list(&volume["projected"]["sources"]).any(|source| !source["serviceAccountToken"].is_null()) {
            refuse(format!("The service account's token in volume {}", volume["name"]));
        }
    }
    let contexts = [("The pod".to_owned(), &spec["securityContext"])].into_iter();
    let containers = ["containers", "initContainers"].into_iter().flat_map(|kind| list(&spec[kind]));
    let containers: Vec<&Value> = containers.collect();
    for (of, context) in contexts.chain(containers.iter().map(|one| (format!("Container {}", one["name"]), &one["securityContext"]))) {
        for part in ["privileged", "allowPrivilegeEscalation"] {
            if context[part] == true {
                refuse(format!("{of}: {part}"));
            }
        }
        if context["runAsUser"] == 0 || context["runAsNonRoot"] == false {
            refuse(format!("{of}: running as root"));
        }
        if list(&context["capabilities"]["add"]).next().is_some() {
            refuse(format!("{of}: adding capabilities"));
        }
        let unconfined = |profile: &str| context[profile]["type"] == "Unconfined";
        if unconfined("seccompProfile") || unconfined("appArmorProfile") || context["procMount"] == "Unmasked" {
            refuse(format!("{of}: running unconfined"));
        }
    }
    for port in containers.iter().flat_map(|container| list(&container["ports"])).filter(|port| !port["hostPort"].is_null()) {
        refuse(format!("hostPort {}", port["hostPort"]));
    }
    found
}

/// Parts of a pod template by which the server steers its pods, changed by an overlay; one sentence each.
pub fn moved_parts(plain: &Value, merged: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for part in ["readinessGates", "restartPolicy"] {
        if plain["spec"][part] != merged["spec"][part] {
            found.push(format!("spec.{part} is set by the server."));
        }
    }
    let labels = plain["metadata"]["labels"].as_object().into_iter().flatten();
    found.extend(
        labels
            .filter(|(name, value)| merged["metadata"]["labels"][name] != **value)
            .map(|(name, _)| format!("The label {name} is set by the server.")),
    );
    found
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn named_things_are_merged_by_name_and_all_else_is_replaced() {
        let mut pod = json!({"spec": {"containers": [{"name": "worker", "image": "a", "args": ["x", "y"]}], "restartPolicy": "Never"}});
        merge(
            &mut pod,
            &json!({"spec": {"containers": [{"name": "worker", "args": ["z"]}, {"name": "side", "image": "b"}], "tolerations": [{"key": "k"}]}}),
        );
        assert_eq!(
            pod,
            json!({"spec": {
                "containers": [{"name": "worker", "image": "a", "args": ["z"]}, {"name": "side", "image": "b"}],
                "restartPolicy": "Never",
                "tolerations": [{"key": "k"}],
            }})
        );
    }

    #[test]
    fn what_the_server_steers_by_stays() {
        let plain =
            json!({"metadata": {"labels": {"a": "1"}}, "spec": {"readinessGates": [{"conditionType": "g"}], "restartPolicy": "Never"}});
        let moved = |above: Value| {
            let mut merged = plain.clone();
            merge(&mut merged, &above);
            moved_parts(&plain, &merged)
        };
        assert_eq!(moved(json!({"metadata": {"labels": {"b": "2"}}, "spec": {"tolerations": []}})), Vec::<String>::new());
        let all = json!({"metadata": {"labels": {"a": "2"}}, "spec": {"readinessGates": [], "restartPolicy": "Always"}});
        assert_eq!(moved(all).len(), 3);
    }

    #[test]
    fn an_overlay_that_is_none_is_refused() {
        assert!(read("").is_ok() && read("{\"spec\": {}}").is_ok());
        assert!(read("[]").is_err() && read("{").is_err());
        assert!(read("{\"kind\": \"Pod\"}").unwrap_err().contains("known are metadata, spec"));
    }
}
