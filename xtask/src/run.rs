//! `cargo xtask run`: the server alone, with a link that is already signed in.

use std::env;
use std::process::Stdio;
use std::sync::mpsc::Receiver;

use anyhow::Result;

use crate::Serve;
use crate::build::{RELEASE_STEPS, release};
use crate::server::{Server, interrupts, must_be_free};
use crate::setup::{Need, set_up};
use crate::steps::Steps;
use crate::tree::{command, find_program, root};

pub fn run(serve: &Serve) -> Result<()> {
    build_and_start(serve, 0)?.show_and_serve(serve, "/jobs")
}

/// A server that runs, and the way to hear that it shall end.
pub struct Started {
    pub steps: Steps,
    pub server: Server,
    asked: Receiver<()>,
}

/// Set-up, build and start; `more` steps are the caller's.
pub fn build_and_start(serve: &Serve, more: usize) -> Result<Started> {
    must_be_free(serve.port)?;
    let mut steps = Steps::new(1 + RELEASE_STEPS + 2 + more);
    set_up(&mut steps, Need::Demo)?;
    release(&mut steps)?;
    let data = serve.data.clone().unwrap_or_else(|| root().join("data"));
    // From before the start: a server is never left behind.
    let asked = interrupts()?;
    let server = steps.own("start", || Ok((Server::start(serve.port, &data)?, String::new())))?;
    Ok(Started { steps, server, asked })
}

impl Started {
    /// Prints the one link, which leads to `page`, and stays until Ctrl-C.
    pub fn show_and_serve(mut self, serve: &Serve, page: &str) -> Result<()> {
        let link = self.steps.own("sign-in link", || Ok((self.server.link(page)?, String::new())))?;
        eprintln!("\nOpen (works once, signs you in):\n");
        println!("{link}");
        eprintln!("\nData: {}    Ctrl-C ends everything.", self.server.data.display());
        if !serve.no_open {
            open(&link);
        }
        self.server.serve_until_asked(&self.asked)
    }
}

/// Opens the browser where there is a screen.
fn open(link: &str) {
    let screen = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()));
    if screen && find_program("xdg-open").is_some() {
        let quiet = Stdio::null;
        if let Err(error) = command("xdg-open").arg(link).stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn() {
            eprintln!("could not open a browser: {error}");
        }
    }
}
