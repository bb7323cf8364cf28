//! `kill -9` of the API server, etcd, the controller manager and our own server, again and again, while a job runs on
//! pods: every item is done, no job is stuck, no pod is left, and no loop decides while nothing can be seen.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::kubernetes::api::now_ms;
use super::kubernetes::{Site, build, jobs::Random, jobs::done, load};
use super::{date, machine};
use crate::cluster::{Ground, Part};
use crate::tree::root;

const PARTS: [&str; 4] = ["API server", "etcd", "controller manager", "our server"];
const ITEMS: usize = 150;
/// Controllers that lost their API server pause for a minute and more before they look again.
const PATIENCE: Duration = Duration::from_secs(400);
/// How long after the end of a job its last pod may be there.
const GOING: Duration = Duration::from_secs(180);
const KEPT: &str = "target/bench/drills.jsonl";

pub fn measure(rounds: usize, seed: u64, program: &Path) -> Result<()> {
    let ground = Ground::find()?;
    let kept = root().join(KEPT);
    fs::create_dir_all(kept.parent().context("a file has a folder")?)?;
    let mut file = File::options().create(true).append(true).open(&kept)?;
    let mut site = Site::new(&ground, "bench-drills", program)?;
    let mut random = Random(seed);
    for number in 0..rounds {
        let round = round(&mut site, &ground, &mut random, program).with_context(|| format!("round {number} of seed {seed}"))?;
        eprintln!("{number}: {round}");
        writeln!(file, "{round}")?;
    }
    drop(site);
    write(&fs::read_to_string(&kept)?)
}

/// One job, one kill, one start.
fn round(site: &mut Site, ground: &Ground, random: &mut Random, program: &Path) -> Result<Value> {
    let mut pick = |below: f64| random.next() * below;
    let part = pick(4.0) as usize;
    let (killed_after, away) = (1.0 + pick(14.0), 1.0 + pick(19.0));
    // Something is to be decided about every three seconds, before, during and after the outage.
    let script: Vec<String> = (0..40).map(|step| format!("{}: {}", step * 3, 1 + pick(6.0) as u64)).collect();
    let items: Vec<String> = (0..ITEMS).map(|item| format!("sleep:{:.2}:{item}", 0.3 + pick(0.9))).collect();
    let mut body = site.job("drill", &items);
    body["replicas"] = json!({ "min": 1, "max": 6, "initial": 3 });
    body["loops"] = json!([{ "name": "script", "controller": { "kind": "scripted", "params": { "script": script } } }]);
    body["queue"] = json!({ "max_attempts": 100 });
    let id = site.submit(&body)?;
    thread::sleep(Duration::from_secs_f64(killed_after));
    let begun = now_ms();
    let kill = match part {
        0 => Some(Part::Apiserver),
        1 => Some(Part::Etcd),
        2 => Some(Part::ControllerManager),
        _ => None,
    };
    match kill {
        Some(kill) => ground.kill(kill)?,
        None => site.server.kill()?,
    }
    thread::sleep(Duration::from_secs_f64(away));
    match kill {
        Some(kill) => ground.start(kill)?,
        None => site.server.launch()?,
    }
    let started = now_ms();
    let waited = Instant::now();
    loop {
        let phase = site.phase(&id)?;
        if phase == "completed" {
            break;
        }
        if phase == "failed" || PATIENCE < waited.elapsed() {
            let detail = site.server.get(&format!("/api/v1/jobs/{id}"))?;
            bail!("{}: the job is {phase} {:.0} s after the start: {}", PARTS[part], waited.elapsed().as_secs_f64(), detail["summary"]);
        }
        thread::sleep(Duration::from_millis(200));
    }
    let completed = (now_ms() - started) as f64 / 1000.0;
    let waited = Instant::now();
    let pods = format!("/api/v1/namespaces/{}/pods?labelSelector=asperathos.io%2Fjob%3D{id}", site.namespace);
    let jobs = format!("/apis/batch/v1/namespaces/{}/jobs?labelSelector=asperathos.io%2Fjob%3D{id}", site.namespace);
    loop {
        let none = |path: &str| site.api.get(path).is_ok_and(|list| list["items"].as_array().is_some_and(Vec::is_empty));
        if none(&pods) && none(&jobs) {
            break;
        }
        if GOING < waited.elapsed() {
            bail!("{}: pods or the Job are left {} s after the end of {id}", PARTS[part], GOING.as_secs());
        }
        thread::sleep(Duration::from_millis(500));
    }
    let items = site.items(&id)?;
    let not_done = items.iter().filter(|item| item["state"] != "done").count();
    let (decided_blind, blind_s) = while_blind(site, &id)?;
    // Between the kill and the start nothing can be seen, whether or not that was noticed at once.
    let between = site.moves(&id)?.iter().filter(|(at, ..)| begun < *at && *at < started).count();
    Ok(json!({
        "part": PARTS[part],
        "build": build(program),
        "killed_after_s": killed_after,
        "away_s": away,
        "items": items.len(),
        "not_done": not_done,
        "requeued": site.requeued(&id)?,
        "twice": done(site, &id)?.values().filter(|(times, _)| 1 < *times).count(),
        "blind_s": blind_s,
        "decided_blind": decided_blind,
        "decided_between": between,
        "completed_s": completed,
        "gone_s": waited.elapsed().as_secs_f64(),
        "load": load()?,
    }))
}

