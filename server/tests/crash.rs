//! `kill -9` of the server at random moments, with workers of all three kinds at work.
//! `ASPERATHOS_KILLS` says how often; `cargo xtask bench crash` does it 200 times.

#![expect(clippy::unwrap_used, reason = "a test fails where its helper fails")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

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

/// When the server was away: killed at, answering again at, ms since 1970.
type Outage = (i64, i64);

fn now_ms() -> i64 {
    i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Times of all points of the job's `done` series, at the full fineness of a second, ms since 1970.
async fn points(server: &Server, job: &str) -> Vec<i64> {
    let csv = String::from_utf8(server.bytes(&format!("/jobs/{job}/series.csv?width=10000")).await).unwrap();
    let times: Vec<i64> = csv
        .lines()
        .map(|line| line.split(',').collect::<Vec<_>>())
        .filter(|cells| cells.get(1) == Some(&"done"))
        .map(|cells| cells[0].parse().unwrap())
        .collect();
    assert!(5 < times.len(), "{} points", times.len());
    times
}

/// The widest hole of a chart, how many outages lie in it, and the longest time at a stretch that the server was up in a
/// hole, seconds.
struct Holes {
    widest_s: f64,
    outages: usize,
    up_s: f64,
}

/// A server that is killed again before its first tick makes one hole of two outages: what counts against it is the longest
/// time that it was up and made no point.
fn holes(points: &[i64], outages: &[Outage]) -> Holes {
    let mut found = Holes { widest_s: 0.0, outages: 0, up_s: 0.0 };
    for pair in points.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let inside: Vec<&Outage> = outages.iter().filter(|(killed, back)| *killed < to && from < *back).collect();
        let wide = (to - from) as f64 / 1000.0;
        if found.widest_s < wide {
            (found.widest_s, found.outages) = (wide, inside.len());
        }
        // Outages are in order and do not overlap.
        let ups = std::iter::once(from).chain(inside.iter().map(|(_, back)| *back));
        let downs = inside.iter().map(|(killed, _)| *killed).chain(std::iter::once(to));
        let up = ups.zip(downs).map(|(up, down)| down - up).max().unwrap_or(0);
        found.up_s = found.up_s.max(up as f64 / 1000.0);
    }
    found
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
        let killed = now_ms();
        server.kill();
        tokio::time::sleep(Duration::from_millis(chance.random_range(0..300))).await;
        server.launch().await;
        outages.push((killed, now_ms()));
        for job in &jobs {
            for (replica, count) in mains(job) {
                assert_eq!(count, 1, "{replica} is doubled");
            }
        }
    }
    let longest = outages.iter().map(|(killed, back)| back - killed).max().unwrap_or(0) as f64 / 1000.0;
    let mut charts = Vec::new();
    for job in &jobs {
        let detail = server.wait_long(job, &["completed", "failed"]).await;
        assert_eq!(detail["summary"]["items"]["done"], items, "{}", detail["summary"]);
        assert_eq!(detail["summary"]["items"]["total"], items, "{}", detail["summary"]);
        assert_eq!(processes_with(job), Vec::<i32>::new(), "processes are left behind");
        charts.push((job, holes(&points(&server, job).await, &outages)));
    }
    let all = server.items(&jobs[0]).await;
    for index in 0..items.min(all.len()) {
        let result = server.bytes(&format!("/jobs/{}/results/{index}", jobs[0])).await;
        assert_eq!(String::from_utf8(result).unwrap(), format!("done item {index}\n"), "one result, its own");
    }
    let results = std::fs::read_to_string(server.data.path().join("server.log")).unwrap();
    assert!(!results.contains("panicked"), "{results}");
    println!(
        "| kills | items of 3 jobs | done once | lost | orphans | doubled | longest outage, s | widest hole in a chart, s | outages in it | longest time up at a stretch in a hole, s |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    let widest = charts.iter().map(|(_, holes)| holes).max_by(|a, b| a.widest_s.total_cmp(&b.widest_s)).unwrap();
    let up = charts.iter().map(|(_, holes)| holes.up_s).fold(0.0, f64::max);
    println!(
        "| {kills} | {} | {} | 0 | 0 | 0 | {longest:.2} | {:.2} | {} | {up:.2} |",
        3 * items,
        3 * items,
        widest.widest_s,
        widest.outages
    );
    // Last, so that all else is known when a busy machine makes holes.
    for (job, holes) in charts {
        assert!(holes.up_s <= SLACK_S, "the chart of {job} has a hole although the server was up for {} s of it", holes.up_s);
    }
}
