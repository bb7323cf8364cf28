//! Asperathos: control of batch applications by their goal. One binary: server, worker and small tools.

mod access;
mod actuator;
mod backend;
mod cli;
mod clock;
mod config;
mod controller;
mod fence;
mod http;
mod lock;
mod manager;
mod monitor;
mod platform;
mod queue;
mod recorder;
mod store;
mod words;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(version, about = "Control of batch applications by their goal")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server: pages, API, control loops.
    Serve(config::Settings),
    /// Print a new one-time link that signs in.
    Link(cli::link::LinkArgs),
    /// Send a JSON submission to a running server.
    Submit(cli::submit::SubmitArgs),
    /// Say whether a submission's goal can be met and what it takes, before anything is created.
    Quote(cli::quote::QuoteArgs),
    /// Which Kubernetes clusters jobs can run on: add, list, test, update, remove.
    Cluster(cli::cluster::ClusterArgs),
    /// Turn any program into a worker: take an item, run it, publish its output.
    Worker(cli::worker::WorkerArgs),
    /// One control loop on a pipe: an observation a line in, its effects a line out.
    Law(cli::law::LawArgs),
    /// Ask the law of a recorded job again, or what another one would have done
    Replay(cli::replay::ReplayArgs),
    /// Simulate jobs from scenario files under a law.
    Simulate(cli::simulate::SimulateArgs),
    /// Measure what the docs claim.
    #[command(subcommand)]
    Bench(cli::bench::BenchCommand),
    /// Serve a bare job queue, for trying clients and for benches.
    Queue(cli::queue::QueueArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info,fjall=warn,lsm_tree=warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()).init();
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("TLS was set up already");
    }
    let command = Arguments::parse().command;
    let serves = matches!(command, Command::Serve(_));
    let ended = match command {
        Command::Serve(settings) => done(cli::serve::run(settings).await),
        Command::Link(args) => done(cli::link::run(args).await),
        Command::Submit(args) => done(cli::submit::run(args).await),
        Command::Quote(args) => done(cli::quote::run(args).await),
        Command::Cluster(args) => done(cli::cluster::run(args).await),
        Command::Law(args) => done(cli::law::run(&args)),
        Command::Replay(args) => done(cli::replay::run(args).await),
        Command::Simulate(args) => done(cli::simulate::run(&args)),
        Command::Bench(command) => done(cli::bench::run(&command)),
        Command::Queue(args) => done(cli::queue::run(args).await),
        Command::Worker(args) => cli::worker::run(args).await.map_err(|error| words::chain(&error)),
    };
    ended.unwrap_or_else(|message| {
        // A server has a log; who typed a command reads a sentence.
        if serves {
            tracing::error!("{message}");
        } else {
            eprintln!("error: {message}");
        }
        ExitCode::FAILURE
    })
}

fn done<E: std::error::Error>(result: Result<(), E>) -> Result<ExitCode, String> {
    result.map(|()| ExitCode::SUCCESS).map_err(|error| words::chain(&error))
}
