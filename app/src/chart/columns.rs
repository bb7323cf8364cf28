//! The figures of a chart: what crosshair, table and CSV say. Pure.

use control::{job::JobSpec, live::JobSummary};

use super::{
    forecast::forecaster,
    kinds::{ChartKind, Facts, SeriesMap, wishers},
    model::point_at,
};
use crate::ui::words;

/// The even pace, which is computed and not stored.
pub const PLAN: &str = "plan";

/// One series with its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub series: String,
    pub label: String,
}

/// The figures that a chart of this job has, the leading one first.
pub fn columns(kind: ChartKind, spec: &JobSpec, series: &SeriesMap) -> Vec<Column> {
    let column = |series: &str, label: &str| Column { series: series.to_owned(), label: label.to_owned() };
    match kind {
        ChartKind::Progress => {
            let mut all = vec![column("done", "done"), column(PLAN, "even pace")];
            if let Some(name) = forecaster(series) {
                let ends = [("p5", "early finish"), ("p50", "likely finish"), ("p95", "late finish")];
                all.extend(ends.map(|(quantile, label)| column(&format!("finish.{name}.{quantile}"), label)));
            }
            all
        }
        ChartKind::Replicas => {
            let mut all = ["wanted", "running", "starting", "draining"].map(|name| column(name, name)).to_vec();
            let wish = |name: &str| column(&format!("wish.{name}"), &format!("wish of {name}"));
            all.extend(wishers(spec).iter().map(|one| wish(&one.name)));
            all
        }
        ChartKind::Cpu => vec![column("cpu", "CPU")],
        ChartKind::Error => vec![column("progress_error", "error")],
    }
}

/// Items that the even pace would have done at a moment, milliseconds since 1970.
pub fn plan(summary: &JobSummary, at: i64) -> f64 {
    let whole = (summary.deadline_at - summary.submitted_at).max(1);
    let passed = (at - summary.submitted_at) as f64 / whole as f64;
    passed.clamp(0.0, 1.0) * summary.items.total as f64
}

impl Column {
    /// What held at a moment, in words. A finish is a time of day.
    pub fn says(&self, kind: ChartKind, facts: &Facts, at: i64) -> Option<String> {
        if self.series == PLAN {
            return Some(kind.label(plan(facts.summary, at)));
        }
        let point = point_at(facts.series.get(&self.series)?, at)?;
        Some(if self.series.starts_with("finish.") {
            words::clock(point.at + (point.last * 1000.0) as i64, facts.zone)
        } else {
            kind.label(point.last)
        })
    }

    /// Usual and not worth the room at the crosshair: nothing starts or drains; the likely finish says enough.
    fn quiet(&self, said: &str) -> bool {
        matches!(&*self.series, "starting" | "draining") && said == "0" || matches!(&*self.label, "early finish" | "late finish")
    }
}

/// Everything at one moment, for the crosshair: `17:31:05 · done 1 020 · …`.
pub fn readout(facts: &Facts, at: i64) -> String {
    let mut said = vec![words::clock(at, facts.zone)];
    for kind in ChartKind::ALL {
        for column in columns(kind, facts.spec, facts.series) {
            if let Some(value) = column.says(kind, facts, at).filter(|value| !column.quiet(value)) {
                said.push(format!("{} {value}", column.label));
            }
        }
    }
    said.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::kinds::tests::{one_job, two_loops};

    #[test]
    fn the_crosshair_says_pace_finish_and_each_loops_wish() {
        two_loops(|facts| {
            let said = readout(facts, 30_000);
            assert_eq!(
                said,
                "00:00:30 · done 30 · even pace 25 · likely finish 00:01:30 · wanted 3 · running 3 · wish of pace 3 · wish of cost 2"
            );
        });
        one_job(|facts| assert_eq!(readout(facts, 30_000), "00:00:30 · done 30 · even pace 25 · wanted 3 · running 3"));
    }

    #[test]
    fn the_table_has_both_ends_of_the_forecast() {
        two_loops(|facts| {
            let columns = columns(ChartKind::Progress, facts.spec, facts.series);
            let row: Vec<_> = columns.iter().map(|one| one.says(ChartKind::Progress, facts, 30_000).unwrap()).collect();
            assert_eq!(row, ["30", "25", "00:01:20", "00:01:30", "00:01:50"]);
        });
    }

    #[test]
    fn the_even_pace_ends_at_the_deadline() {
        two_loops(|facts| {
            assert_eq!(plan(facts.summary, 0), 0.0);
            assert_eq!(plan(facts.summary, 500_000), facts.summary.items.total as f64);
        });
    }
}