/// Decisions that moved something while loops were told to be blind, and how long they were, in seconds.
fn while_blind(site: &Site, id: &str) -> Result<(usize, f64)> {
    let detail = site.server.get(&format!("/api/v1/jobs/{id}"))?;
    let mut marks: Vec<(i64, String)> = detail["marks"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|mark| Some((mark["at"].as_i64()?, mark["text"].as_str()?.to_owned())))
        .collect();
    marks.sort();
    let moves = site.moves(id)?;
    let (mut since, mut decided, mut blind_ms) = (None, 0, 0);
    for (at, text) in marks {
        if text.starts_with("Loops are blind and hold.") {
            since = Some(at);
        } else if text.starts_with("Replicas are seen again")
            && let Some(from) = since.take()
        {
            blind_ms += at - from;
            // The mark of sight and the first decision after it are of one tick.
            decided += moves.iter().filter(|(moved, ..)| from < *moved && *moved < at - 100).count();
        }
    }
    Ok((decided, blind_ms as f64 / 1000.0))
}

fn write(lines: &str) -> Result<()> {
    let rounds = lines.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let mut table = "| Killed | rounds | away, s | items | not done | requeued | done twice | blind, s | decided while blind | decided between kill and start | \
                     start → completed, s: median, worst | then → no pod, no Job: worst, s |\n\
                     | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        .to_owned();
    let mut by_part: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for round in &rounds {
        by_part.entry(round["part"].as_str().unwrap_or_default()).or_default().push(round);
    }
    let all: Vec<&Value> = rounds.iter().collect();
    for (part, of) in by_part.into_iter().chain([("**all**", all)]) {
        let values = |name: &str| of.iter().map(|round| round[name].as_f64().unwrap_or(f64::NAN)).collect::<Vec<_>>();
        let sum = |name: &str| values(name).iter().sum::<f64>();
        let most = |name: &str| values(name).into_iter().fold(0.0, f64::max);
        table.push_str(&format!(
            "| {part} | {} | {:.0} | {} | {} | {} | {} | {:.0} | {} | {} | {:.0}, {:.0} | {:.0} |\n",
            of.len(),
            sum("away_s"),
            sum("items"),
            sum("not_done"),
            sum("requeued"),
            sum("twice"),
            sum("blind_s"),
            sum("decided_blind"),
            sum("decided_between"),
            super::median(values("completed_s")),
            most("completed_s"),
            most("gone_s")
        ));
    }
    let loads: Vec<f64> = rounds.iter().filter_map(|round| round["load"].as_str()?.parse().ok()).collect();
    let builds: Vec<String> = ["release build", "debug build"]
        .into_iter()
        .map(|build| (build, rounds.iter().filter(|round| round["build"] == build).count()))
        .filter(|(_, count)| 0 < *count)
        .map(|(build, count)| format!("{count} rounds with a {build} of the server"))
        .collect();
    let most = loads.iter().copied().fold(0.0, f64::max);
    let page = format!(
        "# Drills on Kubernetes\n\n\
         Each round is a job of {ITEMS} items of 0.3 to 1.2 s on pods, whose script wants another number of 1 to 6 replicas each 3 s.\n\
         One part is killed with SIGKILL 1 to 15 s after the submission and started again 1 to 20 s later, all at random.\n\
         The round is over when the job is, and neither its Job nor a pod of it is there any more; what takes longer than {} s and {} s is stuck, and fails the bench.\n\
         *Requeued* are items that went back after they had been taken, *done twice* those that workers wrote down twice: a pod that dies gives its item back.\n\
         *Blind* is the time between the marks that say so, which are made where it lasts for more than 2 s; *decided between kill and start* counts moves of a loop \
         before a silent outage was noticed too.\n\n{table}\n\
         {}; load of the last minute at the ends of rounds: median {:.1}, most {most:.1}.\n\n\
         - Date: {}\n- Machine: {}\n- Again: `cargo xtask bench drills --rounds 50`; rounds are added to those of before in `{KEPT}`\n",
        PATIENCE.as_secs(),
        GOING.as_secs(),
        builds.join(", "),
        super::median(loads.clone()),
        date()?,
        machine()?
    );
    println!("{page}");
    fs::write(root().join("docs/benchmarks/drills.md"), page)?;
    eprintln!("written to docs/benchmarks/drills.md");
    Ok(())
}
