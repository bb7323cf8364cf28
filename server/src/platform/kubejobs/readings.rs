//! What kubelets and the metrics API say of pods, read into one shape.

use std::{collections::HashMap, time::Duration};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Deserialize;

use super::quantity::amount;

/// What a pod as a whole used, and what each of its containers did: some nodes tell only one of them.
const CPU: [&str; 2] = ["pod_cpu_usage_seconds_total", "container_cpu_usage_seconds_total"];
const MEMORY: [&str; 2] = ["pod_memory_working_set_bytes", "container_memory_working_set_bytes"];

/// Namespace and name.
pub type PodName = (String, String);

/// The CPU of a pod, as its source tells it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cpu {
    /// Used so far.
    Seconds(f64),
    /// In the mean over some seconds.
    Cores(f64),
}

/// One pod at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Used {
    pub cpu: Cpu,
    pub memory_bytes: u64,
    /// How long before it was told it was measured.
    pub age: Duration,
}

/// A kubelet's resource metrics, in Prometheus' text format: measured when they are asked for.
pub fn of_kubelet(text: &str) -> HashMap<PodName, Used> {
    // For each pod the sums of what the lines of each name say.
    let mut pods: HashMap<PodName, [f64; 4]> = HashMap::new();
    for line in text.lines() {
        let Some((name, rest)) = line.split_once('{') else { continue };
        let Some((labels, value)) = rest.rsplit_once('}') else { continue };
        let Some(place) = CPU.iter().chain(&MEMORY).position(|known| *known == name) else { continue };
        // A time may follow the value.
        let Some(value) = value.split_whitespace().next().and_then(|value| value.parse::<f64>().ok()) else { continue };
        let (Some(namespace), Some(pod)) = (label(labels, "namespace"), label(labels, "pod")) else { continue };
        pods.entry((namespace.to_owned(), pod.to_owned())).or_default()[place] += value;
    }
    let used = |[pod_cpu, cpu, pod_memory, memory]: [f64; 4]| Used {
        cpu: Cpu::Seconds(pod_cpu.max(cpu)),
        memory_bytes: pod_memory.max(memory) as u64,
        age: Duration::ZERO,
    };
    pods.into_iter().map(|(pod, sums)| (pod, used(sums))).collect()
}

/// The value of a label. Names of pods and namespaces have nothing that would be escaped.
fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    labels.split(',').find_map(|label| label.trim().strip_prefix(name)?.strip_prefix("=\"")?.strip_suffix('"'))
}

#[derive(Deserialize)]
struct PodMetricsList {
    items: Vec<PodMetrics>,
}

#[derive(Deserialize)]
struct PodMetrics {
    metadata: Metadata,
    #[serde(default)]
    timestamp: Option<Time>,
    #[serde(default)]
    containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Metadata {
    namespace: String,
    name: String,
}

#[derive(Deserialize)]
struct Container {
    usage: HashMap<String, String>,
}

/// What the metrics API keeps of the pods of a namespace. `now_ms` is the time of this machine, milliseconds since 1970.
///
/// # Errors
/// When it is not what that API answers.
pub fn of_metrics_api(text: &str, now_ms: i64) -> Result<HashMap<PodName, Used>, serde_json::Error> {
    let list: PodMetricsList = serde_json::from_str(text)?;
    let read = list.items.into_iter().map(|pod| {
        let sum = |name: &str| pod.containers.iter().filter_map(|container| amount(container.usage.get(name)?)).sum::<f64>();
        // The clocks of two machines may differ: what seems to come is of now.
        let age_ms = pod.timestamp.map_or(0, |at| now_ms - at.0.as_millisecond());
        let age = Duration::from_millis(u64::try_from(age_ms).unwrap_or(0));
        let used = Used { cpu: Cpu::Cores(sum("cpu")), memory_bytes: sum("memory") as u64, age };
        ((pod.metadata.namespace, pod.metadata.name), used)
    });
    Ok(read.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(namespace: &str, name: &str) -> PodName {
        (namespace.to_owned(), name.to_owned())
    }

    #[test]
    fn what_a_kubelet_says_is_read_by_pod() {
        let text = "# HELP pod_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the pod in core-seconds\n\
            # TYPE pod_cpu_usage_seconds_total counter\n\
            pod_cpu_usage_seconds_total{namespace=\"batch\",pod=\"kj-1-abcde\"} 1.234567 1769000000000\n\
            container_cpu_usage_seconds_total{container=\"worker\",namespace=\"batch\",pod=\"kj-1-abcde\"} 1.2 1769000000000\n\
            pod_cpu_usage_seconds_total{namespace=\"batch\",pod=\"kj-1-fghij\"} 0 1769000000000\n\
            container_cpu_usage_seconds_total{container=\"worker\",namespace=\"batch\",pod=\"kj-1-fghij\"} 2 1769000000000\n\
            container_cpu_usage_seconds_total{container=\"side\",namespace=\"batch\",pod=\"kj-1-fghij\"} 0.5 1769000000000\n\
            container_memory_working_set_bytes{container=\"worker\",namespace=\"batch\",pod=\"kj-1-fghij\"} 7 1769000000000\n\
            node_cpu_usage_seconds_total 77.1 1769000000000\n\
            pod_memory_working_set_bytes{namespace=\"batch\",pod=\"kj-1-abcde\"} 1.048576e+06 1769000000000\n\
            pod_cpu_usage_seconds_total{namespace=\"other\",pod=\"x\"} broken\n";
        let pods = of_kubelet(text);
        let used = |cpu_s: f64, memory_bytes: u64| Used { cpu: Cpu::Seconds(cpu_s), memory_bytes, age: Duration::ZERO };
        assert_eq!(pods[&pod("batch", "kj-1-abcde")], used(1.234_567, 1_048_576));
        assert_eq!(pods[&pod("batch", "kj-1-fghij")], used(2.5, 7), "only its containers are told");
        assert_eq!(pods.len(), 2);
        assert!(of_kubelet("").is_empty());
    }

    #[test]
    fn what_the_metrics_api_says_has_an_age() {
        let text = r#"{ "kind": "PodMetricsList", "items": [{
            "metadata": { "name": "kj-1-abcde", "namespace": "batch" }, "timestamp": "2026-01-01T00:00:10Z", "window": "10.2s",
            "containers": [{ "name": "worker", "usage": { "cpu": "250000000n", "memory": "64Mi" } },
                           { "name": "side", "usage": { "cpu": "50m", "memory": "1Ki" } }] }] }"#;
        let at = "2026-01-01T00:00:27Z".parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let pods = of_metrics_api(text, at).unwrap();
        let used = pods[&pod("batch", "kj-1-abcde")];
        assert_eq!((used.memory_bytes, used.age), (67_109_888, Duration::from_secs(17)));
        assert!(matches!(used.cpu, Cpu::Cores(cores) if (cores - 0.3).abs() < 1e-9));
        assert_eq!(of_metrics_api(text, 0).unwrap()[&pod("batch", "kj-1-abcde")].age, Duration::ZERO);
        assert!(of_metrics_api("<html>", 0).is_err());
    }
}
