//! `asperathos bench control`: every law and its peers on a grid of simulated jobs, and the page of what came of it.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use control::simulator::contest::{self, Contender, Entrant};
use control::simulator::grid::{self, GridJob, Set};
use control::simulator::report::Outcome;
use control::simulator::report::page::{self, Infeasible, Page, Row};
use control::simulator::run::{NoStopwatch, Prepared};
use control::simulator::scenario::ScaleInSpec;

use super::stopwatch::CpuStopwatch;

const PAGE: &str = "docs/benchmarks/control.md";
const THREADS: usize = 2;
/// How long a killed replica's item stays away: the order of the original's lease.
const LEASE_S: f64 = 60.0;
/// Whose losses are told by name.
const OURS: &str = "deadline";

#[derive(Debug, Args)]
pub struct ControlArgs {
    /// Jobs to report on: of each fourteen, five plain, five disturbed, two that nobody could end in time and two others.
    #[arg(long, default_value_t = 1400)]
    pub jobs: u64,
    /// Jobs to choose settings on, half of them disturbed.
    #[arg(long, default_value_t = 200)]
    pub tuning_jobs: u64,
    /// Only this law or peer, by its name or a part of it.
    #[arg(long)]
    pub only: Option<String>,
    /// Where the page goes; by default nowhere with --only, for it would not be the whole scoreboard.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("no law or peer is called {0}")]
    Unknown(String),
    #[error("could not write {path}")]
    Write { path: String, source: std::io::Error },
}

/// Prints the tables and writes the page.
pub fn run(args: &ControlArgs) -> Result<(), ControlError> {
    let wanted = |entrant: &Entrant| args.only.as_ref().is_none_or(|part| entrant.name.contains(part.as_str()));
    let entrants: Vec<_> = contest::entrants().into_iter().filter(wanted).collect();
    if entrants.is_empty() {
        return Err(ControlError::Unknown(args.only.clone().unwrap_or_default()));
    }
    let text = page(args, &entrants);
    let out = args.out.clone().or_else(|| args.only.is_none().then(|| PathBuf::from(PAGE)));
    if let Some(out) = out {
        let failed = |source| ControlError::Write { path: out.display().to_string(), source };
        if let Some(folder) = out.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        std::fs::write(&out, &text).map_err(failed)?;
    }
    std::io::stdout().write_all(text.as_bytes()).map_err(|source| ControlError::Write { path: "standard output".to_owned(), source })
}

fn page(args: &ControlArgs, entrants: &[Entrant]) -> String {
    let chosen = tune(entrants, args.tuning_jobs);
    let (plain, infeasible, further) = (args.jobs * 5 / 14, args.jobs / 7, args.jobs / 7);
    let disturbed = args.jobs - plain - infeasible - further;
    let mut rows = Vec::new();
    for (entrant, setting) in entrants.iter().zip(&chosen) {
        rows.push(Row {
            name: entrant.name.clone(),
            setting: setting.words(),
            settings: entrant.settings.len(),
            law: matches!(setting, Contender::Law(_)),
            plain: Vec::new(),
            disturbed: Vec::new(),
            infeasible: Vec::new(),
            further: Vec::new(),
            killed: Vec::new(),
        });
    }
    for (set, count) in [(Set::Plain, plain), (Set::Disturbed, disturbed), (Set::Infeasible, infeasible), (Set::Further, further)] {
        let jobs = each(&format!("{} jobs", set.word()), count, |number| {
            let mut job = grid::job(set, grid::REPORT, number);
            let drained: Vec<_> = entrants.iter().zip(&chosen).map(|(entrant, setting)| timed(entrant, setting, &job)).collect();
            let mut killed = Vec::new();
            if matches!(set, Set::Plain | Set::Disturbed) {
                kill(&mut job.prepared);
                killed.extend(entrants.iter().zip(&chosen).map(|(entrant, setting)| timed(entrant, setting, &job)));
            }
            let needs = job.prepared.hindsight.greatest_finish_s / job.prepared.scenario.deadline_s;
            (drained, killed, needs)
        });
        for (drained, killed, needs) in jobs {
            for (row, outcome) in rows.iter_mut().zip(drained) {
                match set {
                    Set::Plain => row.plain.push(outcome),
                    Set::Disturbed => row.disturbed.push(outcome),
                    Set::Infeasible => row.infeasible.push(Infeasible { outcome, needs }),
                    Set::Further => row.further.push(outcome),
                }
            }
            for (row, outcome) in rows.iter_mut().zip(killed) {
                row.killed.push(outcome);
            }
        }
    }
    let made = format!(
        "Made by `asperathos bench control --jobs {} --tuning-jobs {}`: {plain} plain, {disturbed} disturbed, {infeasible} infeasible and {further} further jobs of \
         grid {}; settings chosen on {} jobs of grid {}. The same command makes the same page, but for the times of one look.",
        args.jobs,
        args.tuning_jobs,
        grid::REPORT,
        args.tuning_jobs,
        grid::TUNING
    );
    page::markdown(&Page { made: &made, rows: &rows, ours: OURS })
}

