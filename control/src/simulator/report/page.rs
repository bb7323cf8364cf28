//! The page of the public scoreboard, as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::summary::{Outcome, Summary, lateness, quantile, wilson};
use super::table;

/// What stands on it.
pub struct Page<'a> {
    /// How it was made: the command, the seeds, the numbers of jobs.
    pub made: &'a str,
    pub rows: &'a [Row],
    /// Whose losses are told by name.
    pub ours: &'a str,
}

/// All outcomes of one contender.
pub struct Row {
    pub name: String,
    /// As chosen on the tuning grid, and among how many.
    pub setting: String,
    pub settings: usize,
    /// Timed.
    pub law: bool,
    pub plain: Vec<Outcome>,
    pub disturbed: Vec<Outcome>,
    pub infeasible: Vec<Infeasible>,
    /// Feasible jobs that are neither plain nor disturbed.
    pub further: Vec<Outcome>,
    /// The plain and the disturbed ones again, with scale-ins that kill.
    pub killed: Vec<Outcome>,
}

/// A job that nobody could end in time.
pub struct Infeasible {
    pub outcome: Outcome,
    /// What the greatest allocation needs, in deadlines.
    pub needs: f64,
}

const MOST_NAMES: usize = 40;

/// Up to how many deadlines a job needs, by which those that cannot be done are told apart. A job that can be done needs
/// 0.7 at most, so beyond 1 ÷ 0.7 they miss by as much as those have in hand.
const TOO_MUCH: [(&str, f64); 4] = [("1 to 1.1", 1.1), ("1.1 to 1.43", 1.0 / 0.7), ("1.43 to 2", 2.0), ("above 2", f64::INFINITY)];

pub fn markdown(page: &Page) -> String {
    let mut text = String::new();
    let Page { made, rows, ours } = page;
    let mut line = |words: String| {
        text.push_str(&words);
        text.push('\n');
    };
    line("# Control: simulated jobs, every law and its peers\n".to_owned());
    line(format!("{made}\n"));
    line(HOW.to_owned());
    line(JOBS.to_owned());
    line("## Plain jobs\n".to_owned());
    line(results(rows, |row| &row.plain));
    line("## Disturbed jobs\n".to_owned());
    line(results(rows, |row| &row.disturbed));
    line("## Misses by cause\n".to_owned());
    line("Missed jobs of all jobs with that disturbance; a job may have two.\n".to_owned());
    line(causes(rows));
    line("## Further jobs\n".to_owned());
    line("In the grid, but not on the list of disturbances: a lognormal spread with CV 3, faster from some time on, capacity short for a while.\n".to_owned());
    line(results(rows, |row| &row.further));
    line("## Plain and disturbed jobs, with scale-ins that kill\n".to_owned());
    line("The same jobs, but a replica that goes is killed in mid-item, and its item waits out a lease of 60 s.\n".to_owned());
    line(results(rows, |row| &row.killed));
    line("## Forecasts\n".to_owned());
    line(forecasts(rows));
    line("## Jobs that cannot be done in time\n".to_owned());
    line(infeasible(rows));
    line("## Time of one look\n".to_owned());
    line(times(rows));
    line("## Settings\n".to_owned());
    line("Chosen on the tuning grid: most deadlines met of plain and disturbed jobs together, then least over-allocation.\n".to_owned());
    line(settings(rows));
    if let Some(own) = rows.iter().find(|row| row.name == *ours) {
        line(format!("## What `{ours}` lost\n"));
        line(losses(own, rows));
    }
    text
}

const HOW: &str = "Each row is a law or a peer's rule with one constant setting for all jobs. *Over*: replicas above the clairvoyant's \
least constant allocation over time, as a share of that allocation over the deadline. *Cost*: replica-seconds against the clairvoyant's \
service time and start-ups. *Peak* against the clairvoyant's. *Late*: half of the misses were later than this share of the deadline. \
A run is cut after four deadlines. `scripted` and `stream` know no deadline and show what another goal costs; `target` holds a load, \
and these jobs measure none.\n";

const JOBS: &str = "*The jobs*: 20 to 20 000 items of 0.2 s to 10 min (constant, lognormal with CV 0.3 to 2, exponential, bimodal, Pareto 1.5 cut at \
a hundred times the least), start-ups of 0 to 60 s, deadlines of 1 min to 48 h that are 1.45 to 10 times what the greatest allocation \
needs, the user's hint right or none; of items, times and deadlines each size as likely as ten times that size. The greatest allocation is slack times a \
number drawn from 1 to 100; a job for which hindsight needs less than half of that number is drawn again, so very short jobs that are mostly \
start-up are rare. *Plain*: nothing else; \
service times are independent. *Disturbed*: one of drift, sorted (either way), blocks, slow phases, contention, crashes, metric gaps, a moved \
deadline, or a hint wrong by two; in three of ten a second. A disturbed job is drawn again unless who was exactly \
right before a cause that strikes later, and then took everything, is done within 95 of 100 of the deadline. Peers get the same \
drain as our laws; Jockey alone is trained on the job's own distribution, whatever the hint.\n";

