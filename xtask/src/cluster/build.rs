//! `cluster build`: packages of the machine, the parts of Kubernetes compiled from source, and the image that holds pods.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::go::Go;
use super::image::Layer;
use super::place::{Place, sources, write};
use crate::setup::{Need, set_up};
use crate::steps::{Show, Steps};

/// How many steps `build` takes.
pub const STEPS: usize = 5;

/// One program is all of these; it looks at the name by which it is called.
const NAMES: [&str; 8] =
    ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "metrics-server", "kubectl"];

/// Makes what is missing or older than its source.
pub fn build(steps: &mut Steps, place: &Place) -> Result<()> {
    let _held = place.lock()?;
    set_up(steps, Need::Cluster)?;
    fs::create_dir_all(place.bin()).with_context(|| format!("could not make {}", place.bin().display()))?;
    compile(steps, place, "kube")?;
    for name in NAMES {
        let link = place.bin().join(name);
        if !link.exists() {
            symlink("kube", &link).with_context(|| format!("could not make {}", link.display()))?;
        }
    }
    compile(steps, place, "coredns")?;
    // After CoreDNS, of whose libraries it needs the same versions.
    compile(steps, place, "helm")?;
    pause(steps, place)
}

/// Compiles a Go module whose program has the folder's name.
fn compile(steps: &mut Steps, place: &Place, name: &str) -> Result<()> {
    let folder = sources().join(name);
    let program = place.bin().join(name);
    let source = ["go.mod", "go.sum", "main.go"].map(|file| folder.join(file));
    let is = of_files(&source)?;
    let version = version(&folder, module(name))?;
    let title = format!("{name} {version}");
    if made_of(&program, &is) {
        return steps.own(&title, || Ok(((), "built before".to_owned())));
    }
    let new = place.bin().join(format!("{name}.new"));
    let mut command = Go::find()?.build(&folder, &new, &version);
    ensure!(steps.run(&title, &mut command, Show::Names)?.ok, "{name} could not be built");
    replace(&new, &program, &is)
}

/// What a folder's program is.
fn module(name: &str) -> &'static str {
    match name {
        "kube" => "k8s.io/kubernetes",
        "coredns" => "github.com/coredns/coredns",
        _ => "helm.sh/helm/v4",
    }
}

/// The process that holds a pod's namespaces: too small for a module of its own.
fn pause(steps: &mut Steps, place: &Place) -> Result<()> {
    steps.own("pause image", || {
        let source = sources().join("pause.c");
        let image = place.bin().join("pause.tar");
        let is = of_files(std::slice::from_ref(&source))?;
        if made_of(&image, &is) {
            return Ok(((), "built before".to_owned()));
        }
        let program = place.bin().join("pause");
        let output = Command::new("cc").args(["-static", "-Os", "-s", "-o"]).args([&program, &source]).output();
        let output = output.context("could not start cc")?;
        ensure!(output.status.success(), "{} does not compile:\n{}", source.display(), String::from_utf8_lossy(&output.stderr));
        let new = place.bin().join("pause.new");
        Layer::of_binary(&program)?.write(&new, "localhost/pause:1", &[])?;
        replace(&new, &image, &is)?;
        Ok(((), String::new()))
    })
}

/// The version of a module that another one's `go.mod` pins.
fn version(folder: &Path, module: &str) -> Result<String> {
    let path = folder.join("go.mod");
    let text = fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
    let pinned = text.lines().find_map(|line| line.trim().trim_start_matches("require ").strip_prefix(module)?.strip_prefix(" v"));
    Ok(format!("v{}", pinned.with_context(|| format!("{} does not pin {module}", path.display()))?.trim()))
}

/// Whether a file was made of just this source.
fn made_of(made: &Path, source: &str) -> bool {
    made.exists() && fs::read_to_string(note(made)).is_ok_and(|noted| noted == source)
}

/// Puts what was made in its place, and notes of what it was made.
fn replace(new: &Path, made: &Path, source: &str) -> Result<()> {
    fs::rename(new, made).with_context(|| format!("could not make {}", made.display()))?;
    write(&note(made), source)
}

fn note(made: &Path) -> std::path::PathBuf {
    made.with_added_extension("source")
}

fn of_files(files: &[std::path::PathBuf]) -> Result<String> {
    let mut all = String::new();
    for file in files {
        all += &fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))?;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_modules() {
        let of = |folder: &str, module: &str| version(&sources().join(folder), module);
        assert!(of("kube", "k8s.io/kubernetes").unwrap().starts_with("v1."));
        assert!(of("coredns", "github.com/coredns/coredns").unwrap().starts_with("v1."));
        assert!(of("helm", "helm.sh/helm/v4").unwrap().starts_with("v4."));
        assert!(of("coredns", "example.org/none").unwrap_err().to_string().contains("does not pin"));
    }

    #[test]
    fn a_changed_source_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (new, made) = (folder.path().join("new"), folder.path().join("made"));
        fs::write(&new, "program").unwrap();
        replace(&new, &made, "one").unwrap();
        assert!(made_of(&made, "one"));
        assert!(!made_of(&made, "two"));
        fs::remove_file(&made).unwrap();
        assert!(!made_of(&made, "one"));
    }
}
