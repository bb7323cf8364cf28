//! Jobs on a real Kubernetes: the jobs of the original, latencies, scale-ins, requests, and CPU changed in place.
//! Each part is measured by itself and kept below target, so that one can be measured again at a quieter time.

pub mod api;
mod cpu;
pub mod jobs;
mod latency;
mod requests;
mod scale_in;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde_json::{Value, json};

use self::api::{Api, Seen};
use super::{date, machine};
use crate::cluster::Ground;
use crate::server::{Server, free_port};
use crate::tree::root;

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Part {
    /// The 55 jobs of the original
    Jobs,
    /// From a decision to a container that runs
    Latency,
    /// A hundred scale-ins
    ScaleIn,
    /// What the server asks of the cluster
    Requests,
    /// A thousand Jobs on the control plane
    Thousand,
    /// CPU changed in place
    Cpu,
}

impl Part {
    fn title(self) -> &'static str {
        match self {
            Self::Jobs => "The jobs of the original",
            Self::Latency => "From a decision to a container",
            Self::ScaleIn => "A hundred scale-ins",
            Self::Requests => "Requests in steady state",
            Self::Thousand => "A thousand Jobs",
            Self::Cpu => "CPU changed in place",
        }
    }

    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// Measures these parts, or all, and writes the page of all that were measured so far.
pub fn measure(only: &[Part], share: f64, program: &Path) -> Result<()> {
    let ground = Ground::find()?;
    let kept = root().join("target/bench/kubernetes");
    fs::create_dir_all(&kept)?;
    for part in Part::value_variants().iter().filter(|part| only.is_empty() || only.contains(part)) {
        let before = load()?;
        let measured = match part {
            Part::Jobs => jobs::measure(&Site::new(&ground, "bench-jobs", program)?, share),
            Part::Latency => latency::measure(&Site::new(&ground, "bench-latency", program)?),
            Part::ScaleIn => scale_in::measure(&Site::new(&ground, "bench-scale-in", program)?),
            Part::Requests => requests::measure(&ground, program),
            Part::Thousand => requests::thousand(&mut Site::new(&ground, "bench-thousand", program)?),
            Part::Cpu => cpu::measure(&ground),
        };
        let text = measured.with_context(|| format!("{part:?}"))?;
        let text = format!(
            "## {}\n\n{}\n\nMeasured on {}, {}, load {before} before and {} after.\n",
            part.title(),
            text.trim(),
            date()?,
            build(program),
            load()?
        );
        println!("{text}");
        fs::write(kept.join(format!("{}.md", part.name())), text)?;
    }
    let texts: Vec<String> =
        Part::value_variants().iter().filter_map(|part| fs::read_to_string(kept.join(format!("{}.md", part.name()))).ok()).collect();
    let page = format!(
        "# Jobs on Kubernetes\n\n\
         The server on the cluster of `cargo xtask cluster up`: one node, all its parts on the same machine, real containers.\n\
         The load is that of the last minute, over all cores; workers sleep and need next to no CPU.\n\n\
         {}\n- Machine: {}\n- Again: `cargo xtask bench kubernetes`; one part: `--only jobs`; a tenth of the jobs: `--share 0.1`\n",
        texts.join("\n"),
        machine()?
    );
    fs::write(root().join("docs/benchmarks/kubernetes.md"), page)?;
    eprintln!("written to docs/benchmarks/kubernetes.md");
    Ok(())
}

/// Which build it is, by the folder where cargo puts it.
pub fn build(program: &Path) -> &'static str {
    if program.parent().is_some_and(|folder| folder.ends_with("release")) { "release build" } else { "debug build" }
}

/// Of the last minute.
pub fn load() -> Result<String> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').next().unwrap_or_default().to_owned())
}

/// A server with a namespace of its own.
pub struct Site<'a> {
    pub ground: &'a Ground,
    pub api: Api,
    pub seen: Arc<Seen>,
    pub server: Server,
    pub namespace: &'static str,
    _data: tempfile::TempDir,
}