/// Of each entrant the setting with the most deadlines met, then the least over-allocation.
fn tune(entrants: &[Entrant], count: u64) -> Vec<Contender> {
    let sets = [Set::Plain, Set::Disturbed];
    let jobs = each("tuning jobs", count, |number| {
        let job = grid::job(sets[(number % 2) as usize], grid::TUNING, number / 2);
        let all = entrants.iter().map(|entrant| {
            // One setting needs no choice.
            let settings = if entrant.settings.len() < 2 { &[] } else { entrant.settings.as_slice() };
            let results = settings.iter().map(|setting| setting.run(&entrant.name, &job.prepared, &mut NoStopwatch));
            results.map(|result| (result.met, result.over_allocation)).collect::<Vec<_>>()
        });
        all.collect::<Vec<_>>()
    });
    let choose = |(index, entrant): (usize, &Entrant)| {
        let rank = |setting: usize| {
            let tried = jobs.iter().map(|job| job[index][setting]);
            let (met, over) = tried.fold((0u64, 0.0), |(met, over), (was_met, was_over)| (met + u64::from(was_met), over + was_over));
            (met, -over)
        };
        let best = (0..entrant.settings.len()).rev().filter(|_| 1 < entrant.settings.len()).max_by(|one, other| {
            let ((one_met, one_over), (other_met, other_over)) = (rank(*one), rank(*other));
            one_met.cmp(&other_met).then(one_over.total_cmp(&other_over))
        });
        entrant.settings[best.unwrap_or(0)].clone()
    };
    entrants.iter().enumerate().map(choose).collect()
}

fn timed(entrant: &Entrant, setting: &Contender, job: &GridJob) -> Outcome {
    let mut watch = CpuStopwatch::default();
    let result = setting.run(&entrant.name, &job.prepared, &mut watch);
    Outcome { result, causes: job.causes.clone(), step_mean_us: watch.mean_us(), step_worst_us: watch.worst_us() }
}

/// The clairvoyant never scales in, so hindsight stays the same.
fn kill(prepared: &mut Prepared) {
    let kill = ScaleInSpec::Kill { lease_s: LEASE_S };
    prepared.scenario.scale_in = kill;
    prepared.world.scale_in = kill;
}

/// All numbers below `count` on all threads, answers in their order, progress on standard error.
fn each<T: Send>(what: &str, count: u64, make: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let next = AtomicU64::new(0);
    let made = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if count <= number {
                        break;
                    }
                    let one = make(number);
                    let mut made = made.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    made.push((number, one));
                    let done = made.len() as u64;
                    if done.is_multiple_of((count / 20).max(1)) || done == count {
                        eprintln!("{what}: {done} of {count}");
                    }
                }
            });
        }
    });
    let mut made = made.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    made.sort_by_key(|(number, _)| *number);
    made.into_iter().map(|(_, one)| one).collect()
}
