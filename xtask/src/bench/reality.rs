//! Whether the simulator is true: real jobs on real processes, each beside its simulation from the same scenario.

use std::io::Write as _;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{Report, median};
use crate::server::{Server, free_port};
use crate::tree::{command, programs};

/// Jobs that only sleep stand in nobody's way.
const SLEEPING_AT_ONCE: usize = 6;
/// Turns of the burning worker's loop in one measurement of its speed.
const TURNS: u64 = 2_000_000;
/// A real job that takes longer than so many of its deadlines hangs.
const PATIENCE: f64 = 4.0;

/// What is done to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Sleep,
    /// Counts, and so shares the machine's cores.
    Burn,
}

struct Case {
    name: String,
    work: Work,
    /// Seconds alone on a core, in workload order.
    items_s: Vec<f64>,
    startup_s: f64,
    deadline_s: f64,
    max: u32,
}

/// How a job went, really or simulated.
#[derive(Debug, Clone, Copy)]
struct Course {
    finish_s: f64,
    met: bool,
}

pub fn measure() -> Result<Report> {
    let cores = thread::available_parallelism()?.get();
    let turns_a_second = turns_a_second(cores)?;
    let data = tempfile::tempdir()?;
    let mut server = Server::start(free_port()?, data.path())?;
    let cases = cases();
    let (sleeping, burning): (Vec<&Case>, Vec<&Case>) = cases.iter().partition(|case| case.work == Work::Sleep);
    let mut real = Vec::new();
    for (at_once, group) in [(SLEEPING_AT_ONCE, sleeping), (1, burning)] {
        for some in group.chunks(at_once) {
            let ids = some.iter().map(|case| submit(&server, case, turns_a_second)).collect::<Result<Vec<_>>>()?;
            for (case, id) in some.iter().zip(ids) {
                let course = ended(&server, case, &id)?;
                real.push((*case, course, server.recording(&id, "pace")?));
            }
        }
    }
    server.stop(None)?;
    let mut table = "| Job | items | start-up | deadline | done | simulated | error | in time | simulated |\n\
                     | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- |\n"
        .to_owned();
    let (mut errors, mut agreed) = (Vec::new(), 0);
    for (case, was, _) in &real {
        let simulated = simulate(case)?;
        let error = simulated.finish_s / was.finish_s - 1.0;
        errors.push(error.abs());
        agreed += usize::from(was.met == simulated.met);
        let word = |met: bool| if met { "yes" } else { "no" };
        table.push_str(&format!(
            "| {} | {} | {} s | {:.0} s | {:.1} s | {:.1} s | {:+.1} % | {} | {} |\n",
            case.name,
            case.items_s.len(),
            case.startup_s,
            case.deadline_s,
            was.finish_s,
            simulated.finish_s,
            100.0 * error,
            word(was.met),
            word(simulated.met)
        ));
    }
    table.push_str(&format!(
        "\nMedian error of the finish: **{:.1} %** (limit 5 %), largest {:.1} %. The same deadlines met and missed in **{agreed} of {}** jobs.",
        100.0 * median(errors.clone()),
        100.0 * errors.iter().copied().fold(0.0, f64::max),
        real.len()
    ));
    let (told, stored) = real.iter().fold((0, 0), |sum, (_, _, (told, stored))| (sum.0 + told, sum.1 + stored));
    table.push_str(&format!(
        "\nTheir recordings: {told} ticks, **{:.0} bytes a tick** in the store (limit 100).",
        stored as f64 / told.max(1) as f64
    ));
    Ok(Report {
        title: "The simulator beside real jobs",
        method: format!(
            "Each job ran on the local platform under `deadline` with its defaults: real processes that sleep, or count on shared cores.\n\
             The simulation has the same item times in the same order, start-up, deadline and bounds, and knows nothing of the real run.\n\
             Sleeping jobs ran {SLEEPING_AT_ONCE} at once, counting ones alone; a core counted {turns_a_second:.0} turns a second with all {cores} busy."
        ),
        table,
    })
}

/// Spreads × mean service times × start-ups and slacks; deadlines of about a minute.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (mean_s, replicas, startup_s, slack) in [(0.5, 4.0, 0.0, 1.3), (1.0, 3.0, 2.0, 1.5), (2.0, 5.0, 1.0, 1.2), (0.8, 2.0, 5.0, 2.0)] {
        for spread in [Spread::Constant, Spread::Uniform, Spread::Exponential, Spread::Bimodal, Spread::Pareto, Spread::Growing] {
            let work_s = 45.0 * replicas;
            cases.push(Case {
                name: format!("sleep, {} {mean_s} s", spread.word()),
                work: Work::Sleep,
                items_s: spread.draw(mean_s, (work_s / mean_s) as usize),
                startup_s,
                deadline_s: (work_s / replicas * slack + startup_s).round(),
                max: 12,
            });
        }
    }
    for (mean_s, slack) in [(0.5, 1.2), (1.0, 1.5)] {
        for spread in [Spread::Constant, Spread::Uniform, Spread::Exponential, Spread::Bimodal] {
            let work_s = 40.0;
            cases.push(Case {
                name: format!("count, {} {mean_s} s", spread.word()),
                work: Work::Burn,
                items_s: spread.draw(mean_s, (work_s / mean_s) as usize),
                startup_s: 1.0,
                deadline_s: (work_s / 2.0 * slack + 10.0).round(),
                max: 2,
            });
        }
    }
    cases
}

