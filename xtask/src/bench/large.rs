//! A large workload: two million items, 100 MB, uploaded, submitted and waiting.

use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use procfs::process::Process;
use serde_json::{Value, json};

use super::Report;
use crate::server::{Server, free_port};

const ITEMS: usize = 2_000_000;

pub fn measure() -> Result<Report> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("items.txt");
    let mut writer = std::io::BufWriter::new(std::fs::File::create(&file)?);
    for item in 0..ITEMS {
        writeln!(writer, "https://data.example/archive/part-{item:012}.tar")?;
    }
    writer.flush()?;
    let bytes = std::fs::metadata(&file)?.len();
    let mut server = Server::start(free_port()?, &folder.path().join("data"))?;
    let begun = Instant::now();
    let request = ureq::post(server.url("/api/v1/uploads")).header("Authorization", server.bearer()?);
    let mut answer = request.send(std::fs::File::open(&file)?)?;
    let stored: Value = answer.body_mut().read_json()?;
    let uploaded = begun.elapsed();
    let answer = server.post(
        "/api/v1/jobs",
        &json!({
            "name": "Two million items",
            "platform": { "kind": "local", "params": { "command": ["sleep", "1000"] } },
            "workload": { "source": "upload", "upload": stored["upload"] },
            "objective": { "deadline_s": 86_400.0 },
            "replicas": { "min": 1, "max": 1, "initial": 1 },
            "loops": [],
        }),
    )?;
    let id = answer["job_id"].as_str().context("the server gave no job id")?.to_owned();
    let accepted = begun.elapsed();
    loop {
        let detail = server.get(&format!("/api/v1/jobs/{id}"))?;
        if detail["summary"]["phase"] == "running" && detail["summary"]["items"]["waiting"] == ITEMS {
            break;
        }
        if detail["summary"]["phase"] == "failed" || begun.elapsed() > Duration::from_secs(300) {
            bail!("the job did not run: {}", detail["summary"]);
        }
        thread::sleep(Duration::from_millis(50));
    }
    let running = begun.elapsed();
    thread::sleep(Duration::from_secs(5));
    let memory = Process::new(i32::try_from(server.pid())?)?.status()?.vmrss.unwrap_or_default() as f64 / 1024.0;
    server.post(&format!("/api/v1/jobs/{id}/terminate"), &json!({}))?;
    server.stop(None)?;
    Ok(Report {
        title: "A large workload",
        method: format!("{ITEMS} items in a file of {} MB, sent to a release server by one client of the same machine.", bytes / 1_000_000),
        table: format!(
            "| What | measured | at most |\n| --- | ---: | ---: |\n\
             | file uploaded, s | {:.1} | |\n| submission accepted, s | {:.1} | |\n| all items waiting and the job running, s | {:.1} | 20 |\n\
             | resident memory of the server 5 s later, MiB | {memory:.0} | 381 (400 MB) |\n",
            uploaded.as_secs_f64(),
            accepted.as_secs_f64(),
            running.as_secs_f64()
        ),
    })
}
