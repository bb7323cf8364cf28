//! `cluster status`: one line a part, then the node.

use anyhow::{Context, Result, ensure};
use procfs::process::Process;

use super::parts::Part;
use super::place::Place;
use super::process::alive;
use super::up::kubectl;

/// # Errors
/// A part is down, or the API server does not answer.
pub fn print(place: &Place) -> Result<()> {
    let (table, down) = table(place);
    print!("{table}");
    ensure!(down.is_empty(), "not running: {}", down.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    let nodes = kubectl(place).args(["get", "nodes", "-o", "wide"]).status().context("could not start kubectl")?;
    ensure!(nodes.success(), "the API server does not answer");
    Ok(())
}

/// A line for each part, and the parts that do not run.
pub fn table(place: &Place) -> (String, Vec<Part>) {
    let mut lines = String::new();
    let mut down = Vec::new();
    for part in Part::all() {
        let running = alive(place, *part);
        lines += &match running {
            Some(pid) => format!("{part:20} running  pid {pid:<8} {:>5} MB\n", resident_kb(pid) / 1000),
            None => format!("{part:20} stopped\n"),
        };
        if running.is_none() {
            down.push(*part);
        }
    }
    (lines, down)
}

/// Memory that a process holds, in kB; shared pages count for each who shares them.
fn resident_kb(pid: i32) -> u64 {
    Process::new(pid).and_then(|process| process.status()).ok().and_then(|status| status.vmrss).unwrap_or(0)
}
