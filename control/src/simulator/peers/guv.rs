//! guv, a governor for workers on a queue: ceil(length × processing time ÷ (target − processing time)), where the target
//! is the deadline less 2.33 deviations; more at once, fewer only down to the largest wish of the last 120 s. Its deadline
//! is one item's; a batch job gives it the time that is left. The length is RabbitMQ's `messages`, which counts those that
//! a worker holds too. Source: github.com/flowhub/guv, `src/scale.coffee` (`proportional`, `scaleWithHistory`),
//! `src/config.coffee` (`calculateTarget` and the defaults), `src/governor.coffee` (four polls of history before the one
//! of now), `src/rabbitmq.coffee` (the length).

use serde::{Deserialize, Serialize};

use super::{Every, Rule, Window, whole};
use crate::observation::Observation;

const POLL_S: f64 = 30.0;
const HISTORY_MS: u64 = 120_000;
/// guv's guesses when it is told nothing: seconds an item, and the deviation as a share of that.
const PROCESSING_S: f64 = 10.0;
const DEVIATION: f64 = 0.5;
/// 99 of 100 lie below the mean and so many deviations.
const PERCENTILE_99: f64 = 2.326;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// Of the time left that it is told of: it has no margin of its own.
    pub share: f64,
    /// Taken off for the start of workers; it declares such a time and does not use it.
    pub boot_s: f64,
}

impl Setting {
    pub fn list() -> Vec<Self> {
        let shares = [1.0, 0.9, 0.8, 0.65, 0.5];
        shares.into_iter().flat_map(|share| [0.0, 30.0].map(|boot_s| Self { share, boot_s })).collect()
    }
}

pub struct Guv {
    setting: Setting,
    every: Every,
    window: Window,
    count: f64,
    sum_s: f64,
    squares: f64,
}

impl Guv {
    pub fn new(setting: &Setting) -> Self {
        Self { setting: setting.clone(), every: Every::seconds(POLL_S), window: Window::default(), count: 0.0, sum_s: 0.0, squares: 0.0 }
    }

    /// Measured once there is something to measure, as its own statistics tool does; else believed.
    fn processing_s(&self, seen: &Observation) -> (f64, f64) {
        if self.count < 5.0 {
            let mean_s = seen.hints.service_ms_mean.map_or(PROCESSING_S, |hint_ms| hint_ms / 1000.0);
            return (mean_s, DEVIATION * mean_s);
        }
        let mean_s = self.sum_s / self.count;
        (mean_s, (self.squares / self.count - mean_s * mean_s).max(0.0).sqrt())
    }
}

impl Rule for Guv {
    fn want(&mut self, seen: &Observation) -> Option<u32> {
        for completion in &seen.completions {
            let service_s = completion.service_ms / 1000.0;
            self.count += 1.0;
            self.sum_s += service_s;
            self.squares += service_s * service_s;
        }
        if !self.every.due(seen.at_ms) {
            return None;
        }
        let (mean_s, deviation_s) = self.processing_s(seen);
        let left_s = seen.deadline_ms.unwrap_or(u64::MAX).saturating_sub(seen.at_ms) as f64 / 1000.0;
        let target_s = self.setting.share * left_s - self.setting.boot_s - PERCENTILE_99 * deviation_s;
        // What is too late for its rule gets all it can take.
        let available_s = (target_s - mean_s).max(0.01);
        let want = whole(seen.items.left() as f64 * mean_s / available_s).min(seen.bounds.max);
        let calm = self.window.largest(seen.at_ms, want, HISTORY_MS);
        Some(if seen.allocated() < want { want } else { calm.min(seen.allocated()) })
    }
}
