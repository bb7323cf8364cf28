//! The newest full look, which stands for a while when little can have changed: a look costs tens of
//! microseconds, and a job may be looked at for days.

use serde::{Deserialize, Serialize};

use super::Params;
use crate::forecast::Forecast;
use crate::observation::{Items, Observation};

/// It stands for at most this share of the time left, and while nothing was begun or done …
const SHARE_OF_TIME: f64 = 0.01;

/// … or fewer than this share of the waiting items were taken.
const SHARE_OF_ITEMS: f64 = 0.02;

/// Before so many items are known each one tells much.
const KNOWN_ITEMS: f64 = 20.0;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Look {
    at_ms: u64,
    waiting: u64,
    #[serde(default)]
    processing: u64,
    #[serde(default)]
    done: u64,
    /// Of all that people and the platform can change.
    asked: u64,
    pub chosen: u32,
    pub mean_service_ms: f64,
    pub forecast: Forecast,
}

impl Look {
    pub fn new(params: &Params, seen: &Observation, chosen: u32, mean_service_ms: f64, forecast: Forecast) -> Self {
        let Items { waiting, processing, done, .. } = seen.items;
        Self { at_ms: seen.at_ms, waiting, processing, done, asked: asked(params, seen), chosen, mean_service_ms, forecast }
    }

    /// Whether another look would find much the same.
    pub fn stands(&self, params: &Params, seen: &Observation, known: f64) -> bool {
        let since_ms = seen.at_ms.saturating_sub(self.at_ms) as f64;
        self.chosen == seen.allocated()
            && since_ms < SHARE_OF_TIME * self.left_ms(seen)
            && (self.same_items(seen) || known >= KNOWN_ITEMS && self.few_taken(seen))
            && self.asked == asked(params, seen)
    }

    /// Until the deadline, or until the end once the deadline was given up.
    fn left_ms(&self, seen: &Observation) -> f64 {
        let until_ms = self.forecast.earliest_ms.max(seen.deadline_ms).unwrap_or(seen.at_ms);
        until_ms.saturating_sub(seen.at_ms) as f64
    }

    /// Nothing was begun or done since.
    fn same_items(&self, seen: &Observation) -> bool {
        (self.waiting, self.processing, self.done) == (seen.items.waiting, seen.items.processing, seen.items.done)
    }

    fn few_taken(&self, seen: &Observation) -> bool {
        let taken = self.waiting.saturating_sub(seen.items.waiting) as f64;
        seen.items.waiting > 0 && seen.items.waiting <= self.waiting && taken < SHARE_OF_ITEMS * self.waiting as f64
    }
}

/// One number for everything whose change must count at the next activation (FNV-1a over its bits).
fn asked(params: &Params, seen: &Observation) -> u64 {
    let hints = seen.hints.history;
    let parts = [
        params.margin.to_bits(),
        params.hysteresis.to_bits(),
        (params.when_late as u64) << 8 | params.prefer as u64,
        seen.deadline_ms.unwrap_or(u64::MAX),
        seen.confidence.to_bits(),
        u64::from(seen.bounds.min) << 32 | u64::from(seen.most()),
        seen.hints.service_ms_mean.map_or(0, f64::to_bits),
        hints.map_or(0, |history| history.log_mean.to_bits() ^ history.log_sd.to_bits().rotate_left(1)),
        seen.budget.map_or(0, |budget| budget.limit.to_bits() ^ budget.price_replica_hour.to_bits().rotate_left(1)),
    ];
    parts.iter().fold(0xcbf2_9ce4_8422_2325, |hash, part| (hash ^ part).wrapping_mul(0x0100_0000_01b3))
}
