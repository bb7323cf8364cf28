//! KEDA's `ScaledJob` with the default strategy on the length of a queue: every 30 s as many new workers as
//! ceil(length ÷ target) exceeds those that run beyond the least number; it never stops one. A worker that finds the
//! queue empty ends by itself, for a job runs to completion: there is no cooldown. Source: keda.sh/docs, “ScaledJob
//! specification”, sections “pollingInterval”, “minReplicaCount”, “maxReplicaCount” and “scalingStrategy” (default); “Redis
//! Lists” (a length without the items that are held); kedacore/keda, `pkg/scaling/executor/scale_jobs.go`
//! (`getScalingDecision`).

use serde::{Deserialize, Serialize};

use super::{Backlog, Every, Rule, whole};
use crate::observation::Observation;
use crate::simulator::scenario::Scenario;

const POLLING_S: f64 = 30.0;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    pub backlog: Backlog,
}

impl Setting {
    pub fn lists() -> [Vec<Self>; 2] {
        Backlog::lists().map(|list| list.into_iter().map(|backlog| Self { backlog }).collect())
    }
}

pub struct Keda {
    target: f64,
    every: Every,
}

impl Keda {
    pub fn new(setting: &Setting, scenario: &Scenario) -> Self {
        Self { target: setting.backlog.items(scenario), every: Every::seconds(POLLING_S) }
    }
}

impl Rule for Keda {
    fn want(&mut self, seen: &Observation) -> Option<u32> {
        let polled = self.every.due(seen.at_ms);
        if seen.items.waiting == 0 {
            let busy = u32::try_from(seen.items.processing).unwrap_or(u32::MAX);
            return Some(seen.allocated().min(busy));
        }
        let most = whole(seen.items.waiting as f64 / self.target).min(seen.bounds.max);
        polled.then(|| seen.allocated().max(most.saturating_add(seen.bounds.min)))
    }
}
