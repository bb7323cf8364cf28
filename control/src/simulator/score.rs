//! What came of one run, measured against hindsight.

use serde::{Deserialize, Serialize};

use super::clairvoyant::Clairvoyant;
use super::plant::Tally;
use super::scenario::Scenario;
use crate::control_loop::Effect;
use crate::forecast::Forecast;

/// When the forecast is taken: shares of the items done.
pub const SHARES: [f64; 3] = [0.25, 0.5, 0.75];

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    pub name: String,
    pub controller: String,
    pub seed: u64,
    /// None when it was cut off long after its deadline, or given up.
    pub finish_s: Option<f64>,
    /// The one in force at the end.
    pub deadline_s: f64,
    pub met: bool,
    pub feasible: bool,
    pub replica_seconds: f64,
    pub clairvoyant_replica_seconds: f64,
    pub cost_ratio: f64,
    pub peak: u32,
    /// The least constant allocation in hindsight; the greatest possible when none meets the deadline.
    pub clairvoyant_peak: u32,
    /// Replicas above the clairvoyant's over time, as a share of its own over the deadline.
    pub over_allocation: f64,
    pub moves: u32,
    /// Moves in the other direction than the move before.
    pub reversals: u32,
    /// Seconds of work that scale-ins threw away.
    pub lost_work_s: f64,
    /// Items that a scale-in sent back.
    pub items_lost: u64,
    pub crashes: u64,
    /// Seconds of work that crashes and missing capacity threw away.
    pub crash_lost_work_s: f64,
    /// At a quarter, at half and at three quarters of the items.
    pub forecasts: Vec<ForecastScore>,
    /// When the controller first said that the deadline cannot be met, and what it then called the earliest
    /// finish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced_earliest_ms: Option<u64>,
    /// When the controller gave the job up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gave_up_s: Option<f64>,
    pub ticks: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ForecastScore {
    pub items_share: f64,
    pub at_s: f64,
    pub p5_s: f64,
    pub p50_s: f64,
    pub p95_s: f64,
    pub p_meet: f64,
    /// The finish lay between p5 and p95.
    pub covered: bool,
    /// From p5 to p95, as a share of the deadline.
    pub width: f64,
}

/// What is counted while the run goes on.
#[derive(Debug, Default)]
pub struct Counts {
    goal: u32,
    moves: u32,
    reversals: u32,
    rising: Option<bool>,
    forecasts: [Option<(u64, Forecast)>; SHARES.len()],
    announced: Option<(u64, u64)>,
    pub gave_up_s: Option<f64>,
    pub ticks: u64,
}

impl Counts {
    pub fn new(initial: u32) -> Self {
        Self { goal: initial, ..Self::default() }
    }

    /// What a tick brought, with so many of all items done by then.
    pub fn tick(&mut self, at_ms: u64, done_share: f64, effects: &[Effect]) {
        self.ticks += 1;
        for effect in effects {
            match effect {
                Effect::Decided(decision) => {
                    if let Some(forecast) = decision.forecast {
                        self.forecast(at_ms, done_share, forecast);
                    }
                }
                Effect::Move { to } if *to != self.goal => {
                    let rising = self.goal < *to;
                    self.moves += 1;
                    self.reversals += u32::from(self.rising == Some(!rising));
                    self.rising = Some(rising);
                    self.goal = *to;
                }
                _ => {}
            }
        }
    }

    fn forecast(&mut self, at_ms: u64, done_share: f64, forecast: Forecast) {
        for (share, kept) in SHARES.iter().zip(&mut self.forecasts) {
            if *share <= done_share && kept.is_none() {
                *kept = Some((at_ms, forecast));
            }
        }
        if self.announced.is_none() {
            self.announced = forecast.earliest_ms.map(|earliest_ms| (at_ms, earliest_ms));
        }
    }

    pub fn result(
        &self,
        scenario: &Scenario,
        controller: &str,
        hindsight: &Clairvoyant,
        end_s: f64,
        ended: bool,
        tally: &Tally,
    ) -> RunResult {
        let least = hindsight.reference(scenario);
        let deadline_s = scenario.deadline_at_s(end_s);
        let finish_s = ended.then_some(end_s);
        let (mut replica_seconds, mut above, mut peak) = (0.0, 0.0, 0);
        let ends = tally.history.iter().skip(1).map(|(at_s, _)| *at_s).chain([end_s]);
        for ((from_s, count), to_s) in tally.history.iter().zip(ends) {
            replica_seconds += f64::from(*count) * (to_s - from_s);
            above += f64::from(count.saturating_sub(least)) * (to_s - from_s);
            peak = peak.max(*count);
        }
        let forecasts = SHARES.iter().zip(self.forecasts).filter_map(|(share, kept)| {
            let (at_ms, forecast) = kept?;
            let [at_s, p5_s, p50_s, p95_s] = [at_ms, forecast.p5_ms, forecast.p50_ms, forecast.p95_ms].map(|ms| ms as f64 / 1000.0);
            // To the millisecond, as the forecast itself is.
            let covered = finish_s.is_some_and(|finish_s| p5_s <= finish_s + 0.001 && finish_s <= p95_s + 0.001);
            let width = (p95_s - p5_s) / deadline_s;
            Some(ForecastScore { items_share: *share, at_s, p5_s, p50_s, p95_s, p_meet: forecast.p_meet, covered, width })
        });
        RunResult {
            name: scenario.name.clone(),
            controller: controller.to_owned(),
            seed: scenario.seed,
            finish_s,
            deadline_s,
            met: finish_s.is_some_and(|finish_s| finish_s <= deadline_s),
            feasible: hindsight.feasible,
            replica_seconds,
            clairvoyant_replica_seconds: hindsight.replica_seconds,
            cost_ratio: if 0.0 < hindsight.replica_seconds { replica_seconds / hindsight.replica_seconds } else { 1.0 },
            peak,
            clairvoyant_peak: least,
            over_allocation: above / (f64::from(least) * deadline_s),
            moves: self.moves,
            reversals: self.reversals,
            lost_work_s: tally.lost_work_s,
            items_lost: tally.items_lost,
            crashes: tally.crashes,
            crash_lost_work_s: tally.crash_lost_work_s,
            forecasts: forecasts.collect(),
            announced_ms: self.announced.map(|(at_ms, _)| at_ms),
            announced_earliest_ms: self.announced.map(|(_, earliest_ms)| earliest_ms),
            gave_up_s: self.gave_up_s,
            ticks: self.ticks,
        }
    }
}
