//! The chart below `deploy/helm`, and the plain manifests, which are the chart with its default values.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::place::{self, Place};
use crate::tree::{command, root};

/// Of the release, and of the namespace that the manifests name.
const NAME: &str = "asperathos";

/// Helm, as admin where there is a cluster.
pub fn helm(place: &Place) -> Command {
    let mut helm = command(place.bin().join("helm"));
    // Nobody's own repositories, plugins and settings.
    for (name, folder) in [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data")] {
        helm.env(name, place.run().join("helm").join(folder));
    }
    helm.env("KUBECONFIG", place.kubeconfig("admin"));
    helm
}

pub fn chart() -> PathBuf {
    root().join("deploy/helm/asperathos")
}

fn manifests() -> PathBuf {
    root().join("deploy/manifests/asperathos.yaml")
}

/// `cluster manifests`.
pub fn write(place: &Place) -> Result<()> {
    place::write(&manifests(), rendered(place)?)
}

/// The chart is one that Helm finds no fault with, and the manifests are made of it.
pub fn check(place: &Place) -> Result<()> {
    said(helm(place).args(["lint", "--strict"]).arg(chart()))?;
    let written = fs::read_to_string(manifests()).context("could not read the manifests")?;
    ensure!(written == rendered(place)?, "deploy/manifests is not what the chart says: cargo xtask cluster manifests");
    let refused = said(helm(place).args(["template", NAME, "--set", "storage.sise=1Gi"]).arg(chart()));
    ensure!(refused.is_err(), "a value that the chart does not know is taken");
    Ok(())
}

fn rendered(place: &Place) -> Result<String> {
    let objects = said(helm(place).args(["template", NAME, "--namespace", NAME]).arg(chart()))?;
    Ok(format!("# Made by `cargo xtask cluster manifests` from deploy/helm/asperathos, with its default values.\n{objects}"))
}

fn said(helm: &mut Command) -> Result<String> {
    let output = helm.stdin(Stdio::null()).output().context("could not start helm")?;
    ensure!(
        output.status.success(),
        "{helm:?} failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
