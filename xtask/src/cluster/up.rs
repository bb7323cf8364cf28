//! `cluster up`: from nothing to a node that is Ready, and the two programs that one asks about it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::parts::Part;
use super::place::{NODE, Place, write};
use super::process::wait_for;
use super::{identities, machine};
use crate::steps::Steps;

/// Each far more than it takes on two busy cores.
const RUNTIME_PATIENCE: Duration = Duration::from_secs(30);
const API_PATIENCE: Duration = Duration::from_secs(120);
const NODE_PATIENCE: Duration = Duration::from_secs(120);

/// Starts what does not run, as the last step.
pub fn up(steps: &mut Steps, place: &Place) -> Result<()> {
    machine::must_do()?;
    let _held = place.lock()?;
    steps.own("Kubernetes", || {
        start(place)?;
        Ok(((), format!("node {NODE} is Ready")))
    })
}

fn start(place: &Place) -> Result<()> {
    machine::prepare(place)?;
    fs::create_dir_all(place.logs()).with_context(|| format!("could not make {}", place.logs().display()))?;
    identities::make(place)?;
    Part::Containerd.start(place)?;
    wait_for(place, "containerd", RUNTIME_PATIENCE, &[Part::Containerd], || quietly(ctr(place).arg("version")))?;
    pause_image(place)?;
    Part::Etcd.start(place)?;
    Part::Apiserver.start(place)?;
    serving(place)?;
    for part in [Part::ControllerManager, Part::Scheduler, Part::Kubelet, Part::Proxy] {
        part.start(place)?;
    }
    objects(place)?;
    for part in [Part::MetricsServer, Part::Coredns] {
        part.start(place)?;
    }
    ready(place)
}

/// Waits until the API server answers, as after its start.
pub fn serving(place: &Place) -> Result<()> {
    let needs = [Part::Etcd, Part::Apiserver];
    wait_for(place, "the API server", API_PATIENCE, &needs, || quietly(kubectl(place).args(["get", "--raw", "/readyz"])))
}

/// Waits until pods may be made.
fn ready(place: &Place) -> Result<()> {
    let node = format!("node/{NODE}");
    let needs = [Part::Containerd, Part::Kubelet];
    wait_for(place, "the node", NODE_PATIENCE, &needs, || {
        quietly(kubectl(place).args(["wait", "--for=condition=Ready", &node, "--timeout=1s"]))
    })?;
    wait_for(place, "the default service account", NODE_PATIENCE, &[Part::ControllerManager], || {
        quietly(kubectl(place).args(["get", "serviceaccount", "default"]))
    })
}

/// The metrics API, and the rights of what runs beside the cluster.
fn objects(place: &Place) -> Result<()> {
    let path = place.run().join("objects.yaml");
    write(&path, place.fill("objects.yaml", &[("CA", &identities::authority(place)?)])?)?;
    must(kubectl(place).args(["apply", "-f"]).arg(&path))
}

fn pause_image(place: &Place) -> Result<()> {
    let images = ctr(place).args(["images", "ls", "-q"]).output().context("could not start ctr")?;
    if String::from_utf8_lossy(&images.stdout).lines().any(|name| name == "localhost/pause:1") {
        return Ok(());
    }
    load(place, &place.bin().join("pause.tar"))
}

/// Gives an image's archive to the cluster.
pub fn load(place: &Place, image: &Path) -> Result<()> {
    ensure!(image.is_file(), "{}: there is no such file", image.display());
    must(ctr(place).args(["images", "import"]).arg(image))
}

/// kubectl, as admin.
pub fn kubectl(place: &Place) -> Command {
    let mut command = Command::new(place.bin().join("kubectl"));
    // Nobody's own preferences either.
    command.arg("--kubeconfig").arg(place.kubeconfig("admin")).env("KUBERC", "off");
    command
}

/// containerd's own client, in the kubelet's namespace.
pub fn ctr(place: &Place) -> Command {
    let mut command = Command::new("ctr");
    command.arg("-a").arg(place.socket()).args(["-n", "k8s.io"]);
    command
}

fn quietly(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// # Errors
/// It failed; with what it said.
fn must(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("could not start {:?}", command.get_program()))?;
    ensure!(output.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
