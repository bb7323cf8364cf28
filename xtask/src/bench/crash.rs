//! `kill -9` of the server, again and again: the crash test of the server's own tests, a long time.

use anyhow::{Context, Result, bail};

use super::Report;
use crate::tree::cargo;

/// How often the server is killed.
const KILLS: &str = "200";

pub fn measure() -> Result<Report> {
    let seed = std::process::id().to_string();
    let mut command = cargo(&["test", "-p", "server", "--test", "crash", "--", "--nocapture"]);
    let output = command.env("ASPERATHOS_KILLS", KILLS).env("ASPERATHOS_SEED", &seed).output().context("could not run the crash test")?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("the crash test failed with seed {seed}:\n{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    let table: Vec<&str> = printed.lines().filter(|line| line.starts_with('|')).collect();
    Ok(Report {
        title: "A killed server",
        method: format!(
            "Three jobs at once: `asperathos worker`, and the original's lease worker and naive worker with the ordinary Python client.\n\
             The server is killed with SIGKILL {KILLS} times at random moments and started again on the same data; seed {seed}.\n\
             Counted at the end: every item, every result, every process, and the points of each chart a second apart:\n\
             a server that is killed again before its first tick makes one hole of two outages."
        ),
        table: table.join("\n"),
    })
}
