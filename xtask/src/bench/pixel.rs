//! From a sample to the screen: real job pages in Chromium, alone and fifty at once.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::Report;
use crate::server::{Server, free_port};
use crate::tree::{command, find_program, root};

/// How long each number of pages is watched, seconds: one sample a second.
const WATCHED: u32 = 100;
/// At most so long, in 95 of 100 cases.
const LIMIT_MS: i64 = 250;
/// Pages in Chromium, readers of the stream besides, and seconds to the job's deadline.
const OPEN: [(usize, usize, u32); 4] = [(1, 0, 3600), (1, 49, 3600), (50, 0, 3600), (50, 0, 600)];

pub fn measure() -> Result<Report> {
    let chromium = find_program("chromium").context("chromium is missing: cargo xtask setup")?;
    let data = tempfile::tempdir()?;
    let mut server = Server::start(free_port()?, data.path())?;
    let mut table = String::from(
        "| Pages in Chromium | other readers | deadline in, min | samples | charts painted a sample | to the browser: p50, ms | p95, ms | on the screen: p50, ms | p95, ms | longest, ms | p95 at most | Chromium, % of a core | server, % |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for (pages, readers, deadline_s) in OPEN {
        let answer = server.post("/api/v1/jobs", &job(deadline_s))?;
        let id = answer["job_id"].as_str().context("the server gave no job id")?.to_owned();
        let seen = watch(&server, &id, &chromium.display().to_string(), pages, readers)?;
        server.post(&format!("/api/v1/jobs/{id}/terminate"), &json!({}))?;
        let (arrived, shown) = (sorted(&seen["arrived"]), sorted(&seen["shown"]));
        let missed = seen["missed"].as_u64().unwrap_or_default();
        if shown.len() < pages * WATCHED as usize / 2 || seen["visible"] != pages {
            bail!("{} samples were shown, {missed} never, by {} visible pages of {pages}", shown.len(), seen["visible"]);
        }
        let painted = seen["painted"].as_f64().unwrap_or_default() / shown.len() as f64;
        if painted == 0.0 {
            bail!("no chart was painted: the number that was watched is not all that a page shows");
        }
        let at = |all: &[i64], share: usize| all.get((all.len().saturating_sub(1)) * share / 100).copied().unwrap_or(-1);
        table.push_str(&format!(
            "| {pages} | {readers} | {} | {} | {painted:.1} | {} | {} | {} | {} | {} | {LIMIT_MS} | {:.0} | {:.1} |\n",
            deadline_s / 60,
            if missed == 0 { shown.len().to_string() } else { format!("{} and {missed} overtaken", shown.len()) },
            at(&arrived, 50),
            at(&arrived, 95),
            at(&shown, 50),
            at(&shown, 95),
            at(&shown, 100),
            seen["browser"].as_f64().unwrap_or(f64::NAN),
            seen["server"].as_f64().unwrap_or(f64::NAN),
        ));
    }
    server.stop(None)?;
    Ok(Report {
        title: "Sample to pixel",
        method: format!(
            "One running job with one replica, a sample of each of its series once a second, and its page in headless Chromium, software-rendered, {WATCHED} seconds for each line.\n\
             Each page is a browser context of its own, signed in by a link of its own, and visible, so that it draws every sample; readers only read the stream of server-sent events.\n\
             The time is from the sample's own time stamp, at the beginning of the tick, to the end of the frame in which the number of done items has changed, by the clock of the same machine; the charts are painted in the same frame.\n\
             A page paints those of its four charts that would look different by a pixel: few of them in a second of a job of an hour, most of them in a job of ten minutes, which is the last line.\n\
             The time to the browser ends when the message of the stream reaches a script in the page.\n\
             With 50 pages, all 50 are measured: people have machines of their own to draw on, here server, worker and 50 pages share the cores, and the last page is drawn when the 49 others are.\n\
             So the line with 49 readers is what 50 people see, and the lines with 50 pages are what one small machine can draw.\n\
             A sample is overtaken when the next one came before its frame was drawn."
        ),
        table,
    })
}

/// One worker, two or three items a second: each sample has a number of its own.
fn job(deadline_s: u32) -> Value {
    json!({
        "name": "Pixels",
        "platform": { "kind": "local", "params": { "command": ["asperathos", "worker", "--", "sleep", "{item}"] } },
        "workload": { "source": "inline", "items": vec!["0.4"; 5000] },
        "objective": { "deadline_s": deadline_s },
        "replicas": { "min": 1, "max": 1, "initial": 1 },
        "monitors": [{ "kind": "progress" }, { "kind": "cpu" }],
        "loops": [{ "name": "pace", "metric": "progress_error", "controller": { "kind": "pid", "params": {} } }],
    })
}

fn watch(server: &Server, id: &str, chromium: &str, pages: usize, readers: usize) -> Result<Value> {
    let asked = json!({
        "url": server.url(""),
        "id": id,
        // A link works once, and signs one browser in.
        "links": (0..pages).map(|_| server.link("/jobs")).collect::<Result<Vec<_>>>()?,
        "bearer": server.bearer()?,
        "readers": readers,
        "seconds": WATCHED,
        "program": chromium,
        "server": server.pid(),
    });
    let script = root().join("xtask/src/bench/pixel.mjs");
    let mut node = command("node");
    let output = node.arg(script).arg(asked.to_string()).current_dir(root().join("end2end")).output().context("could not run node")?;
    if !output.status.success() {
        bail!("the pages could not be watched:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn sorted(times: &Value) -> Vec<i64> {
    let mut times: Vec<i64> = times.as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
    times.sort_unstable();
    times
}
