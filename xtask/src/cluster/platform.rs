//! The server's own tests on the cluster: jobs whose replicas are pods.

use std::env;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::image::Layer;
use super::place::{HOST, Place};
use super::python;
use super::up::load;
use crate::image;
use crate::tree::{cargo, root};

/// The worker of those tests, as pods call it.
pub const IMAGE: &str = "localhost/pod-worker:1";
/// The server itself, for the test of its chart.
const SERVER_IMAGE: &str = "localhost/asperathos:test";

/// Python's worker and `asperathos worker`, for the tests from the form to the results.
const WORKERS_IMAGE: &str = "localhost/workers:1";

/// Makes the worker's image and gives it to the cluster.
pub fn worker(place: &Place) -> Result<()> {
    let built = image::build(&["--quiet", "-p", "pod-worker"]).status().context("could not start cargo")?;
    ensure!(built.success(), "the worker does not compile");
    let binary = image::built("debug", "pod-worker");
    let folder = tempfile::tempdir()?;
    let image = folder.path().join("worker.tar");
    Layer::of_binary(&binary)?.write(&image, IMAGE, &[])?;
    load(place, &image)
}

/// Makes the server's image and gives it to the cluster.
fn server(place: &Place) -> Result<()> {
    let built = image::build(&["--quiet", "-p", "server"]).status().context("could not start cargo")?;
    ensure!(built.success(), "the server does not compile without libraries");
    let folder = tempfile::tempdir()?;
    let image = folder.path().join("server.tar");
    image::write("debug", &image, SERVER_IMAGE)?;
    load(place, &image)
}

/// Makes the image of the two workers that a form can choose: one of the original's, and `asperathos worker` for any program.
fn workers(place: &Place) -> Result<()> {
    let own = image::built("debug", "asperathos");
    let mut layer = python::with_script(place, &root().join("examples/python/lease_worker.py"))?;
    layer.program("asperathos", &own)?;
    let folder = tempfile::tempdir()?;
    let image = folder.path().join("workers.tar");
    layer.write(&image, WORKERS_IMAGE, &[])?;
    load(place, &image)
}

/// Runs the tests with the cluster in their environment. They print themselves.
pub fn tests(place: &Place) -> Result<()> {
    worker(place)?;
    server(place)?;
    workers(place)?;
    let passed = command(place, &[])?.status().context("could not start cargo")?;
    ensure!(passed.success(), "tests of jobs on pods failed");
    Ok(())
}

/// The tests, or those that `more` chooses, with the cluster in their environment.
pub fn command(place: &Place, more: &[&str]) -> Result<Command> {
    // With the features of the whole workspace, with which it is built already.
    let mut tests = cargo(&["test", "--workspace", "--test", "kubernetes", "--", "--ignored", "--test-threads", "1"]);
    tests
        .args(more)
        .env("ASPERATHOS_TEST_KUBECONFIG", place.kubeconfig("admin"))
        .env("ASPERATHOS_TEST_PODS_LISTEN", HOST)
        .env("ASPERATHOS_TEST_IMAGE", IMAGE)
        .env("ASPERATHOS_TEST_SERVER_IMAGE", SERVER_IMAGE)
        .env("ASPERATHOS_TEST_WORKERS_IMAGE", WORKERS_IMAGE)
        .env("ASPERATHOS_TEST_AUDIT", place.logs().join("audit.log"))
        .env("ASPERATHOS_TEST_CLUSTER", format!("{} cluster", env::current_exe()?.display()));
    Ok(tests)
}
