//! Results of single runs, as a table for people or as CSV.

use std::fmt::Write;

use super::super::score::RunResult;

const HEADS: [&str; 15] = [
    "name",
    "controller",
    "seed",
    "met",
    "finish_s",
    "deadline_s",
    "replica_seconds",
    "cost_ratio",
    "peak",
    "clairvoyant_peak",
    "over_allocation",
    "moves",
    "reversals",
    "lost_work_s",
    "items_lost",
];

fn cells(result: &RunResult) -> [String; HEADS.len()] {
    [
        result.name.clone(),
        result.controller.clone(),
        result.seed.to_string(),
        if result.met { "yes" } else { "no" }.to_owned(),
        result.finish_s.map_or_else(String::new, |finish_s| format!("{finish_s:.3}")),
        format!("{}", result.deadline_s),
        format!("{:.1}", result.replica_seconds),
        format!("{:.3}", result.cost_ratio),
        result.peak.to_string(),
        result.clairvoyant_peak.to_string(),
        format!("{:.3}", result.over_allocation),
        result.moves.to_string(),
        result.reversals.to_string(),
        format!("{:.1}", result.lost_work_s),
        result.items_lost.to_string(),
    ]
}

pub fn table(results: &[RunResult]) -> String {
    let mut rows = vec![HEADS.map(|head| head.replace('_', " "))];
    rows.extend(results.iter().map(cells));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..HEADS.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let padded: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        let _ = writeln!(text, "{}", padded.join("  ").trim_end());
    }
    text
}

pub fn csv(results: &[RunResult]) -> String {
    let mut text = HEADS.join(",") + "\n";
    for result in results {
        let quoted =
            cells(result).map(|cell| if cell.contains([',', '"', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell });
        let _ = writeln!(text, "{}", quoted.join(","));
    }
    text
}