impl<'a> Site<'a> {
    pub fn new(ground: &'a Ground, namespace: &'static str, program: &Path) -> Result<Self> {
        Self::with(ground, namespace, program, |_| Ok(ground.kubeconfig().display().to_string()))
    }

    /// With the kubeconfig that the closure makes, once the namespace is there.
    pub fn with(
        ground: &'a Ground,
        namespace: &'static str,
        program: &Path,
        kubeconfig: impl FnOnce(&Api) -> Result<String>,
    ) -> Result<Self> {
        let api = Api::open(ground.kubectl())?;
        kubectl(ground, &["delete", "namespace", namespace, "--ignore-not-found"])?;
        let labels = json!({ "pod-security.kubernetes.io/enforce": "restricted" });
        api.post("/api/v1/namespaces", &json!({ "metadata": { "name": namespace, "labels": labels } }))?;
        let data = tempfile::tempdir()?;
        let (listen, _) = ground.worker();
        let more = ["--kubeconfig", &kubeconfig(&api)?, "--namespace", namespace, "--pods-listen", listen].map(str::to_owned);
        let seen = api.watch(namespace);
        let server = Server::start_with(free_port()?, data.path(), program.to_owned(), more.into())?;
        Ok(Self { ground, api, seen, server, namespace, _data: data })
    }

    /// One replica, no loop, an hour; the rest is for the caller to say.
    pub fn job(&self, name: &str, items: &[String]) -> Value {
        let (_, image) = self.ground.worker();
        json!({
            "name": name,
            "platform": { "kind": "kubejobs", "params": { "image": image, "pull_policy": "never" } },
            "workload": { "source": "inline", "items": items },
            "objective": { "deadline_s": 3600 },
            "replicas": { "min": 1, "max": 1, "initial": 1 },
            "loops": [],
        })
    }

    pub fn submit(&self, body: &Value) -> Result<String> {
        let answer = self.server.post("/api/v1/jobs", body)?;
        Ok(answer["job_id"].as_str().context("the server gave no job id")?.to_owned())
    }

    pub fn phase(&self, id: &str) -> Result<String> {
        let jobs = self.server.get("/api/v1/jobs?limit=2000")?;
        let job = jobs.as_array().and_then(|jobs| jobs.iter().find(|job| job["id"] == id));
        Ok(job.and_then(|job| job["phase"].as_str()).context("the server does not know the job")?.to_owned())
    }

    /// Decisions that moved something: when, milliseconds since 1970, from and to.
    pub fn moves(&self, id: &str) -> Result<Vec<(i64, u64, u64)>> {
        let detail = self.server.get(&format!("/api/v1/jobs/{id}"))?;
        let moved = |mark: &Value| {
            let (from, to) = (mark["decision"]["from"].as_u64()?, mark["decision"]["to"].as_u64()?);
            (from != to).then_some((mark["at"].as_i64()?, from, to))
        };
        let mut moves: Vec<_> = detail["marks"].as_array().into_iter().flatten().filter_map(moved).collect();
        moves.sort_unstable();
        Ok(moves)
    }

    pub fn items(&self, id: &str) -> Result<Vec<Value>> {
        let items = self.server.get(&format!("/api/v1/jobs/{id}/items?limit=5000"))?;
        items.as_array().cloned().context("items are a list")
    }

    /// How often items went back after they had been taken.
    pub fn requeued(&self, id: &str) -> Result<u64> {
        let again = |item: &Value| item["attempts"].as_u64().unwrap_or(0).saturating_sub(1);
        Ok(self.items(id)?.iter().map(again).sum())
    }
}

/// What kubectl prints.
pub fn kubectl(ground: &Ground, arguments: &[&str]) -> Result<String> {
    let output = ground.kubectl().args(arguments).output().context("could not start kubectl")?;
    ensure!(output.status.success(), "kubectl {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
