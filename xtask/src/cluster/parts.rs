//! The parts of a cluster: what each is called, which files it reads, and how it is started.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;

use super::place::{Place, write};
use super::process::{alive, launch};

/// In the order in which they start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Part {
    Containerd,
    Etcd,
    Apiserver,
    ControllerManager,
    Scheduler,
    Kubelet,
    Proxy,
    MetricsServer,
    Coredns,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Part {
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Containerd => "containerd",
            Self::Etcd => "etcd",
            Self::Apiserver => "apiserver",
            Self::ControllerManager => "controller-manager",
            Self::Scheduler => "scheduler",
            Self::Kubelet => "kubelet",
            Self::Proxy => "proxy",
            Self::MetricsServer => "metrics-server",
            Self::Coredns => "coredns",
        }
    }

    /// Its program: containerd is the machine's, all others are built.
    fn program(self, place: &Place) -> PathBuf {
        let name = match self {
            Self::Containerd => return "containerd".into(),
            Self::Apiserver => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Proxy => "kube-proxy",
            Self::Etcd | Self::Kubelet | Self::MetricsServer | Self::Coredns => self.name(),
        };
        place.bin().join(name)
    }

    /// What it reads besides its arguments: the file of ours, and where it is expected below `run`.
    fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Containerd => &[("containerd.toml", "containerd.toml"), ("cni.conflist", "cni/10-asperathos.conflist")],
            Self::Kubelet => &[("kubelet.yaml", "kubelet.yaml")],
            Self::Proxy => &[("proxy.yaml", "proxy.yaml")],
            Self::Coredns => &[("Corefile", "Corefile")],
            Self::Apiserver => &[("audit.yaml", "audit.yaml")],
            Self::Etcd | Self::ControllerManager | Self::Scheduler | Self::MetricsServer => &[],
        }
    }

    /// Starts it, unless it runs.
    pub fn start(self, place: &Place) -> Result<()> {
        // Nothing is written for one that runs: the proxy ends itself when its file changes.
        if alive(place, self).is_some() {
            return Ok(());
        }
        place.must_exist()?;
        for (ours, theirs) in self.files() {
            write(&place.run().join(theirs), place.fill(ours, &[])?)?;
        }
        let mut command = Command::new(self.program(place));
        command.args(arguments(&place.fill(&format!("{self}.args"), &[])?));
        launch(place, self, &command)
    }
}

/// One a line; empty lines and comments are for the reader.
fn arguments(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_on_the_command_line_are_those_of_the_files() {
        for part in Part::all() {
            assert_eq!(part.to_possible_value().unwrap().get_name(), part.name());
        }
    }

    #[test]
    fn comments_are_no_arguments() {
        assert_eq!(arguments("# why\n--a=1\n\n  --b\n").collect::<Vec<_>>(), ["--a=1", "--b"]);
    }
}
