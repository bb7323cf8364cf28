//! `asperathos bench`: measures what the docs claim.

pub mod control;
mod simulator;
mod stopwatch;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Every control law and its peers on a grid of simulated jobs.
    Control(control::ControlArgs),
    /// Simulated jobs a second on one core.
    Simulator,
}

pub fn run(command: &BenchCommand) -> Result<(), control::ControlError> {
    match command {
        BenchCommand::Control(args) => control::run(args),
        BenchCommand::Simulator => {
            simulator::run().map_err(|source| control::ControlError::Write { path: "standard output".to_owned(), source })
        }
    }
}
