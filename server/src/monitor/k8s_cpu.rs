//! CPU of the pods of a Kubernetes Job: in cores, and as a part of what they may use. With its age.

use async_trait::async_trait;
use control::plugin::Plugin;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Monitor, MonitorError, MonitorPlugin, Reading, Used, mean};
use crate::platform::Measured;

pub struct K8sCpu;

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

impl Plugin for K8sCpu {
    const KIND: &'static str = "k8s_cpu";
    const TITLE: &'static str = "CPU of pods";
    const ABOUT: &'static str = "Cores that each pod uses in the mean, and which part of its limit that is, as its kubelet \
        or the metrics API tells; for loops on CPU.";
    type Params = Params;
}

impl MonitorPlugin for K8sCpu {
    const METRICS: &'static [&'static str] = &["k8s_cpu", "k8s_cpu_share", "k8s_cpu_age"];

    fn build(params: Params) -> Box<dyn Monitor> {
        Box::new(OfPods { params, source: Source::of("The CPU of the pods is") })
    }
}

struct OfPods {
    params: Params,
    source: Source,
}

#[async_trait]
impl Monitor for OfPods {
    async fn read(&mut self, reading: &Reading) -> Result<Vec<(String, f64)>, MonitorError> {
        let fresh = self.source.fresh(K8sCpu::KIND, reading, self.params.max_age_s)?;
        let published = [
            ("k8s_cpu", mean(fresh.iter().map(|used| used.cores))),
            ("k8s_cpu_share", mean(fresh.iter().filter_map(|used| used.cpu_share))),
            ("k8s_cpu_age", age_s(&fresh)),
        ];
        Ok(published.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    }

    fn note(&mut self) -> Option<String> {
        self.source.note()
    }
}

/// How old the oldest reading is, in seconds.
pub fn age_s(fresh: &[Used]) -> Option<f64> {
    fresh.iter().map(|used| used.age_ms).max().map(|age_ms| age_ms as f64 / 1000.0)
}

/// Where readings of pods come from, and whether people were told.
pub struct Source {
    /// The beginning of the sentence that tells it.
    what: &'static str,
    told: Option<String>,
    news: Option<String>,
}

impl Source {
    pub fn of(what: &'static str) -> Self {
        Self { what, told: None, news: None }
    }

    /// The readings that are not too old; none while the first pods are not measured yet.
    ///
    /// # Errors
    /// When pods could not be read, or not for too long.
    pub fn fresh(&mut self, monitor: &'static str, reading: &Reading, max_age_s: f64) -> Result<Vec<Used>, MonitorError> {
        self.look(reading.measured.as_ref());
        let fresh: Vec<Used> = reading.used.iter().filter(|used| used.age_ms as f64 <= max_age_s * 1000.0).copied().collect();
        let fails = reading.measured.as_ref().and_then(|measured| measured.fails.as_ref());
        let newest = reading.used.iter().map(|used| used.age_ms).min();
        match (fresh.is_empty(), newest, fails) {
            (true, None, Some(why)) => {
                Err(MonitorError { monitor, why: format!("no pod was measured yet. {}", why.trim_end_matches('.')) })
            }
            (true, Some(age_ms), why) => {
                let because = why.map_or_else(String::new, |why| format!(". {}", why.trim_end_matches('.')));
                Err(MonitorError { monitor, why: format!("the newest reading is {} s old{because}", age_ms / 1000) })
            }
            _ => Ok(fresh),
        }
    }

    fn look(&mut self, measured: Option<&Measured>) {
        let how = measured.filter(|measured| measured.fails.is_none()).map(|measured| &measured.how);
        if let Some(how) = how.filter(|how| self.told.as_ref() != Some(how)) {
            self.told = Some(how.clone());
            self.news = Some(format!("{} read {}.", self.what, how.trim_end_matches('.')));
        }
    }

    pub fn note(&mut self) -> Option<String> {
        self.news.take()
    }
}

#[cfg(test)]
mod tests {
    use control::observation::Items;

    use super::*;

    fn used(cores: f64, cpu_share: Option<f64>, age_ms: u64) -> Used {
        Used { cores, cpu_share, memory_bytes: 1, memory_share: None, age_ms }
    }

    fn reading(used: Vec<Used>, measured: Option<Measured>) -> Reading {
        Reading {
            at_ms: 0,
            deadline_ms: 1,
            items: Items::default(),
            cpu: Vec::new(),
            memory_bytes: 0,
            used,
            measured,
            replicas: 0,
            replica_hours: 0.0,
        }
    }

    fn how(fails: Option<&str>) -> Option<Measured> {
        Some(Measured { how: "from the kubelets".to_owned(), fails: fails.map(str::to_owned) })
    }

    #[tokio::test]
    async fn cores_and_shares_are_means_and_their_age_is_that_of_the_oldest() {
        let mut monitor = K8sCpu::build(Params::default());
        let all = vec![used(0.2, Some(0.4), 2000), used(0.4, None, 7000), used(0.9, Some(0.8), 61_000)];
        let read = monitor.read(&reading(all, how(None))).await.unwrap();
        let named = |name: &str| read.iter().find(|(known, _)| known == name).map(|(_, value)| *value).unwrap();
        assert!((named("k8s_cpu") - 0.3).abs() < 1e-9, "one reading is too old: {read:?}");
        assert_eq!((named("k8s_cpu_share"), named("k8s_cpu_age")), (0.4, 7.0));
        assert_eq!(monitor.note().unwrap(), "The CPU of the pods is read from the kubelets.");
        assert_eq!(monitor.note(), None, "once");
    }

    #[tokio::test]
    async fn what_is_not_read_is_no_zero() {
        let mut monitor = K8sCpu::build(Params::default());
        assert_eq!(monitor.read(&reading(Vec::new(), None)).await.unwrap(), [], "the first pods are still starting");
        let refused = monitor.read(&reading(Vec::new(), how(Some("The cluster has no metrics API.")))).await.unwrap_err();
        assert_eq!(refused.to_string(), "monitor k8s_cpu could not read: no pod was measured yet. The cluster has no metrics API");
        let old = monitor.read(&reading(vec![used(0.1, None, 75_000)], how(None))).await.unwrap_err();
        assert!(old.to_string().ends_with("the newest reading is 75 s old"), "{old}");
    }
}
