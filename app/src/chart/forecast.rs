//! When the newest forecast says that a job will be done. Pure.

use control::live::JobSummary;

use super::{
    kinds::SeriesMap,
    model::{EVEN, Layer, Shape},
    palette::Ink,
};

/// An older forecast is not the newest: its loop has ended or sees nothing.
const STALE_MS: i64 = 60_000;

/// How much of its ink the fan has.
pub const FAN_ALPHA: f64 = 0.18;

/// A finish band: moments in milliseconds since 1970, and the probability of being in time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    pub p5: i64,
    pub p50: i64,
    pub p95: i64,
    pub p_meet: Option<f64>,
}

/// The newest band of the first loop that gives one; nothing once the job has ended.
pub fn band(summary: &JobSummary, series: &SeriesMap, now: i64) -> Option<Band> {
    if summary.phase.ended() {
        return None;
    }
    let name = forecaster(series)?;
    let moment = |quantile: &str| {
        let point = series.get(&format!("finish.{name}.{quantile}"))?.last()?;
        (now - point.at <= STALE_MS && point.last.is_finite()).then(|| point.at + (point.last * 1000.0) as i64)
    };
    let p_meet = series.get(&format!("term.{name}.p_meet")).and_then(|points| points.last()).map(|point| point.last);
    Some(Band { p5: moment("p5")?, p50: moment("p50")?, p95: moment("p95")?, p_meet })
}

/// The first loop that foretells.
pub fn forecaster(series: &SeriesMap) -> Option<&str> {
    series.keys().find_map(|name| name.strip_prefix("finish.")?.strip_suffix(".p50"))
}

/// The fan from what is done now to the end of all items, with its likeliest line.
pub fn fan(summary: &JobSummary, band: Band, now: i64) -> [Layer; 2] {
    let (done, total) = (summary.items.done as f64, summary.items.total as f64);
    let start = (now, done);
    // An area goes along one time axis: the early edge rises to the top and stays there until the late one arrives.
    let (early, late) = (band.p5.max(now), band.p95.max(now + 1));
    let at_early = done + (total - done) * (early - now) as f64 / (late - now) as f64;
    let area = Layer {
        ink: Ink::Done,
        shape: Shape::Area { base: vec![start, (early, at_early), (late, total)], alpha: FAN_ALPHA },
        points: vec![start, (early, total), (late, total)],
    };
    let line = Layer { ink: Ink::Done, shape: Shape::Line { width: 1, dash: EVEN }, points: vec![start, (band.p50.max(now), total)] };
    [area, line]
}

#[cfg(test)]
mod tests {
    use control::{job::Phase, live::Point};

    use super::*;
    use crate::job::verdict::tests::job;

    fn series(at: i64) -> SeriesMap {
        let all = [("finish.main.p5", 10.0), ("finish.main.p50", 20.0), ("finish.main.p95", 40.0), ("term.main.p_meet", 0.97)];
        all.into_iter().map(|(name, last)| (name.to_owned(), vec![Point { at, min: last, max: last, last }])).collect()
    }

    #[test]
    fn seconds_from_the_decision_become_moments() {
        let summary = job(Phase::Running, 40, 0);
        let found = band(&summary, &series(5_000), 6_000);
        assert_eq!(found, Some(Band { p5: 15_000, p50: 25_000, p95: 45_000, p_meet: Some(0.97) }));
        assert_eq!(band(&summary, &series(5_000), 6_000 + STALE_MS), None);
        assert_eq!(band(&summary, &SeriesMap::new(), 6_000), None);
    }

    #[test]
    fn the_fan_opens_from_now_and_ends_at_all_items() {
        let summary = job(Phase::Running, 40, 0);
        let [area, line] = fan(&summary, Band { p5: 15_000, p50: 25_000, p95: 45_000, p_meet: None }, 6_000);
        let total = summary.items.total as f64;
        assert_eq!(area.points.last(), Some(&(45_000, total)));
        assert_eq!(line.points, [(6_000, summary.items.done as f64), (25_000, total)]);
        let Shape::Area { base, .. } = area.shape else { panic!("the fan is an area") };
        assert_eq!(base.len(), area.points.len());
    }
}
