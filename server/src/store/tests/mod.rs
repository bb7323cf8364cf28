//! The store as its users rely on it.

mod access;
mod clusters;
mod experience;
mod jobs;
mod life;
mod live;
mod recordings;
mod samples;

use std::path::PathBuf;

use control::job::{Bounds, JobSpec, LoopSpec, Objective, Order, QueueSpec, Workload};
use control::live::{JobSummary, Series};
use control::plugin::PluginSpec;
use serde_json::json;
use tempfile::TempDir;

use super::{NewJob, Store, Tick};

/// A round hour in 2026.
const NOON: i64 = 1_780_272_000_000;

struct House {
    store: Store,
    dir: TempDir,
}

impl House {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store.db")).await.unwrap();
        Self { store, dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("store.db")
    }

    async fn job(&self, id: &str) -> i64 {
        self.store.insert_job(new_job(id)).await.unwrap()
    }

    async fn tick(&self, id: &str, at: i64, samples: &[(&str, f64)]) -> i64 {
        let tick = tick(&self.store, id, at, samples).await;
        self.store.tick(tick).await.unwrap()
    }

    async fn one_series(&self, id: &str, name: &str, from: i64, to: i64, width: u32) -> Series {
        let mut all = self.store.series(id, &[name.to_owned()], from, to, width).await.unwrap();
        assert!(all.len() <= 1);
        all.pop().unwrap_or_default()
    }
}

fn new_job(id: &str) -> NewJob {
    let pid = json!({"proportional_gain": 1.0, "guards": {"cooldown_s": 30}});
    let law = |name: &str, params| LoopSpec {
        name: name.to_owned(),
        controller: PluginSpec::new("pid", params),
        metric: "progress_error".to_owned(),
        actuator: PluginSpec::new("replicas", json!({})),
        interval_s: 1.0,
    };
    let spec = JobSpec {
        name: "render".to_owned(),
        platform: PluginSpec::new("local", json!({"command": "true"})),
        workload: Workload::Inline { items: "a\nb".to_owned() },
        objective: Objective::within(600.0),
        replicas: Bounds { min: 1, max: 8, initial: 1 },
        monitors: Vec::new(),
        loops: vec![law("zeal", pid), law("caution", json!({}))],
        queue: QueueSpec { max_attempts: 3, order: Order::Fifo }.into(),
    };
    NewJob { id: id.to_owned(), spec, submitted_at: NOON, deadline_at: NOON + 600_000, by: "ann".to_owned() }
}

async fn summary(store: &Store, id: &str) -> JobSummary {
    store.job(id).await.unwrap().unwrap().summary
}

async fn tick(store: &Store, id: &str, at: i64, samples: &[(&str, f64)]) -> Tick {
    Tick {
        job: id.to_owned(),
        at,
        summary: summary(store, id).await,
        samples: samples.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
        memories: Vec::new(),
        recorded: Vec::new(),
        marks: Vec::new(),
        loops: None,
        replicas: Vec::new(),
    }
}

/// Writes many samples of one series at once, past the ticks: seconds from `NOON` on.
async fn bulk_load(store: &Store, job: &str, name: &str, values: Vec<f64>) {
    let (job, name) = (job.to_owned(), name.to_owned());
    store
        .write(move |tx| {
            Box::pin(async move {
                let job = super::jobs::number(&mut tx.conn, &job).await?;
                let series = super::samples::series_id(tx, job, &name).await?;
                let rows: Vec<_> = (0..).zip(values).map(|(s, value)| (series, NOON + s * 1_000, value)).collect();
                super::samples::insert_rows(tx, &rows).await
            })
        })
        .await
        .unwrap();
}
