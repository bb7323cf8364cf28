//! `cluster test`: a cluster from its start to its end, with Jobs in it, its API server killed, and nothing left behind.
//! Prints `N passed` and `N failed`, by which `cargo xtask test` counts it.

use std::env;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use serde_json::Value;

use super::image::Layer;
use super::left::Machine;
use super::parts::Part;
use super::place::{Place, sources};
use super::process::{end, wait_for};
use super::up::{kubectl, load, serving, up};
use super::{build, chart, down, machine, platform, python, status};
use crate::steps::Steps;
use crate::test::NOT_TESTED;
use crate::tree::command;

/// From a Job to its pods' end: they take about two seconds.
const JOB_PATIENCE: Duration = Duration::from_secs(60);
/// Of the drill itself, after those of the build.
const STEPS: usize = 11;

pub fn drill(place: &Place) -> Result<()> {
    if let Some(sentence) = machine::obstacle() {
        if env::var_os("CI").is_some_and(|value| !value.is_empty()) {
            println!("1 failed");
            bail!("{sentence}; in CI the tests need a machine that can");
        }
        println!("{NOT_TESTED}{sentence}");
        return Ok(());
    }
    ensure!(!place.run().exists(), "a cluster is there, and the test needs a new one: cargo xtask cluster down");
    let mut drill = Drill { place, steps: Steps::new(build::STEPS + STEPS), passed: 0, failed: 0 };
    build::build(&mut drill.steps, place)?;
    let machine = Machine::look()?;
    let outcome = drill.while_it_runs(&machine);
    if outcome.is_err() && place.logs().exists() {
        // Its end would take away what tells why.
        let _ = fs::remove_dir_all(place.kept_logs());
        match fs::rename(place.logs(), place.kept_logs()) {
            Ok(()) => eprintln!("the logs are in {}", place.kept_logs().display()),
            Err(error) => eprintln!("could not keep the logs in {}: {error}", place.kept_logs().display()),
        }
    }
    let ended = drill.check("its end", down::down);
    let gone = drill.check("nothing is left", |place| {
        let left = machine.traces(place)?;
        ensure!(left.is_empty(), "left behind: {left:#?}");
        down::down(place).context("a second `down`, with nothing to do")
    });
    println!("{} passed", drill.passed);
    if 0 < drill.failed {
        println!("{} failed", drill.failed);
    }
    outcome.and(ended).and(gone)
}

struct Drill<'a> {
    place: &'a Place,
    steps: Steps,
    passed: usize,
    failed: usize,
}

impl Drill<'_> {
    /// A step that counts as a test.
    fn check(&mut self, title: &str, work: impl FnOnce(&Place) -> Result<()>) -> Result<()> {
        let outcome = self.steps.own(title, || Ok((work(self.place)?, String::new())));
        match &outcome {
            Ok(()) => self.passed += 1,
            Err(error) => {
                self.failed += 1;
                eprintln!("{title}: {error:#}");
            }
        }
        outcome
    }

    fn while_it_runs(&mut self, machine: &Machine) -> Result<()> {
        let started = up(&mut self.steps, self.place);
        if let Err(error) = started {
            self.failed += 1;
            return Err(error);
        }
        self.passed += 1;
        self.check("chart and manifests", chart::check)?;
        self.check("images", images)?;
        self.check("Jobs run to their end", |place| {
            apply(place)?;
            finished(place, "hello", 2)?;
            finished(place, "reach", 1)
        })?;
        self.check("logs and CPU through the kubelet", told)?;
        self.check("status", status::print)?;
        self.check("jobs on pods", platform::tests)?;
        self.check("API server killed and started", outage)?;
        // The very look that must find nothing at the end finds each kind of thing now.
        self.check("traces while it runs", |place| {
            let traces = machine.traces(place)?;
            for kind in ["processes", "mounts", "network links", "nftables", "control groups", "folders"] {
                ensure!(traces.contains_key(kind), "a running cluster has {kind}, and none were found");
            }
            Ok(())
        })
    }
}

/// One of a static binary, one of Python.
fn images(place: &Place) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let hello = folder.path().join("hello");
    let output = command("rustc")
        .args(["--edition", "2024", "-C", "strip=symbols", "--target", &format!("{}-unknown-linux-musl", env::consts::ARCH), "-o"])
        .args([&hello, &sources().join("test/hello.rs")])
        .output()
        .context("could not start rustc")?;
    ensure!(output.status.success(), "hello.rs does not compile:\n{}", String::from_utf8_lossy(&output.stderr));
    let image = folder.path().join("image.tar");
    Layer::of_binary(&hello)?.write(&image, "localhost/hello:1", &[])?;
    load(place, &image)?;
    python::with_script(place, &sources().join("test/reach.py"))?.write(&image, "localhost/reach:1", &[])?;
    load(place, &image)
}

