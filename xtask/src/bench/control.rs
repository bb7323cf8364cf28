//! The laws on simulated jobs: the server's own command, which writes its page itself.

use anyhow::{Result, bail};

use crate::tree::{command, programs};

pub fn measure() -> Result<()> {
    let status = command(programs("release").join("asperathos")).args(["bench", "control"]).status()?;
    if !status.success() {
        bail!("the measurement failed");
    }
    Ok(())
}
