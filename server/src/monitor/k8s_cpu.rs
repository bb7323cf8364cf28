//! CPU of the pods of a Kubernetes Job: in cores, and as a part of what they may use. With its age.

use control::plugin::Plugin;

use super::pods::{OfPods, Params, Source, age_s};
use super::{Monitor, MonitorPlugin, Used, mean};

pub struct K8sCpu;

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
        Box::new(OfPods { kind: Self::KIND, max_age_s: params.max_age_s, source: Source::of("The CPU of the pods is"), figures })
    }
}

fn figures(fresh: &[Used]) -> [(&'static str, Option<f64>); 3] {
    [
        ("k8s_cpu", mean(fresh.iter().map(|used| used.cores))),
        ("k8s_cpu_share", mean(fresh.iter().filter_map(|used| used.cpu_share))),
        ("k8s_cpu_age", age_s(fresh)),
    ]
}

#[cfg(test)]
mod tests {
    use control::observation::Items;

    use super::*;
    use crate::monitor::Reading;
    use crate::platform::Measured;

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