#[derive(Debug, Clone, Copy)]
enum Spread {
    Constant,
    Uniform,
    Exponential,
    Bimodal,
    Pareto,
    /// Each item somewhat longer than the one before.
    Growing,
}

impl Spread {
    fn word(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Uniform => "uniform",
            Self::Exponential => "exponential",
            Self::Bimodal => "bimodal",
            Self::Pareto => "Pareto 1.5",
            Self::Growing => "growing",
        }
    }

    /// One item for each slice of the distribution, in a fixed disorder, with the mean that was asked for.
    fn draw(self, mean_s: f64, count: usize) -> Vec<f64> {
        let place = |index: usize| match self {
            Self::Growing => index,
            // Steps of a number without common factors visit every place once.
            _ => (index * 7919 + 13) % count,
        };
        let mut items: Vec<f64> = (0..count).map(|index| self.quantile((place(index) as f64 + 0.5) / count as f64)).collect();
        let mean = items.iter().sum::<f64>() / count as f64;
        for item in &mut items {
            *item *= mean_s / mean;
        }
        items
    }

    fn quantile(self, share: f64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Uniform => 0.2 + 1.6 * share,
            Self::Exponential => -(1.0 - share).ln(),
            Self::Bimodal => {
                if share < 0.8 {
                    0.5
                } else {
                    3.0
                }
            }
            Self::Pareto => (1.0 - share).powf(-1.0 / 1.5).min(12.0),
            Self::Growing => 0.5 + share,
        }
    }
}

/// The worker counts in the shell: every machine has one.
const COUNT: &str = "i=0; while [ $i -lt {item} ]; do i=$((i+1)); done";

/// Of one core while all of them count: two may be one core's threads, and then each is slower beside the other.
fn turns_a_second(cores: usize) -> Result<f64> {
    let mut taken = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        let counting = |_| Ok(command("sh").args(["-c", &COUNT.replace("{item}", &TURNS.to_string())]).spawn()?);
        for mut shell in (0..cores).map(counting).collect::<Result<Vec<_>>>()? {
            if !shell.wait()?.success() {
                bail!("the shell could not count");
            }
        }
        taken.push(begun.elapsed().as_secs_f64());
    }
    Ok(TURNS as f64 / median(taken))
}

fn submit(server: &Server, case: &Case, turns_a_second: f64) -> Result<String> {
    let items: Vec<String> = case
        .items_s
        .iter()
        .map(|seconds| match case.work {
            Work::Sleep => format!("{seconds:.4}"),
            Work::Burn => format!("{:.0}", seconds * turns_a_second),
        })
        .collect();
    let script = match case.work {
        Work::Sleep => "sleep {item}",
        Work::Burn => COUNT,
    };
    let worker = format!("sleep {}; exec asperathos worker -- sh -c '{script}'", case.startup_s);
    let answer = server.post(
        "/api/v1/jobs",
        &json!({
            "name": case.name,
            "platform": { "kind": "local", "params": { "command": ["sh", "-c", worker] } },
            "workload": { "source": "inline", "items": items },
            "objective": { "deadline_s": case.deadline_s },
            "replicas": { "min": 1, "max": case.max, "initial": 1 },
        }),
    )?;
    Ok(answer["job_id"].as_str().context("the server gave no job id")?.to_owned())
}

fn ended(server: &Server, case: &Case, id: &str) -> Result<Course> {
    let begun = Instant::now();
    while begun.elapsed().as_secs_f64() < PATIENCE * case.deadline_s {
        let summary = server.get(&format!("/api/v1/jobs/{id}"))?["summary"].clone();
        if summary["phase"] == "completed" {
            let time = |name: &str| summary[name].as_f64().with_context(|| format!("job {id} has no {name}"));
            let ended = time("ended_at")?;
            return Ok(Course { finish_s: (ended - time("started_at")?) / 1000.0, met: ended <= time("deadline_at")? });
        }
        thread::sleep(Duration::from_millis(200));
    }
    bail!("{} did not complete: {id}", case.name)
}

fn simulate(case: &Case) -> Result<Course> {
    let mut scenario = json!({
        "name": case.name,
        "items": { "count": case.items_s.len(), "service_s": { "trace": case.items_s } },
        "deadline_s": case.deadline_s,
        "replicas": { "min": 1, "max": case.max, "initial": 1 },
        "startup_s": { "constant": case.startup_s },
    });
    if case.work == Work::Burn {
        scenario["contention"] = json!({ "cores": thread::available_parallelism()?.get() });
    }
    let mut child = command(programs("release").join("asperathos"))
        .args(["simulate", "-", "--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    child.stdin.take().context("no pipe")?.write_all(scenario.to_string().as_bytes())?;
    let output = child.wait_with_output()?;
    let results: Value = serde_json::from_slice(&output.stdout).with_context(|| format!("no simulation of {}", case.name))?;
    let finish_s = results[0]["finish_s"].as_f64().with_context(|| format!("{} does not end when simulated", case.name))?;
    Ok(Course { finish_s, met: results[0]["met"] == true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_have_the_mean_that_was_asked_for_and_all_slices_once() {
        for case in cases() {
            let mean = case.items_s.iter().sum::<f64>() / case.items_s.len() as f64;
            assert!(case.items_s.iter().all(|item| *item > 0.0) && mean < 2.1, "{}", case.name);
        }
        let mut places: Vec<f64> = Spread::Uniform.draw(1.0, 60);
        places.sort_by(f64::total_cmp);
        places.dedup();
        assert_eq!(places.len(), 60);
        assert!(32 <= cases().len());
    }
}
