//! Moments that people wait for: from submit to the first item at work, from a killed replica to its item in the queue.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::Report;
use crate::server::{Server, free_port};

/// Jobs submitted one after the other.
const SUBMITS: usize = 40;
/// Replicas killed.
const KILLS: usize = 500;

pub fn measure() -> Result<Report> {
    let data = tempfile::tempdir()?;
    let mut server = Server::start(free_port()?, data.path())?;
    let mut first = Vec::new();
    for _ in 0..SUBMITS {
        first.push(submit_to_first(&server)?);
    }
    let mut back = requeues(&server)?;
    server.stop(None)?;
    let mut table =
        String::from("| What | times | p50, ms | p95, ms | longest, ms | at most |\n| --- | ---: | ---: | ---: | ---: | ---: |\n");
    for (what, times, limit) in [
        ("submit → first item at work", &mut first, "p95 1000"),
        ("replica killed → its item waits or is at work again", &mut back, "longest 1000"),
    ] {
        times.sort_unstable();
        let at = |share: usize| times[(times.len() - 1) * share / 100];
        table.push_str(&format!("| {what} | {} | {} | {} | {} | {limit} |\n", times.len(), at(50), at(95), at(100)));
    }
    Ok(Report {
        title: "Moments",
        method: "Submit: from before the POST to the moment that the worker's command itself wrote down as its start.\n\
                 Kill: from SIGKILL of a busy replica's main process to the first answer of the API in which it no longer holds its item; \
                 the API is asked every 10 ms."
            .to_owned(),
        table,
    })
}

fn job(command: &[&str], items: usize, replicas: u32) -> Value {
    json!({
        "name": "Moments",
        "platform": { "kind": "local", "params": { "command": command } },
        "workload": { "source": "inline", "items": (0..items).map(|item| item.to_string()).collect::<Vec<_>>() },
        "objective": { "deadline_s": 3600.0 },
        "replicas": { "min": replicas, "max": replicas, "initial": replicas },
        "loops": [],
        "queue": { "max_attempts": 1000 },
    })
}

fn now_ms() -> Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}

fn submit_to_first(server: &Server) -> Result<u64> {
    let before = now_ms()?;
    let answer = server.post("/api/v1/jobs", &job(&["asperathos", "worker", "--", "date", "+%s%3N"], 1, 1))?;
    let id = answer["job_id"].as_str().context("the server gave no job id")?.to_owned();
    for _ in 0..1000 {
        if server.get(&format!("/api/v1/jobs/{id}"))?["summary"]["phase"] == "completed" {
            let mut result = ureq::get(server.url(&format!("/jobs/{id}/results/0"))).header("Authorization", server.bearer()?).call()?;
            let began: u64 = result.body_mut().read_to_string()?.trim().parse()?;
            return Ok(began.saturating_sub(before));
        }
        thread::sleep(Duration::from_millis(10));
    }
    bail!("job {id} did not complete")
}

fn requeues(server: &Server) -> Result<Vec<u64>> {
    let answer = server.post("/api/v1/jobs", &job(&["asperathos", "worker", "--", "sleep", "0.5"], 20_000, 4))?;
    let id = answer["job_id"].as_str().context("the server gave no job id")?.to_owned();
    let mut times = Vec::new();
    let mut killed = std::collections::BTreeSet::new();
    let begun = Instant::now();
    while times.len() < KILLS && begun.elapsed() < Duration::from_secs(1500) {
        let detail = server.get(&format!("/api/v1/jobs/{id}"))?;
        let replicas = detail["replicas"].as_array().cloned().unwrap_or_default();
        // One that has completed something: replicas that never do are held back, as crashing ones.
        let ready = |replica: &&Value| replica["state"] == "busy" && 0 < replica["items_done"].as_u64().unwrap_or(0);
        let busy = replicas.iter().filter(ready).find(|replica| !killed.contains(&replica["id"].to_string()));
        let Some(busy) = busy else {
            thread::sleep(Duration::from_millis(20));
            continue;
        };
        killed.insert(busy["id"].to_string());
        let pid = busy["place"]
            .as_str()
            .and_then(|place| place.strip_prefix("process ")?.parse().ok())
            .and_then(Pid::from_raw)
            .context("a busy replica has no process")?;
        let name = busy["id"].clone();
        let at = Instant::now();
        kill_process(pid, Signal::KILL)?;
        loop {
            let held = server.get(&format!("/api/v1/jobs/{id}/items?state=processing&limit=20"))?;
            if !held.as_array().is_some_and(|items| items.iter().any(|item| item["replica"] == name)) {
                break;
            }
            if at.elapsed() > Duration::from_secs(30) {
                bail!("replica {name} was killed and its item did not come back in 30 s");
            }
            thread::sleep(Duration::from_millis(10));
        }
        times.push(u64::try_from(at.elapsed().as_millis())?);
    }
    server.post(&format!("/api/v1/jobs/{id}/terminate"), &json!({}))?;
    if times.len() < KILLS {
        bail!("only {} of {KILLS} replicas could be killed in time", times.len());
    }
    Ok(times)
}
