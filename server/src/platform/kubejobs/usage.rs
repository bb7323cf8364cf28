//! CPU and memory of pods, from the kubelets themselves: they measure when they are asked.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use http::Request;

use super::cluster::{Cluster, Trouble, ask};
use crate::platform::{Usage, lock::lock};

/// Readings are not more frequent than this, however many jobs ask.
const OFTEN: Duration = Duration::from_millis(500);
/// A reading that is older says nothing about now.
const STALE: Duration = Duration::from_secs(10);
/// What a pod as a whole used, and what each of its containers did: some nodes tell only one of them.
const CPU: [&str; 2] = ["pod_cpu_usage_seconds_total", "container_cpu_usage_seconds_total"];
const MEMORY: [&str; 2] = ["pod_memory_working_set_bytes", "container_memory_working_set_bytes"];

/// What pods used when they were last measured. Asking starts the next measuring. Cheap to clone.
#[derive(Clone)]
pub struct Meter {
    cluster: Cluster,
    shared: Arc<Shared>,
}

/// Namespace and name.
type PodName = (String, String);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Reading {
    cpu_s: f64,
    memory_bytes: u64,
    at: Instant,
}

#[derive(Default)]
struct Shared {
    read: Mutex<HashMap<PodName, Reading>>,
    asked: Mutex<Option<Instant>>,
    busy: AtomicBool,
    /// The last failure was told.
    failing: AtomicBool,
}

impl Meter {
    pub fn new(cluster: Cluster) -> Self {
        Self { cluster, shared: Arc::default() }
    }

    pub fn of(&self, namespace: &str, pod: &str) -> Option<Usage> {
        let read = lock(&self.shared.read);
        let Reading { cpu_s, memory_bytes, at } = *read.get(&(namespace.to_owned(), pod.to_owned()))?;
        let age = at.elapsed();
        let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        (age < STALE).then_some(Usage { cpu_s, memory_bytes, processes: 1, age_ms })
    }

    /// Measures the pods of these nodes for whoever asks next.
    pub fn measure(&self, nodes: BTreeSet<String>) {
        let mut asked = lock(&self.shared.asked);
        if asked.is_some_and(|at| at.elapsed() < OFTEN) || self.shared.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        *asked = Some(Instant::now());
        drop(asked);
        let meter = self.clone();
        tokio::spawn(async move {
            for node in nodes {
                match meter.node(&node).await {
                    Ok(()) => meter.shared.failing.store(false, Ordering::Relaxed),
                    Err(trouble) if meter.shared.failing.swap(true, Ordering::Relaxed) => tracing::debug!("node {node}: {}", trouble.words),
                    Err(trouble) => tracing::warn!("the CPU and memory of the pods of node {node} cannot be read: {}", trouble.words),
                }
            }
            meter.shared.busy.store(false, Ordering::Release);
        });
    }

    async fn node(&self, node: &str) -> Result<(), Trouble> {
        let client = self.cluster.client().await?;
        let path = format!("/api/v1/nodes/{node}/proxy/metrics/resource");
        let request = Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError).map_err(|error| Trouble::from(&error))?;
        let text = ask(client.request_text(request)).await?;
        let now = Instant::now();
        let mut read = lock(&self.shared.read);
        read.retain(|_, reading| reading.at.elapsed() < STALE);
        read.extend(parse(&text).into_iter().map(|(pod, (cpu_s, memory_bytes))| (pod, Reading { cpu_s, memory_bytes, at: now })));
        Ok(())
    }
}

/// CPU seconds and bytes by namespace and pod, from Prometheus' text format.
fn parse(text: &str) -> HashMap<PodName, (f64, u64)> {
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
    let used = |[pod_cpu, cpu, pod_memory, memory]: [f64; 4]| (pod_cpu.max(cpu), pod_memory.max(memory) as u64);
    pods.into_iter().map(|(pod, sums)| (pod, used(sums))).collect()
}

/// The value of a label. Names of pods and namespaces have nothing that would be escaped.
fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    labels.split(',').find_map(|label| label.trim().strip_prefix(name)?.strip_prefix("=\"")?.strip_suffix('"'))
}

#[cfg(test)]
mod tests {
    use super::parse;

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
        let pods = parse(text);
        assert_eq!(pods[&("batch".to_owned(), "kj-1-abcde".to_owned())], (1.234_567, 1_048_576));
        assert_eq!(pods[&("batch".to_owned(), "kj-1-fghij".to_owned())], (2.5, 7), "only its containers are told");
        assert_eq!(pods.len(), 2);
        assert!(parse("").is_empty());
    }
}
