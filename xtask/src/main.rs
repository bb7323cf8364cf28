//! `cargo xtask`: everything one does with this repository, a file a command.
//! Set-up, building, the demo, the tests and the measurements need nothing but cargo and this program.

mod bench;
mod build;
mod cluster;
mod demo;
mod end2end;
mod image;
mod run;
mod server;
mod setup;
mod site;
mod steps;
mod test;
mod tree;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Builds, shows, tests and measures Asperathos")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build, start the server, submit the Mandelbrot example and print one link, already signed in
    Demo(Serve),
    /// Build and start the server, without the example
    Run(Serve),
    /// Build the browser part and the server (release)
    Build,
    /// Build the server's image without an engine: an archive that `podman load` and `ctr images import` read
    Image {
        /// The archive to write, or the folder with --tree
        out: PathBuf,
        /// NAME:TAG, as pods will call it
        #[arg(default_value = image::NAME)]
        name: String,
        /// Only the folder that is the image's root, for an engine to make the image of
        #[arg(long)]
        tree: bool,
    },
    /// Every check and every test, the browser tests included
    Test {
        /// Also jobs on a real Kubernetes, compiled the first time: needs root, Go and a quarter of an hour
        #[arg(long)]
        cluster: bool,
    },
    /// Only the browser tests; arguments after `--` go to Playwright
    End2end {
        /// Also write the pictures under docs/images
        #[arg(long)]
        screenshots: bool,
        #[arg(last = true)]
        playwright: Vec<String>,
    },
    /// Measure, and write docs/benchmarks/NAME.md
    Bench {
        #[arg(value_enum)]
        name: bench::Name,
        #[command(flatten)]
        how: bench::How,
    },
    /// A real Kubernetes on this machine: up, down, status, images, drills
    Cluster {
        #[command(subcommand)]
        command: cluster::Cluster,
    },
    /// Install what is missing, or say the one line to type
    Setup,
}

/// Where the server of `demo` and `run` listens and keeps its data.
#[derive(Args)]
pub struct Serve {
    #[arg(long, default_value_t = 1500)]
    port: u16,
    /// Default: `data` in the repository
    #[arg(long)]
    data: Option<PathBuf>,
    /// Do not open a browser
    #[arg(long)]
    no_open: bool,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Demo(serve) => demo::demo(&serve),
        Command::Run(serve) => run::run(&serve),
        Command::Build => build::all(),
        Command::Image { out, name, tree } => image::image(&out, &name, tree),
        Command::Test { cluster } => test::test(cluster),
        Command::End2end { screenshots, playwright } => end2end::end2end(screenshots, &playwright),
        Command::Bench { name, how } => bench::bench(name, &how),
        Command::Cluster { command } => cluster::cluster(command),
        Command::Setup => setup::everything(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{error:#}");
            ExitCode::FAILURE
        }
    }
}
