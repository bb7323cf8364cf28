//! Summaries as the rows of tables.

use super::summary::{Summary, wilson};

/// Column heads of `row`, as one line of a Markdown table with its rule.
pub const HEAD: &str = "| Law | Met | 95 % interval | Late p50 | Over mean | Over p95 | Cost mean | Cost p95 | Peak | Moves | Reversals | Rev. p95 | Lost items | Coverage 25/50/75 % | Width 25/50/75 % |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|";

pub fn row(name: &str, summary: &Summary) -> String {
    let (low, high) = wilson(summary.met, summary.jobs);
    let coverage = summary.forecasts.map(|at| if at.jobs == 0 { "–".to_owned() } else { format!("{:.0}", percent(at.covered, at.jobs)) });
    let width = summary.forecasts.map(|at| if at.jobs == 0 { "–".to_owned() } else { format!("{:.2}", at.width_p50) });
    format!(
        "| {name} | {}/{} {:.1} % | {:.1}–{:.1} | {} | {:.3} | {:.3} | {:.3} | {:.3} | {:.2} | {:.1} | {:.1} | {:.0} | {} | {} | {} |",
        summary.met,
        summary.jobs,
        percent(summary.met, summary.jobs),
        100.0 * low,
        100.0 * high,
        if summary.met == summary.jobs { "–".to_owned() } else { format!("{:.1} %", 100.0 * summary.late_p50) },
        summary.over_mean,
        summary.over_p95,
        summary.cost_mean,
        summary.cost_p95,
        summary.peak_mean,
        summary.moves_mean,
        summary.reversals_mean,
        summary.reversals_p95,
        summary.items_lost,
        coverage.join(" / "),
        width.join(" / "),
    )
}

pub fn percent(hits: usize, of: usize) -> f64 {
    100.0 * hits as f64 / of.max(1) as f64
}
