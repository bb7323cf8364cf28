//! `cargo xtask cluster …`: a real Kubernetes of one node on this very machine, for the tests and for playing by hand.
//! It is compiled from source through the Go module proxy and runs as plain processes of root; no registry, no engine.

mod build;
mod certificates;
mod chart;
mod down;
mod drill;
mod go;
mod identities;
pub mod image;
mod left;
mod machine;
mod parts;
mod place;
mod platform;
mod process;
mod python;
mod status;
mod up;

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{self, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::Subcommand;
use rustix::process::Signal;

use crate::steps::Steps;
use image::Layer;
pub use parts::Part;
use place::Place;

#[derive(Subcommand)]
pub enum Cluster {
    /// Install what is missing and compile the parts: minutes, once
    Build,
    /// Start everything and wait until the node is Ready; builds first what is not built
    Up,
    /// End all that `up` started and take back all it changed; only the built programs stay
    Down,
    /// One line a part, then the node; fails if a part is down
    Status,
    /// Print the path of the admin's kubeconfig
    Kubeconfig,
    /// kubectl, as admin
    Kubectl {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Helm, as admin
    Helm {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Write deploy/manifests from the chart
    Manifests,
    /// Make an image of a static binary, without an engine or a registry
    Image {
        /// The archive to write
        out: PathBuf,
        /// NAME:TAG, as pods will call it, such as localhost/worker:1
        name: String,
        binary: PathBuf,
        /// What the binary is called with
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Make an image of Debian's Python with the Redis client, and a script as its program
    Python {
        /// The archive to write
        out: PathBuf,
        /// NAME:TAG, as pods will call it, such as localhost/worker:1
        name: String,
        script: PathBuf,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Give an image to the cluster; pods name it with `imagePullPolicy: Never`
    Load { image: PathBuf },
    /// End a part with SIGKILL, as a crash does
    Kill { part: Part },
    /// End a part with SIGTERM
    Stop { part: Part },
    /// Start a part that was ended
    Start { part: Part },
    /// Start a cluster, run Jobs, kill its API server, end it, and look for what is left
    Test,
}

pub fn cluster(command: Cluster) -> Result<()> {
    let place = Place::find()?;
    match command {
        Cluster::Build => {
            let mut steps = Steps::new(build::STEPS);
            build::build(&mut steps, &place)
        }
        Cluster::Up => {
            machine::must_do()?;
            let mut steps = Steps::new(build::STEPS + 1);
            build::build(&mut steps, &place)?;
            up::up(&mut steps, &place)?;
            eprintln!("\nexport KUBECONFIG={}", place.kubeconfig("admin").display());
            Ok(())
        }
        Cluster::Down => down::down(&place),
        Cluster::Status => status::print(&place),
        Cluster::Kubeconfig => {
            place.must_exist()?;
            println!("{}", place.kubeconfig("admin").display());
            Ok(())
        }
        Cluster::Kubectl { arguments } => {
            place.must_exist()?;
            Err(up::kubectl(&place).args(arguments).exec()).context("could not start kubectl")
        }
        Cluster::Helm { arguments } => Err(chart::helm(&place).args(arguments).exec()).context("could not start helm"),
        Cluster::Manifests => chart::write(&place),
        Cluster::Image { out, name, binary, arguments } => Layer::of_binary(&binary)?.write(&path::absolute(out)?, &name, &arguments),
        Cluster::Python { out, name, script, arguments } => {
            python::with_script(&place, &script)?.write(&path::absolute(out)?, &name, &arguments)
        }
        Cluster::Load { image } => {
            place.must_exist()?;
            up::load(&place, &path::absolute(image)?)
        }
        Cluster::Kill { part } => process::end(&place, part, Signal::KILL),
        Cluster::Stop { part } => process::end(&place, part, Signal::TERM),
        Cluster::Start { part } => {
            part.start(&place)?;
            // What is started next would not find it.
            if part == Part::Apiserver { up::serving(&place) } else { Ok(()) }
        }
        Cluster::Test => drill::drill(&place),
    }
}

/// The test above as a program of its own: its steps are counted apart, and its cluster is its own affair.
pub fn test() -> Result<Command> {
    let mut command = Command::new(env::current_exe().context("could not find this program")?);
    command.args(["cluster", "test"]);
    Ok(command)
}

/// A cluster for measurements: the one that runs, or one that ends with this.
pub struct Ground {
    place: Place,
    ours: bool,
}

impl Ground {
    /// # Errors
    /// It is not built, as that would be measured too; or this machine cannot run it.
    pub fn find() -> Result<Self> {
        machine::must_do()?;
        let place = Place::find()?;
        let ours = place.must_exist().is_err();
        if ours {
            let mut steps = Steps::new(build::STEPS + 1);
            build::build(&mut steps, &place)?;
            up::up(&mut steps, &place)?;
        }
        let ground = Self { place, ours };
        platform::worker(&ground.place)?;
        Ok(ground)
    }

    pub fn kubectl(&self) -> Command {
        up::kubectl(&self.place)
    }

    /// The admin's.
    pub fn kubeconfig(&self) -> PathBuf {
        self.place.kubeconfig("admin")
    }

    /// The address at which pods reach this machine, and the image of their worker.
    pub fn worker(&self) -> (&'static str, &'static str) {
        (place::HOST, platform::IMAGE)
    }

    /// A kubeconfig for an account of its own, in the folder of the cluster.
    pub fn with_token(&self, token: &str) -> Result<PathBuf> {
        let path = self.place.run().join("bench.kubeconfig");
        let authority = identities::authority(&self.place)?;
        let text = self.place.fill("kubeconfig.yaml", &[("CA", &authority), ("WHO", "bench"), ("TOKEN", token)])?;
        fs::write(&path, text).with_context(|| format!("could not write {}", path.display()))?;
        Ok(path)
    }

    /// The server's tests on this cluster, those that `more` chooses.
    pub fn tests(&self, more: &[&str]) -> Result<Command> {
        platform::command(&self.place, more)
    }

    pub fn kill(&self, part: Part) -> Result<()> {
        process::end(&self.place, part, Signal::KILL)
    }

    /// Starts a part that was killed, and does not wait until it serves.
    pub fn start(&self, part: Part) -> Result<()> {
        part.start(&self.place)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = down::down(&self.place)
        {
            eprintln!("the cluster could not be ended: {error:#}");
        }
    }
}
