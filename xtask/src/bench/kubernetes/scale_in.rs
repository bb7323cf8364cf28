//! A hundred times fewer replicas, at random, on real pods: who was chosen goes, and nobody else; and what is lost where
//! pods are ended in the middle of their items.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::Site;
use super::jobs::{Random, done};

/// Jobs side by side, each with a script of its own.
const JOBS: usize = 4;
const EACH: usize = 25;
const MOST: u64 = 8;
const STEP_S: f64 = 3.0;

#[derive(Default)]
struct Found {
    scale_ins: usize,
    chosen: usize,
    went: usize,
    others: usize,
    items: usize,
    lost: usize,
    repeated: usize,
    requeued: u64,
}

pub fn measure(site: &Site) -> Result<String> {
    let mut table = "| Scale-in | times | chosen pods | of them went | others went | items done | lost | done twice | requeued |\n\
                     | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        .to_owned();
    for (what, drain) in [("**drained**", true), ("killed (`drain_s` 0, worker ends at TERM)", false)] {
        let found = scale_ins(site, drain)?;
        eprintln!(
            "{what}: {} scale-ins, {} chosen, {} went, {} others, requeued {}",
            found.scale_ins, found.chosen, found.went, found.others, found.requeued
        );
        let Found { scale_ins, chosen, went, others, items, lost, repeated, requeued } = found;
        table.push_str(&format!("| {what} | {scale_ins} | {chosen} | {went} | {others} | {items} | {lost} | {repeated} | {requeued} |\n"));
    }
    Ok(format!(
        "{JOBS} jobs side by side, each with a script that wants another random number of 1 to {MOST} replicas each {STEP_S} s.\n\
         *Chosen* are the pods of replicas that the server shows as draining, looked at five times a second; *went* are pods that a watch \
         saw leave before the job was stopped.\n\
         Items take 0.2 to 1 s. A killed pod too gets no more items once it is chosen, and most items end before TERM reaches it.\n\n{table}"
    ))
}

fn scale_ins(site: &Site, drain: bool) -> Result<Found> {
    let ids = (0..JOBS).map(|job| submit(site, job, drain)).collect::<Result<Vec<_>>>()?;
    let mut chosen: Vec<BTreeSet<String>> = vec![BTreeSet::new(); JOBS];
    let begun = Instant::now();
    let long = Duration::from_secs_f64(STEP_S * 2.6 * EACH as f64 + 60.0);
    let mut quiet = [None; JOBS];
    // Until the scripts have ended and nobody is on the way out.
    while quiet.iter().any(Option::is_none) {
        if long < begun.elapsed() {
            bail!("the scale-ins do not come to an end");
        }
        for (job, id) in ids.iter().enumerate() {
            let detail = site.server.get(&format!("/api/v1/jobs/{id}"))?;
            let replicas = detail["replicas"].as_array().cloned().unwrap_or_default();
            let draining: Vec<&str> = replicas
                .iter()
                .filter(|replica| replica["state"] == "draining")
                .filter_map(|replica| replica["place"].as_str()?.strip_prefix("pod "))
                .collect();
            chosen[job].extend(draining.iter().map(|pod| (*pod).to_owned()));
            let fell = site.moves(id)?.iter().filter(|(_, from, to)| to < from).count();
            if fell == EACH && draining.is_empty() {
                quiet[job].get_or_insert_with(Instant::now);
            }
        }
        thread::sleep(Duration::from_millis(100));
    }
    thread::sleep(Duration::from_secs(2));
    let mut found = Found::default();
    for (id, chosen) in ids.iter().zip(&chosen) {
        let left: BTreeSet<String> = {
            let known = site.seen.known();
            known.pods.iter().filter(|(_, pod)| pod.job == *id && pod.leaves.is_some()).map(|(name, _)| name.clone()).collect()
        };
        found.scale_ins += site.moves(id)?.iter().filter(|(_, from, to)| to < from).count();
        found.chosen += chosen.len();
        found.went += chosen.intersection(&left).count();
        found.others += left.difference(chosen).count();
    }
    for id in &ids {
        site.server.post(&format!("/api/v1/jobs/{id}/stop"), &json!({}))?;
        let begun = Instant::now();
        while site.phase(id)? != "stopped" {
            if Duration::from_secs(60) < begun.elapsed() {
                bail!("job {id} does not stop");
            }
            thread::sleep(Duration::from_millis(100));
        }
        let items = site.items(id)?;
        let begun = |item: &&serde_json::Value| item["state"] != "waiting";
        found.items += items.iter().filter(|item| item["state"] == "done").count();
        found.lost += items.iter().filter(begun).filter(|item| item["state"] != "done").count();
        found.requeued += site.requeued(id)?;
        found.repeated += done(site, id).context("logs")?.values().filter(|(times, _)| 1 < *times).count();
    }
    Ok(found)
}

fn submit(site: &Site, job: usize, drain: bool) -> Result<String> {
    let mut random = Random(job as u64 + 1);
    let (mut script, mut now, mut fell) = (vec![format!("0: {}", MOST / 2)], MOST / 2, 0);
    while fell < EACH {
        let next = 1 + (random.next() * MOST as f64) as u64;
        if next == now {
            continue;
        }
        fell += usize::from(next < now);
        now = next;
        script.push(format!("{}: {next}", 3.0 + STEP_S * script.len() as f64));
    }
    let items: Vec<String> = (0..5000).map(|item| format!("sleep:{:.2}:{item}", 0.2 + 0.8 * random.next())).collect();
    let mut body = site.job("scale-ins", &items);
    body["replicas"] = json!({ "min": 1, "max": MOST, "initial": MOST / 2 });
    let mut spec = json!({ "name": "script", "controller": { "kind": "scripted", "params": { "script": script } } });
    if !drain {
        body["platform"]["params"]["env"] = json!({ "ON_TERM": "end" });
        spec["actuator"] = json!({ "kind": "local_replicas", "params": { "drain_s": 0 } });
        body["queue"] = json!({ "max_attempts": 1000 });
    }
    body["loops"] = json!([spec]);
    site.submit(&body)
}
