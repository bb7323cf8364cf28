//! Memory of the pods of a Kubernetes Job: in bytes, and how near the fullest pod is to being killed. With its age.

use async_trait::async_trait;
use control::plugin::Plugin;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::k8s_cpu::{Source, age_s};
use super::{Monitor, MonitorError, MonitorPlugin, Reading, mean};

pub struct K8sMemory;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// A reading older than this is as good as none: loops on it hold. One job alone is read each 25 s.
    #[garde(range(min = 5.0, max = 600.0))]
    #[schemars(range(min = 5.0, max = 600.0), extend("x-unit" = "s", "x-step" = 5.0))]
    pub max_age_s: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self { max_age_s: 60.0 }
    }
}

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
        Box::new(OfPods { params, source: Source::of("The memory of the pods is") })
    }
}

struct OfPods {
    params: Params,
    source: Source,
}

#[async_trait]
impl Monitor for OfPods {
    async fn read(&mut self, reading: &Reading) -> Result<Vec<(String, f64)>, MonitorError> {
        let fresh = self.source.fresh(K8sMemory::KIND, reading, self.params.max_age_s)?;
        let published = [
            ("k8s_memory", mean(fresh.iter().map(|used| used.memory_bytes as f64))),
            ("k8s_memory_share", fresh.iter().filter_map(|used| used.memory_share).max_by(f64::total_cmp)),
            ("k8s_memory_age", age_s(&fresh)),
        ];
        Ok(published.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    }

    fn note(&mut self) -> Option<String> {
        self.source.note()
    }
}
