//! Many outcomes, summed up.

use super::super::score::{RunResult, SHARES};

/// One job under one controller.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub result: RunResult,
    pub causes: Vec<&'static str>,
    /// Time of the law, when it was measured.
    pub step_mean_us: f64,
    pub step_worst_us: f64,
}

#[derive(Debug, Clone, Default)]
pub struct Summary {
    pub jobs: usize,
    pub met: usize,
    /// Lateness of those that missed, as a share of the deadline: half of them, 95 of 100. Cut runs count as
    /// infinite.
    pub late_p50: f64,
    pub late_p95: f64,
    pub over_mean: f64,
    pub over_p95: f64,
    pub cost_mean: f64,
    pub cost_p95: f64,
    /// Peak against the clairvoyant's.
    pub peak_mean: f64,
    pub moves_mean: f64,
    pub reversals_mean: f64,
    pub reversals_p95: f64,
    pub items_lost: u64,
    pub forecasts: [Forecasts; SHARES.len()],
    /// Said that the deadline cannot be met.
    pub announced: usize,
    /// … before a tenth of it was over.
    pub announced_early: usize,
    /// … and met it then: a false alarm.
    pub announced_and_met: usize,
    pub step_mean_us: f64,
    pub step_worst_us: f64,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Forecasts {
    pub jobs: usize,
    pub covered: usize,
    pub width_p50: f64,
}

impl Summary {
    pub fn new(outcomes: &[Outcome]) -> Self {
        let results = || outcomes.iter().map(|outcome| &outcome.result);
        let mean = |value: fn(&RunResult) -> f64| average(results().map(value));
        let p95 = |value: fn(&RunResult) -> f64| quantile(results().map(value).collect(), 0.95);
        let late: Vec<f64> = results().filter(|result| !result.met).map(lateness).collect();
        let early = |result: &&RunResult| result.announced_ms.is_some_and(|at_ms| at_ms as f64 <= 100.0 * result.deadline_s);
        let ticks: u64 = results().map(|result| result.ticks).sum();
        Self {
            jobs: outcomes.len(),
            met: results().filter(|result| result.met).count(),
            late_p50: quantile(late.clone(), 0.5),
            late_p95: quantile(late, 0.95),
            over_mean: mean(|result| result.over_allocation),
            over_p95: p95(|result| result.over_allocation),
            cost_mean: mean(|result| result.cost_ratio),
            cost_p95: p95(|result| result.cost_ratio),
            peak_mean: mean(|result| f64::from(result.peak) / f64::from(result.clairvoyant_peak)),
            moves_mean: mean(|result| f64::from(result.moves)),
            reversals_mean: mean(|result| f64::from(result.reversals)),
            reversals_p95: p95(|result| f64::from(result.reversals)),
            items_lost: results().map(|result| result.items_lost).sum(),
            forecasts: SHARES.map(|share| forecasts(outcomes, share)),
            announced: results().filter(|result| result.announced_ms.is_some()).count(),
            announced_early: results().filter(early).count(),
            announced_and_met: results().filter(|result| result.announced_ms.is_some() && result.met).count(),
            step_mean_us: outcomes.iter().map(|outcome| outcome.step_mean_us * outcome.result.ticks as f64).sum::<f64>()
                / ticks.max(1) as f64,
            step_worst_us: outcomes.iter().map(|outcome| outcome.step_worst_us).fold(0.0, f64::max),
        }
    }

    pub fn met_share(&self) -> f64 {
        self.met as f64 / self.jobs.max(1) as f64
    }
}

fn forecasts(outcomes: &[Outcome], share: f64) -> Forecasts {
    let taken: Vec<_> = outcomes.iter().flat_map(|outcome| &outcome.result.forecasts).filter(|taken| taken.items_share == share).collect();
    Forecasts {
        jobs: taken.len(),
        covered: taken.iter().filter(|taken| taken.covered).count(),
        width_p50: quantile(taken.iter().map(|taken| taken.width).collect(), 0.5),
    }
}

/// As a share of the deadline.
pub fn lateness(result: &RunResult) -> f64 {
    result.finish_s.map_or(f64::INFINITY, |finish_s| finish_s / result.deadline_s - 1.0)
}

fn average(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0u32, 0.0), |(count, sum), value| (count + 1, sum + value));
    if count == 0 { 0.0 } else { sum / f64::from(count) }
}

/// The value that so many of all do not exceed; 0 of none.
pub fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.max(1) - 1).copied().unwrap_or(0.0)
}

/// In which 95 of 100 such intervals hold the true share: Wilson's, sound near 0 and 1 too.
pub fn wilson(hits: usize, of: usize) -> (f64, f64) {
    const Z: f64 = 1.959_963_984_540_054;
    if of == 0 {
        return (0.0, 1.0);
    }
    let (n, share) = (of as f64, hits as f64 / of as f64);
    let middle = share + Z * Z / (2.0 * n);
    let spread = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (((middle - spread) / scale).max(0.0), ((middle + spread) / scale).min(1.0))
}
