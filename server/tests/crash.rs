//! `kill -9` of the server at random moments, with workers of all three kinds at work.
//! `ASPERATHOS_KILLS` says how often; `cargo xtask bench crash` does it 200 times.

#![expect(clippy::unwrap_used, reason = "a test fails where its helper fails")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use support::{Server, echo_job, processes_with};

/// Enough to meet every stage of a job in each run of the tests.
const KILLS: usize = 8;

fn python(script: &str, items: usize) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples/python").join(script);
    let mut job = echo_job(items, 0.0);
    job["name"] = json!(script);
    job["platform"]["params"] = json!({ "command": ["/usr/bin/python3", file.display().to_string()], "env": { "WORK_SECONDS": "0.1" } });
    job
}

/// Main processes of each replica: more than one would be a double.
fn mains(job: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for pid in processes_with(&format!("ASPERATHOS_JOB={job}")) {
        let Ok(process) = procfs::process::Process::new(pid) else { continue };
        let (Ok(stat), Ok(environ)) = (process.stat(), process.environ()) else { continue };
        let replica = environ.get(std::ffi::OsStr::new("ASPERATHOS_REPLICA")).map(|name| name.to_string_lossy().into_owned());
        if let Some(replica) = replica.filter(|_| stat.pgrp == stat.pid && stat.comm != "sh" && stat.comm != "sleep") {
            *found.entry(replica).or_default() += 1;
        }
    }
    found
}

/// A tick lasts a second; the one before the kill and the one after the start may each be nearly over, on a busy machine more.
const SLACK_S: f64 = 3.0;

/// The longest and the usual time between two points of the chart of done items, seconds.
fn widest_hole_s(detail: &Value) -> (f64, f64) {
    let series = detail["series"].as_array().unwrap().iter().find(|series| series["name"] == "done").expect("there is a chart");
    let times: Vec<i64> = series["points"].as_array().unwrap().iter().filter_map(|point| point["at"].as_i64()).collect();
    assert!(5 < times.len(), "{} points", times.len());
    let mut steps: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1000.0).collect();
    steps.sort_by(f64::total_cmp);
    (steps[steps.len() - 1], steps[steps.len() / 2])
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_nothing_is_lost_doubled_or_left_behind() {
    let kills = std::env::var("ASPERATHOS_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let seed = std::env::var("ASPERATHOS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    println!("{kills} kills, seed {seed}");
    let mut chance = rand::rngs::StdRng::seed_from_u64(seed);
    let mut server = Server::start().await;
    let items = 60 + kills * 12;
    let mut own = echo_job(items, 0.1);
    own["queue"] = json!({ "max_attempts": 1000 });
    let mut jobs = Vec::new();
    for mut body in [own, python("lease_worker.py", items), python("naive_worker.py", items)] {
        body["queue"] = json!({ "max_attempts": 1000 });
        body["replicas"] = json!({ "min": 2, "max": 2, "initial": 2 });
        body["objective"]["deadline_s"] = json!(3600);
        jobs.push(server.submit(&body).await);
    }
    let mut outages = Vec::new();
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(chance.random_range(20..1500))).await;
        let begun = Instant::now();
        server.kill();
        tokio::time::sleep(Duration::from_millis(chance.random_range(0..300))).await;
        server.launch().await;
        outages.push(begun.elapsed().as_secs_f64());
        for job in &jobs {
            for (replica, count) in mains(job) {
                assert_eq!(count, 1, "{replica} is doubled");
            }
        }
    }
    let worst = outages.iter().copied().fold(0.0, f64::max);
    let mut holes = Vec::new();
    for job in &jobs {
        let detail = server.wait_long(job, &["completed", "failed"]).await;
        assert_eq!(detail["summary"]["items"]["done"], items, "{}", detail["summary"]);
        assert_eq!(detail["summary"]["items"]["total"], items, "{}", detail["summary"]);
        assert_eq!(processes_with(job), Vec::<i32>::new(), "processes are left behind");
        // A long chart comes in buckets of several seconds; an outage can empty those at both of its ends.
        let (hole, bucket) = widest_hole_s(&detail);
        holes.push((job, hole, if bucket > 1.5 { 2.0 * bucket } else { 0.0 }));
    }
    let all = server.items(&jobs[0]).await;
    for index in 0..items.min(all.len()) {
        let result = server.bytes(&format!("/jobs/{}/results/{index}", jobs[0])).await;
        assert_eq!(String::from_utf8(result).unwrap(), format!("done item {index}\n"), "one result, its own");
    }
    let results = std::fs::read_to_string(server.data.path().join("server.log")).unwrap();
    assert!(!results.contains("panicked"), "{results}");
    let widest = holes.iter().map(|(_, hole, _)| *hole).fold(0.0, f64::max);
    println!(
        "| kills | items of 3 jobs | done once | lost | orphans | doubled | longest outage, s | widest hole in a chart, s |\n| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    println!("| {kills} | {} | {} | 0 | 0 | 0 | {worst:.2} | {widest:.2} |", 3 * items, 3 * items);
    // Last, so that all else is known when a busy machine makes holes.
    for (job, hole, blurred) in holes {
        assert!(hole <= worst + SLACK_S + blurred, "the chart of {job} has a hole of {hole} s; the longest outage took {worst} s");
    }
}
