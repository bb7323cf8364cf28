//! Memory of the pods of a Kubernetes Job: in bytes, and how near the fullest pod is to being killed. With its age.

use control::plugin::Plugin;

use super::pods::{OfPods, Params, Source, age_s};
use super::{Monitor, MonitorPlugin, Used, mean};

pub struct K8sMemory;

impl Plugin for K8sMemory {
    const KIND: &'static str = "k8s_memory";
    const TITLE: &'static str = "Memory of pods";
    const ABOUT: &'static str = "Bytes that each pod holds in the mean, and which part of its limit the fullest one does, as \
        its kubelet or the metrics API tells.";
    type Params = Params;
}

impl MonitorPlugin for K8sMemory {
    const METRICS: &'static [&'static str] = &["k8s_memory", "k8s_memory_share", "k8s_memory_age"];

    fn build(params: Params) -> Box<dyn Monitor> {
        Box::new(OfPods { kind: Self::KIND, max_age_s: params.max_age_s, source: Source::of("The memory of the pods is"), figures })
    }
}

fn figures(fresh: &[Used]) -> [(&'static str, Option<f64>); 3] {
    [
        ("k8s_memory", mean(fresh.iter().map(|used| used.memory_bytes as f64))),
        ("k8s_memory_share", fresh.iter().filter_map(|used| used.memory_share).max_by(f64::total_cmp)),
        ("k8s_memory_age", age_s(fresh)),
    ]
}
