//! Where a cluster keeps its things, what it is called on the machine, and how its configuration gets to know both.

use std::env;
use std::fs::{self, File};
use std::path::{self, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::tree::root;

/// The network of the pods, and this machine's address in it.
pub const BRIDGE: &str = "asp0";
pub const HOST: &str = "10.88.0.1";
pub const NODE: &str = "node1";
const PODS: &str = "10.88.0.0/16";
const SERVICES: &str = "10.96.0.0/16";

/// A socket's path may have 107 bytes, and the kubelet makes some of 37 below this folder.
const LONGEST_RUN: usize = 70;

/// A cluster's folder: `bin` stays, `run` goes with the cluster.
pub struct Place {
    folder: PathBuf,
}

impl Place {
    /// `CLUSTER_DIR`, or `target/cluster` of this repository.
    ///
    /// # Errors
    /// The path is too long, or has characters that would need quoting in one of a dozen files.
    pub fn find() -> Result<Self> {
        let chosen = env::var_os("CLUSTER_DIR").filter(|folder| !folder.is_empty());
        Self::at(match chosen {
            Some(folder) => path::absolute(folder)?,
            None => root().join("target/cluster"),
        })
    }

    fn at(folder: PathBuf) -> Result<Self> {
        let place = Self { folder };
        let run = place.run();
        let text = run.to_str().unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        let way_out = "choose another folder with CLUSTER_DIR";
        ensure!(
            !text.is_empty() && text.chars().all(plain),
            "{}: only letters, digits and / . _ - can stand here; {way_out}",
            run.display()
        );
        ensure!(text.len() <= LONGEST_RUN, "{text}: {} characters, and a socket's path allows {LONGEST_RUN} here; {way_out}", text.len());
        Ok(place)
    }

    pub fn bin(&self) -> PathBuf {
        self.folder.join("bin")
    }

    pub fn run(&self) -> PathBuf {
        self.folder.join("run")
    }

    pub fn logs(&self) -> PathBuf {
        self.run().join("log")
    }

    /// The logs of the last test that failed.
    pub fn kept_logs(&self) -> PathBuf {
        self.folder.join("log-of-failure")
    }

    pub fn pki(&self) -> PathBuf {
        self.run().join("pki")
    }

    pub fn kubeconfig(&self, who: &str) -> PathBuf {
        self.run().join(format!("{who}.kubeconfig"))
    }

    /// # Errors
    /// There is no cluster in this folder, or nothing that was made ready for its parts.
    pub fn must_exist(&self) -> Result<()> {
        ensure!(self.kubeconfig("admin").exists(), "no cluster is in {}: cargo xtask cluster up", self.folder.display());
        Ok(())
    }

    pub fn socket(&self) -> PathBuf {
        self.run().join("containerd.sock")
    }

    /// The control group that all pods are below: the folder's path, so that two clusters have two.
    pub fn cgroup(&self) -> String {
        let path = self.folder.to_string_lossy().replace('/', "-");
        format!("asperathos{path}")
    }

    /// One command at a time changes a cluster; held until the file is dropped.
    pub fn lock(&self) -> Result<File> {
        fs::create_dir_all(&self.folder).with_context(|| format!("could not make {}", self.folder.display()))?;
        let path = self.folder.join("lock");
        let file = File::create(&path).with_context(|| format!("could not make {}", path.display()))?;
        if file.try_lock().is_err() {
            eprintln!("waiting for another command that changes this cluster");
            file.lock().with_context(|| format!("could not lock {}", path.display()))?;
        }
        Ok(file)
    }

    /// A file of `end2end/cluster/config` with the names of this cluster in it, and `more` values that only the caller knows.
    ///
    /// # Errors
    /// A name between two `@` that nobody knows.
    pub fn fill(&self, name: &str, more: &[(&str, &str)]) -> Result<String> {
        let path = sources().join("config").join(name);
        let mut text = fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
        let (run, cgroup) = (self.run(), self.cgroup());
        let own = [
            ("RUN", run.to_str().unwrap_or_default()),
            ("CGROUP", &cgroup),
            ("BRIDGE", BRIDGE),
            ("HOST", HOST),
            ("NODE", NODE),
            ("PODS", PODS),
            ("SERVICES", SERVICES),
        ];
        for (name, value) in own.iter().chain(more) {
            text = text.replace(&format!("@{name}@"), value);
        }
        if let Some(line) = text.lines().find(|line| line.contains('@')) {
            bail!("{}: a name between @ that nobody fills: {line}", path.display());
        }
        Ok(text)
    }
}

/// Where the Go modules and the configuration are.
pub fn sources() -> PathBuf {
    root().join("end2end/cluster")
}

/// Writes a file whole: a process that watches it never reads half of one.
pub fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    let part = path.with_added_extension("new");
    fs::write(&part, text).and_then(|()| fs::rename(&part, path)).with_context(|| format!("could not write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_would_need_quoting_is_refused() {
        assert!(Place::at("/home/ada/asperathos/target/cluster".into()).is_ok());
        for bad in ["/home/ada lovelace/cluster", "/tmp/{x}", "/tmp/a\"b", &format!("/{}", "long/".repeat(14))] {
            let error = Place::at(bad.into()).err().map(|error| error.to_string());
            assert!(error.is_some_and(|error| error.contains("CLUSTER_DIR")), "{bad}");
        }
    }

    #[test]
    fn two_folders_have_two_control_groups() {
        let name = |folder: &str| Place::at(folder.into()).unwrap().cgroup();
        assert_eq!(name("/src/a/target/cluster"), "asperathos-src-a-target-cluster");
        assert_ne!(name("/src/a/target/cluster"), name("/src/b/target/cluster"));
    }

    #[test]
    fn every_file_is_filled() {
        let place = Place::at("/tmp/cluster".into()).unwrap();
        let more = [("CA", "ca"), ("WHO", "admin"), ("TOKEN", "token")];
        let mut seen = 0;
        for entry in fs::read_dir(sources().join("config")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(!place.fill(&name, &more).unwrap().is_empty(), "{name}");
            seen += 1;
        }
        assert!(10 < seen, "only {seen} files");
        assert!(place.fill("kubeconfig.yaml", &[]).is_err_and(|error| error.to_string().contains("@CA@")));
    }
}
