//! Kubernetes' HorizontalPodAutoscaler on an external metric, the length of the queue, with an average value per
//! replica: ceil(length ÷ target), nothing within a tenth, at most four more or twice as many every 15 s, and down only
//! to the largest wish of the last 300 s. Source: kubernetes.io/docs, “Horizontal Pod Autoscaling”, sections “Algorithm
//! details” and “Default behavior”; kubernetes/kubernetes, `pkg/controller/podautoscaler/replica_calculator.go`
//! (`GetExternalPerPodMetricReplicas`: the ratio is to the pods that exist) and `horizontal.go` (the limits and the
//! window, whose oldest wish is younger than 300 s).

use serde::{Deserialize, Serialize};

use super::{Backlog, Every, Rule, Window, standing, whole};
use crate::observation::Observation;
use crate::simulator::scenario::Scenario;

const SYNC_S: f64 = 15.0;
const TOLERANCE: f64 = 0.1;
const MORE_AT_ONCE: u32 = 4;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    pub backlog: Backlog,
    pub stabilization_s: f64,
}

impl Setting {
    pub fn lists() -> [Vec<Self>; 2] {
        Backlog::lists().map(|list| {
            let settings = list.into_iter().flat_map(|backlog| [300.0, 60.0].map(|stabilization_s| Self { backlog, stabilization_s }));
            settings.collect()
        })
    }
}

pub struct Hpa {
    target: f64,
    window_ms: u64,
    every: Every,
    window: Window,
}

impl Hpa {
    pub fn new(setting: &Setting, scenario: &Scenario) -> Self {
        Self {
            target: setting.backlog.items(scenario),
            window_ms: (setting.stabilization_s * 1000.0) as u64,
            every: Every::seconds(SYNC_S),
            window: Window::default(),
        }
    }
}

impl Rule for Hpa {
    fn want(&mut self, seen: &Observation) -> Option<u32> {
        if !self.every.due(seen.at_ms) {
            return None;
        }
        let replicas = seen.allocated();
        // Fewer than were asked for while the platform has no more.
        let standing = standing(seen);
        let length = seen.items.waiting as f64;
        let ratio = length / (self.target * f64::from(standing.max(1)));
        let want = if (ratio - 1.0).abs() <= TOLERANCE { standing } else { whole(length / self.target) };
        // Its first look takes what is there for a wish of its own.
        if self.window.wanted.is_empty() {
            self.window.largest(seen.at_ms, replicas, self.window_ms - 1);
        }
        let calm = self.window.largest(seen.at_ms, want, self.window_ms - 1);
        let limit = (replicas * 2).max(replicas + MORE_AT_ONCE);
        Some(if replicas < want { want.min(limit) } else { calm.min(replicas) })
    }
}
