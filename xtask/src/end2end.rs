//! `cargo xtask end2end`: a real browser against a real server (development build, release WebAssembly).

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::build::{browser_part, page_files};
use crate::setup::{Need, set_up};
use crate::steps::{Show, Steps};
use crate::tree::{cargo, command, find_program, programs, root, site};

pub fn end2end(screenshots: bool, arguments: &[String]) -> Result<()> {
    let mut steps = Steps::new(5);
    set_up(&mut steps, Need::Test)?;
    if !browser_part(&mut steps)?.ok {
        bail!("the browser part could not be built");
    }
    page_files(&mut steps)?;
    steps.must("server", &mut cargo(&["build", "-p", "server", "-p", "mandelbrot"]))?;
    let mut tests = playwright(arguments)?;
    if screenshots {
        tests.env("ASPERATHOS_SCREENSHOTS", "1");
    }
    if !steps.run("browser tests", &mut tests, Show::Output)?.ok {
        bail!("browser tests failed");
    }
    Ok(())
}

/// Playwright with what its fixtures need; nothing is downloaded.
pub fn playwright(arguments: &[String]) -> Result<Command> {
    let chromium = find_program("chromium").context("chromium is missing: cargo xtask setup")?;
    let mut tests = npx("playwright");
    tests
        .arg("test")
        .args(arguments)
        .env("CHROMIUM", chromium)
        .env("ASPERATHOS_BIN", programs("debug").join("asperathos"))
        .env("ASPERATHOS_SITE", site());
    Ok(tests)
}

/// A program that `npm ci` has put into end2end.
pub fn npx(program: &str) -> Command {
    let mut npx = command("npx");
    npx.args(["--no-install", program]).current_dir(root().join("end2end"));
    npx
}
