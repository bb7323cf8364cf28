//! Stands for `queue.rs` in a build without the Redis client, which everybody's first build would wait for:
//! builds this program again with it, and lets that one measure.

use anyhow::{Result, bail};

use super::Report;
use crate::tree::cargo;

pub fn measure(repeat: usize) -> Result<Report> {
    let with_client = ["run", "--manifest-path", "xtask/Cargo.toml", "--target-dir", "target/xtask-queue", "--features", "queue", "--"];
    let status = cargo(&with_client).args(["bench", "queue", "--repeat", &repeat.to_string()]).status()?;
    if !status.success() {
        bail!("the measurement failed");
    }
    // It has written its report.
    std::process::exit(0)
}
