//! Monitors and actuators of pods need a job whose replicas are pods.

use control::plugin::PluginSpec;
use serde_json::{Map, Value};

use super::Problems;

/// The platform whose replicas are pods.
const PLATFORM: &str = "kubejobs";
/// What kinds that read or move pods begin with.
const OF_PODS: &str = "k8s_";

pub fn fit(fields: &Map<String, Value>, platform: &PluginSpec, problems: &mut Problems) {
    let list = |name: &str| fields.get(name).and_then(Value::as_array).into_iter().flatten().enumerate();
    let monitors = list("monitors").map(|(place, monitor)| (format!("monitors.{place}.kind"), monitor.get("kind")));
    let actuators =
        list("loops").map(|(place, one)| (format!("loops.{place}.actuator.kind"), one.get("actuator").and_then(|spec| spec.get("kind"))));
    for (field, kind) in monitors.chain(actuators) {
        let Some(kind) = kind.and_then(Value::as_str).filter(|kind| kind.starts_with(OF_PODS)) else { continue };
        if platform.kind != PLATFORM {
            problems.add(
                &field,
                format!("\"{kind}\" is for pods, and the platform of this job is {}: choose {PLATFORM} or leave it out", platform.kind),
            );
        }
    }
}
