//! `asperathos bench`: measures what the docs claim.

pub mod control;
mod stopwatch;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Every control law and its peers on a grid of simulated jobs.
    Control(control::ControlArgs),
}

pub fn run(command: &BenchCommand) -> Result<(), control::ControlError> {
    match command {
        BenchCommand::Control(args) => control::run(args),
    }
}
