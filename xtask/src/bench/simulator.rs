//! The simulator: how many jobs a second one core plays.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Report;
use crate::tree::programs;

pub fn measure() -> Result<Report> {
    let output = Command::new(programs("release").join("asperathos")).args(["bench", "simulator"]).output();
    let output = output.context("could not run the measurement")?;
    if !output.status.success() {
        bail!("the measurement failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(Report {
        title: "The simulator",
        method: "Jobs of 1 000 items (lognormal, 12 s on average, CV 1), 30 minutes, a look every second, at most 20 replicas.\n\
                 Processor time of one thread; drawing the items and looking for the clairvoyant's allocation are part of it.\n\
                 At least 1 000 jobs a second are wanted with `threshold`, and 50 with `deadline`."
            .to_owned(),
        table: String::from_utf8_lossy(&output.stdout).into_owned(),
    })
}