fn results(rows: &[Row], of: impl Fn(&Row) -> &Vec<Outcome>) -> String {
    let mut text = format!("{}\n", table::HEAD);
    for row in rows.iter().filter(|row| !of(row).is_empty()) {
        let _ = writeln!(text, "{}", table::row(&row.name, &Summary::new(of(row))));
    }
    text
}

fn causes(rows: &[Row]) -> String {
    let mut text = String::new();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    if let Some(row) = rows.first() {
        for cause in row.disturbed.iter().flat_map(|outcome| &outcome.causes) {
            *names.entry(cause).or_default() += 1;
        }
    }
    let heads: Vec<_> = names.iter().map(|(name, count)| format!("{name} ({count})")).collect();
    let _ = writeln!(text, "| Law | {} |\n|---|{}", heads.join(" | "), "---|".repeat(names.len()));
    for row in rows {
        let missed = |cause: &str| row.disturbed.iter().filter(|outcome| !outcome.result.met && outcome.causes.contains(&cause)).count();
        let cells: Vec<_> = names.keys().map(|name| missed(name).to_string()).collect();
        let _ = writeln!(text, "| {} | {} |", row.name, cells.join(" | "));
    }
    text
}

fn forecasts(rows: &[Row]) -> String {
    let mut text =
        "How often the finish fell into the band from p5 to p95, made when a quarter, half and three quarters of the items were \
        done; its median width, as a share of the deadline. A perfect band holds 90 of 100.\n\n\
        | Law | Jobs | Coverage at 25 % | 50 % | 75 % | Width at 25 % | 50 % | 75 % |\n|---|---|---|---|---|---|---|---|\n"
            .to_owned();
    for row in rows {
        for (set, outcomes) in [("plain", &row.plain), ("disturbed", &row.disturbed)] {
            let at = Summary::new(outcomes).forecasts;
            if at[0].jobs == 0 {
                continue;
            }
            let covered = at.map(|at| {
                let (low, high) = wilson(at.covered, at.jobs);
                format!("{:.1} % ({:.1}–{:.1})", table::percent(at.covered, at.jobs), 100.0 * low, 100.0 * high)
            });
            let widths = at.map(|at| format!("{:.3}", at.width_p50));
            let _ = writeln!(text, "| {} | {set} {} | {} | {} |", row.name, at[0].jobs, covered.join(" | "), widths.join(" | "));
        }
    }
    text
}

fn infeasible(rows: &[Row]) -> String {
    let mut text = "Not even the greatest allocation from the first second could. *Announced*: the law said so at all; *early*: before a \
        tenth of the deadline was over. *False alarms*: it said so of a job that then met its deadline. *Ended late*: it said so of a job that \
        could have been done, and that it then ended late.\n\n\
        | Law | Announced | Early | Median, share of the deadline | False alarms, plain | disturbed | Ended late, plain | disturbed |\n\
        |---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for row in rows {
        let infeasible: Vec<_> = row.infeasible.iter().map(|job| job.outcome.clone()).collect();
        let (late, plain, disturbed) = (Summary::new(&infeasible), Summary::new(&row.plain), Summary::new(&row.disturbed));
        if late.announced + plain.announced + disturbed.announced == 0 {
            continue;
        }
        let shares = infeasible.iter().filter_map(|outcome| {
            let at_ms = outcome.result.announced_ms?;
            Some(at_ms as f64 / 1000.0 / outcome.result.deadline_s)
        });
        let _ = writeln!(
            text,
            "| {} | {} of {} | {} | {:.3} | {} of {} | {} of {} | {} | {} |",
            row.name,
            late.announced,
            late.jobs,
            late.announced_early,
            quantile(shares.collect(), 0.5),
            plain.announced_and_met,
            plain.jobs,
            disturbed.announced_and_met,
            disturbed.jobs,
            plain.announced - plain.announced_and_met,
            disturbed.announced - disturbed.announced_and_met,
        );
    }
    let heads: Vec<_> = TOO_MUCH.iter().map(|(words, _)| *words).collect();
    let _ = writeln!(
        text,
        "\nHow many were announced early, by how many deadlines the greatest allocation needs; each ratio from 1 to 4 is as likely as any other of its size.\n\n\
        | Law | {} |\n|---|{}",
        heads.join(" | "),
        "---|".repeat(heads.len())
    );
    for row in rows.iter().filter(|row| row.infeasible.iter().any(|job| job.outcome.result.announced_ms.is_some())) {
        let mut least = 0.0;
        let cells = TOO_MUCH.map(|(_, most)| {
            let band: Vec<_> =
                row.infeasible.iter().filter(|job| least <= job.needs && job.needs < most).map(|job| job.outcome.clone()).collect();
            least = most;
            format!("{} of {}", Summary::new(&band).announced_early, band.len())
        });
        let _ = writeln!(text, "| {} | {} |", row.name, cells.join(" | "));
    }
    text
}

