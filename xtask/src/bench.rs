//! `cargo xtask bench NAME`: measurements that anyone can repeat, written to docs/benchmarks/NAME.md.

mod control;
mod crash;
mod drills;
mod idle;
mod kubernetes;
mod large;
mod live;
mod moments;
mod page;
mod pixel;
#[cfg(feature = "queue")]
mod queue;
#[cfg(not(feature = "queue"))]
#[path = "bench/queue_apart.rs"]
mod queue;
mod reality;
mod simulator;
mod store;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::build::{RELEASE_STEPS, release};
use crate::setup::{Need, set_up};
use crate::steps::Steps;
use crate::tree::{cargo, programs, root};

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Name {
    /// Bytes a browser loads before the page is alive
    Page,
    /// Start-up time, memory and processor of a server that has nothing to do
    Idle,
    /// Milliseconds from a tick to every open page
    Live,
    /// Milliseconds from a sample to the screen, in Chromium, with 1 and with 50 open pages
    Pixel,
    /// Items a second through the queue, beside Redis with its append-only file
    Queue,
    /// From submit to the first item at work; from a killed replica to its item in the queue
    Moments,
    /// Two million items: how long until they wait, and what that holds
    Large,
    /// kill -9 of the server at 200 random moments of running jobs
    Crash,
    /// Reading a day of samples, writing the ticks of a hundred jobs
    Store,
    /// Every control law and its peers on simulated jobs
    Control,
    /// Simulated jobs a second on one core
    Simulator,
    /// Real jobs, each beside its simulation
    Reality,
    /// Jobs on a real Kubernetes: those of the original, latencies, scale-ins, requests, CPU
    Kubernetes,
    /// kill -9 of the parts of a Kubernetes and of the server, while jobs run on pods
    Drills,
}

/// What a bench found, as Markdown.
struct Report {
    title: &'static str,
    /// What was measured and how, one sentence a line.
    method: String,
    table: String,
}

#[derive(Args)]
pub struct How {
    /// How often each measurement is repeated; the median is reported
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// Of `kubernetes`: only this part; may be said again
    #[arg(long, value_enum)]
    only: Vec<kubernetes::Part>,
    /// Of `kubernetes`: this share of its jobs
    #[arg(long, default_value_t = 1.0)]
    share: f64,
    /// Of `kubernetes` and `drills`: this server, as it is, in place of the release build
    #[arg(long)]
    server: Option<PathBuf>,
    /// Of `drills`: how many
    #[arg(long, default_value_t = 50)]
    rounds: usize,
    /// Of `drills`: what chance begins with
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub fn bench(name: Name, how: &How) -> Result<()> {
    let repeat = how.repeat.max(1);
    let mut steps = Steps::new(1 + RELEASE_STEPS + 1);
    if matches!(name, Name::Kubernetes | Name::Drills) {
        // No page is looked at there; what is built is what `release` builds.
        set_up(&mut steps, Need::Cluster)?;
        if how.server.is_none() {
            steps.must("server", &mut cargo(&["build", "--release", "-p", "server", "-p", "mandelbrot"]))?;
        }
    } else {
        let need = if matches!(name, Name::Queue | Name::Crash | Name::Pixel) { Need::Test } else { Need::Demo };
        set_up(&mut steps, need)?;
        release(&mut steps)?;
    }
    let server = how.server.clone().unwrap_or_else(|| programs("release").join("asperathos"));
    let (file, report) = match name {
        // They write their own pages.
        Name::Control => return control::measure(),
        Name::Drills => return drills::measure(how.rounds, how.seed, &server),
        Name::Kubernetes => return kubernetes::measure(&how.only, how.share, &server),
        Name::Page => ("page", steps.own("measuring", || Ok((page::measure()?, String::new())))?),
        Name::Idle => ("idle", steps.own("measuring", || Ok((idle::measure(repeat)?, String::new())))?),
        Name::Live => ("live", steps.own("measuring", || Ok((live::measure()?, String::new())))?),
        Name::Pixel => ("pixel", steps.own("measuring", || Ok((pixel::measure()?, String::new())))?),
        Name::Moments => ("moments", steps.own("measuring", || Ok((moments::measure()?, String::new())))?),
        Name::Large => ("large", steps.own("measuring", || Ok((large::measure()?, String::new())))?),
        Name::Crash => ("crash", steps.own("measuring", || Ok((crash::measure()?, String::new())))?),
        Name::Reality => ("reality", steps.own("measuring", || Ok((reality::measure()?, String::new())))?),
        Name::Store => ("store", steps.own("measuring", || Ok((store::measure()?, String::new())))?),
        Name::Simulator => ("simulator", steps.own("measuring", || Ok((simulator::measure()?, String::new())))?),
        Name::Queue => ("queue", steps.own("measuring", || Ok((queue::measure(repeat)?, String::new())))?),
    };
    let text = format!(
        "# {}\n\n{}\n\n{}\n\n- Date: {}\n- Machine: {}\n- Again: `cargo xtask bench {file} --repeat {repeat}`\n",
        report.title,
        report.method.trim(),
        report.table.trim(),
        date()?,
        machine()?
    );
    let folder = root().join("docs/benchmarks");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(format!("{file}.md")), &text)?;
    println!("{text}");
    eprintln!("written to docs/benchmarks/{file}.md");
    Ok(())
}

/// Cores, memory and system, without the machine's name.
fn machine() -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let memory = fs::read_to_string("/proc/meminfo")?;
    let kilobytes: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .context("/proc/meminfo has no MemTotal")?;
    let processor = fs::read_to_string("/proc/cpuinfo")?;
    let model =
        processor.lines().find_map(|line| line.strip_prefix("model name")).map_or("", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(format!("{cores} cores ({model}), {} GiB, Linux {}", kilobytes >> 20, kernel.trim()))
}

fn date() -> Result<String> {
    let output = Command::new("date").args(["-u", "+%Y-%m-%d"]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// The middle one; of an even number, the lower middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_a_measured_value() {
        assert_eq!(median(vec![9.0, 1.0, 5.0]), 5.0);
        assert_eq!(median(vec![2.0, 1.0]), 1.0);
    }
}
