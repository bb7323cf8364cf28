//! The store: how long a chart of a day takes to read, and what the ticks of a hundred jobs cost.

use anyhow::{Context, Result, bail};

use super::Report;
use crate::tree::cargo;

pub fn measure() -> Result<Report> {
    let mut command = cargo(&["test", "--release", "-p", "server", "--bin", "asperathos", "--", "--ignored", "--nocapture", "how_fast"]);
    let output = command.output().context("could not run the measurement")?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("the measurement failed:\n{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    let lines: Vec<&str> =
        printed.lines().filter(|line| !line.is_empty() && !line.starts_with("running") && !line.starts_with("test ")).collect();
    Ok(Report {
        title: "The store",
        method: "A day of samples at one second, read back for a chart: at most 20 ms are allowed for one series.\n\
                 The ticks of 100 jobs with 12 series each, as CPU time."
            .to_owned(),
        table: format!("```text\n{}\n```", lines.join("\n")),
    })
}