fn times(rows: &[Row]) -> String {
    let mut text =
        "Processor time of law and loop together, one observation in and its effects out.\n\n| Law | Mean µs | Worst µs |\n|---|---|---|\n"
            .to_owned();
    for row in rows.iter().filter(|row| row.law) {
        let all: Vec<_> = row.plain.iter().chain(&row.disturbed).chain(row.infeasible.iter().map(|job| &job.outcome)).cloned().collect();
        let summary = Summary::new(&all);
        let _ = writeln!(text, "| {} | {:.1} | {:.0} |", row.name, summary.step_mean_us, summary.step_worst_us);
    }
    text
}

fn settings(rows: &[Row]) -> String {
    let mut text = "| Law | Setting | Among |\n|---|---|---|\n".to_owned();
    for row in rows {
        let _ = writeln!(text, "| {} | {} | {} |", row.name, row.setting, row.settings);
    }
    text
}

/// Every miss with who did better, and where it took far too much.
fn losses(own: &Row, rows: &[Row]) -> String {
    let mut text = String::new();
    let pairs = |row: &'_ Row| row.plain.iter().chain(&row.disturbed).map(|outcome| outcome.result.clone()).collect::<Vec<_>>();
    let ours = pairs(own);
    let others: Vec<_> = rows.iter().filter(|row| row.name != own.name).map(|row| (row.name.as_str(), pairs(row))).collect();

    let mut missed: Vec<usize> = (0..ours.len()).filter(|index| !ours[*index].met).collect();
    missed.sort_by(|one, other| lateness(&ours[*other]).total_cmp(&lateness(&ours[*one])));
    let _ = writeln!(
        text,
        "{} feasible jobs missed, the latest first; and who met them.\n\n| Job | Late | Met by |\n|---|---|---|",
        missed.len()
    );
    for index in missed.iter().take(MOST_NAMES) {
        let met: Vec<_> =
            others.iter().filter(|(_, results)| results.get(*index).is_some_and(|result| result.met)).map(|(name, _)| *name).collect();
        let late = lateness(&ours[*index]);
        let late = if late.is_finite() { format!("{:.2} %", 100.0 * late) } else { "cut".to_owned() };
        let _ = writeln!(text, "| {} | {late} | {} |", ours[*index].name, met.join(", "));
    }

    let mut wide: Vec<usize> = (0..ours.len()).collect();
    wide.sort_by(|one, other| ours[*other].over_allocation.total_cmp(&ours[*one].over_allocation));
    let _ = writeln!(
        text,
        "\nThe jobs for which it took most above the clairvoyant.\n\n| Job | Over | Peak | Clairvoyant |\n|---|---|---|---|"
    );
    for index in wide.iter().take(10) {
        let result = &ours[*index];
        let _ = writeln!(text, "| {} | {:.2} | {} | {} |", result.name, result.over_allocation, result.peak, result.clairvoyant_peak);
    }

    let _ = writeln!(
        text,
        "\nJob by job against each other row: *met* where it missed; or both met, and the other took less above the clairvoyant.\n\n\
        | Other | Met where `{}` missed | Missed where it met | Both met, less over | Both met, more over |\n|---|---|---|---|---|",
        own.name
    );
    for (name, results) in &others {
        let count = |better: fn(&super::super::score::RunResult, &super::super::score::RunResult) -> bool| {
            results.iter().zip(&ours).filter(|(other, own)| better(other, own)).count()
        };
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {} |",
            count(|other, own| other.met && !own.met),
            count(|other, own| !other.met && own.met),
            count(|other, own| other.met && own.met && other.over_allocation < own.over_allocation - 1e-9),
            count(|other, own| other.met && own.met && own.over_allocation < other.over_allocation - 1e-9),
        );
    }
    text
}