fn apply(place: &Place) -> Result<()> {
    asked(place, &["apply", "-f", &sources().join("test/jobs.yaml").to_string_lossy()]).map(|_| ())
}

/// Waits until a Job is complete, with just so many pods.
fn finished(place: &Place, job: &str, pods: u64) -> Result<()> {
    let needs = [Part::Apiserver, Part::ControllerManager, Part::Scheduler, Part::Kubelet];
    let mut last = Value::Null;
    let waited = wait_for(place, job, JOB_PATIENCE, &needs, || {
        last = object(place, &format!("job/{job}")).unwrap_or_default();
        has(&last, "Complete") || has(&last, "Failed")
    });
    waited.with_context(|| format!("Job {job}: {}", last["status"]))?;
    let succeeded = last["status"]["succeeded"].as_u64();
    if has(&last, "Complete") && succeeded == Some(pods) {
        return Ok(());
    }
    let said = asked(place, &["logs", &format!("job/{job}"), "--all-pods"]).unwrap_or_else(|error| error.to_string());
    bail!("Job {job} ended so: {}\nand its pods said:\n{said}", last["status"]);
}

fn has(object: &Value, condition: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    conditions.iter().any(|found| found["type"] == condition && found["status"] == "True")
}

/// What a pod printed, and what the node uses: each goes from the API server to the kubelet and back.
fn told(place: &Place) -> Result<()> {
    let hello = asked(place, &["logs", "job/hello", "--all-pods", "--prefix=false"])?;
    let lines = hello.lines().filter(|line| line.contains("hello from hello-")).count();
    ensure!(lines == 2, "two pods said hello, and their logs are: {hello}");
    let reach = asked(place, &["logs", "job/reach"])?;
    ensure!(reach.contains("redis client") && reach.contains("answers"), "the Python worker said: {reach}");
    let usage = asked(place, &["get", "--raw", "/api/v1/nodes/node1/proxy/metrics/resource"])?;
    ensure!(usage.contains("node_cpu_usage_seconds_total"), "the kubelet tells no CPU: {usage}");
    // metrics-server reads every ten seconds.
    wait_for(place, "the metrics API", JOB_PATIENCE, &[Part::MetricsServer], || {
        asked(place, &["get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes/node1"]).is_ok_and(|text| text.contains("\"cpu\""))
    })
}

/// Without the API server pods go on; with it again, the cluster knows them.
fn outage(place: &Place) -> Result<()> {
    wait_for(place, "the pod that stays", JOB_PATIENCE, &[Part::Kubelet], || pod(place).is_ok_and(|pod| has(&pod, "Ready")))?;
    let before = pod(place)?;
    end(place, Part::Apiserver, Signal::KILL)?;
    let (table, down) = status::table(place);
    ensure!(down == [Part::Apiserver], "only the API server was killed:\n{table}");
    let begun = Instant::now();
    let refused = asked(place, &["get", "nodes", "--request-timeout=5s"]);
    ensure!(refused.is_err(), "something still answers as the API server");
    Part::Apiserver.start(place)?;
    serving(place)?;
    let after = pod(place)?;
    for field in ["uid", "name"] {
        ensure!(before["metadata"][field] == after["metadata"][field], "the pod is another one after {:?}", begun.elapsed());
    }
    let restarts = |pod: &Value| pod["status"]["containerStatuses"][0]["restartCount"].as_u64();
    ensure!(restarts(&after) == Some(0) && has(&after, "Ready"), "the pod did not go on: {}", after["status"]);
    status::print(place)
}

fn pod(place: &Place) -> Result<Value> {
    let text = asked(place, &["get", "pods", "-l", "job-name=stay", "-o", "json"])?;
    let mut list: Value = serde_json::from_str(&text).context("kubectl gave no JSON")?;
    let pods = list["items"].as_array_mut().context("a list has items")?;
    ensure!(pods.len() == 1, "one pod stays, and there are {}", pods.len());
    Ok(pods.remove(0))
}

fn object(place: &Place, name: &str) -> Result<Value> {
    serde_json::from_str(&asked(place, &["get", name, "-o", "json"])?).context("kubectl gave no JSON")
}

/// What kubectl prints.
fn asked(place: &Place, arguments: &[&str]) -> Result<String> {
    let output = kubectl(place).args(arguments).stdin(Stdio::null()).output().context("could not start kubectl")?;
    ensure!(output.status.success(), "kubectl {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
