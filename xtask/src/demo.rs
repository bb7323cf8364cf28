//! `cargo xtask demo`: from a fresh clone to a running job on the screen, in one command.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::Serve;
use crate::run::build_and_start;
use crate::server::Server;
use crate::tree::{command, programs, root};

pub fn demo(serve: &Serve) -> Result<()> {
    let mut started = build_and_start(serve, 1)?;
    let server = &started.server;
    let id = started.steps.own("example job", || {
        let job = submission()?;
        if let Some(id) = still_running(server, &job)? {
            return Ok((id, "goes on from the last time".to_owned()));
        }
        let answer = server.post("/api/v1/jobs", &job)?;
        let id = answer["job_id"].as_str().context("the server gave no job id")?;
        Ok((id.to_owned(), format!("submitted as {id}")))
    })?;
    started.show_and_serve(serve, &format!("/jobs/{id}"))
}

/// The example's job with its items, as a person would post it.
fn submission() -> Result<Value> {
    let path = root().join("examples/mandelbrot/job.json");
    let mut job: Value = serde_json::from_slice(&fs::read(&path)?).with_context(|| format!("could not read {}", path.display()))?;
    let items = command(programs("release").join("mandelbrot")).arg("items").output()?;
    if !items.status.success() {
        bail!("`mandelbrot items` failed: {}", String::from_utf8_lossy(&items.stderr));
    }
    job["workload"] = json!({ "source": "inline", "items": String::from_utf8(items.stdout)? });
    Ok(job)
}

/// The example of an earlier demo, when it can still be in time; one that cannot is ended.
fn still_running(server: &Server, job: &Value) -> Result<Option<String>> {
    let jobs = server.get("/api/v1/jobs")?;
    let list = jobs.as_array().or_else(|| jobs["jobs"].as_array()).cloned().unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    for other in &list {
        let unfinished = matches!(other["phase"].as_str(), Some("created" | "running" | "suspended"));
        let Some(id) = other["id"].as_str() else { continue };
        if !unfinished || other["name"] != job["name"] {
            continue;
        }
        if other["deadline_at"].as_u64().is_some_and(|deadline| now < u128::from(deadline)) {
            return Ok(Some(id.to_owned()));
        }
        server.post(&format!("/api/v1/jobs/{id}/terminate"), &json!({}))?;
    }
    Ok(None)
}
