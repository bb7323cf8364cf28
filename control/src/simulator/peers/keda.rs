//! KEDA's `ScaledJob` with the default strategy on the length of a queue: every 30 s as many new workers as
//! ceil(length ÷ target) exceeds those that run; none is ever stopped while items wait, and the rest goes a cooldown
//! after the queue was last seen with an item. After keda.sh/docs, “Scaling Jobs” and “Redis Lists”.

use serde::{Deserialize, Serialize};

use super::{Backlog, Every, Rule, whole};
use crate::observation::Observation;
use crate::simulator::scenario::Scenario;

const POLLING_S: f64 = 30.0;
const COOLDOWN_S: u64 = 300;

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
    active_ms: u64,
}

impl Keda {
    pub fn new(setting: &Setting, scenario: &Scenario) -> Self {
        Self { target: setting.backlog.items(scenario), every: Every::seconds(POLLING_S), active_ms: 0 }
    }
}

impl Rule for Keda {
    fn want(&mut self, seen: &Observation) -> Option<u32> {
        if !self.every.due(seen.at_ms) {
            return None;
        }
        if 0 < seen.items.waiting {
            self.active_ms = seen.at_ms;
            return Some(seen.allocated().max(whole(seen.items.waiting as f64 / self.target)));
        }
        (self.active_ms + COOLDOWN_S * 1000 <= seen.at_ms).then_some(seen.bounds.min)
    }
}
