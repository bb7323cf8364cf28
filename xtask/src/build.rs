//! Building: the browser part and the server, never in one cargo command, as their features differ.

use anyhow::{Result, bail};

use crate::setup::{Need, set_up};
use crate::site;
use crate::steps::{Outcome, Running, Show, Steps};
use crate::tree::{cargo, root};

/// How many steps `release` takes.
pub const RELEASE_STEPS: usize = 3;

/// `cargo xtask build`.
pub fn all() -> Result<()> {
    let mut steps = Steps::new(1 + RELEASE_STEPS);
    set_up(&mut steps, Need::Demo)?;
    release(&mut steps)?;
    eprintln!("built in {}: target/release/asperathos and target/site", steps.took());
    Ok(())
}

/// Everything that a server of people needs: browser part, page files, server. The server is built beside the
/// browser part, whose last minute keeps one core only busy.
pub fn release(steps: &mut Steps) -> Result<()> {
    let server = Running::start(&mut cargo(&["build", "--release", "-p", "server", "-p", "mandelbrot"]))?;
    if !browser_part(steps)?.ok {
        bail!("the browser part could not be built");
    }
    page_files(steps)?;
    if !steps.finish("server", server, Show::Progress)?.ok {
        bail!("the server could not be built");
    }
    Ok(())
}

/// The WebAssembly, in its own target folder: a build of the server beside it would wait for the lock.
pub fn browser_part(steps: &mut Steps) -> Result<Outcome> {
    steps.run(
        "browser part",
        &mut cargo(&[
            "build",
            "-p",
            "app",
            "--lib",
            "--target",
            "wasm32-unknown-unknown",
            "--no-default-features",
            "--features",
            "hydrate",
            "--target-dir",
            "target/front",
            "--profile",
            "wasm-release",
        ]),
        Show::Progress,
    )
}

/// JavaScript, styles, fonts and pictures into target/site, each with its compressed copies.
pub fn page_files(steps: &mut Steps) -> Result<()> {
    steps.own("page files", || {
        let wasm = root().join("target/front/wasm32-unknown-unknown/wasm-release/app.wasm");
        Ok(((), site::assemble(&wasm)?))
    })
}
