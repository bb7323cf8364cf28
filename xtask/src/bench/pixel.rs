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
/// Pages in Chromium, and readers of the stream besides.
const OPEN: [(usize, usize); 3] = [(1, 0), (1, 49), (50, 0)];

pub fn measure() -> Result<Report> {
    let chromium = find_program("chromium").context("chromium is missing: cargo xtask setup")?;
    let data = tempfile::tempdir()?;
    let mut server = Server::start(free_port()?, data.path())?;
    let answer = server.post("/api/v1/jobs", &job())?;
    let id = answer["job_id"].as_str().context("the server gave no job id")?.to_owned();
    let mut table = String::from(
        "| Pages in Chromium | other readers | samples | to the browser: p50, ms | p95, ms | on the screen: p50, ms | p95, ms | longest, ms | p95 at most | Chromium, % of a core | server, % |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for (pages, readers) in OPEN {
        let seen = watch(&server, &id, &chromium.display().to_string(), pages, readers)?;
        let (arrived, shown) = (sorted(&seen["arrived"]), sorted(&seen["shown"]));
        let missed = seen["missed"].as_u64().unwrap_or_default();
        if shown.len() < pages * WATCHED as usize / 2 || seen["visible"] != pages {
            bail!("{} samples were shown, {missed} never, by {} visible pages of {pages}", shown.len(), seen["visible"]);
        }
        let at = |all: &[i64], share: usize| all.get((all.len().saturating_sub(1)) * share / 100).copied().unwrap_or(-1);
        table.push_str(&format!(
            "| {pages} | {readers} | {} | {} | {} | {} | {} | {} | {LIMIT_MS} | {:.0} | {:.1} |\n",
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
    server.post(&format!("/api/v1/jobs/{id}/terminate"), &json!({}))?;
    server.stop(None)?;
    Ok(Report {
        title: "Sample to pixel",
        method: format!(
            "One running job with one replica, a sample of each of its series once a second, and its page in headless Chromium, software-rendered, {WATCHED} seconds for each line.\n\
             Each page is a browser context of its own and visible, so that it draws every sample; readers only read the stream of server-sent events.\n\
             The time is from the sample's own time stamp, at the beginning of the tick, to the end of the frame in which the number of done items has changed and all four charts were drawn anew, by the clock of the same machine.\n\
             The time to the browser ends when the message of the stream reaches a script in the page.\n\
             With 50 pages, all 50 are measured: people have machines of their own to draw on, here server, worker and 50 pages share the cores, and the last page is drawn when the 49 others are.\n\
             So the line with 49 readers is what 50 people see, and the line with 50 pages is what one small machine can draw.\n\
             A sample is overtaken when the next one came before its frame was drawn."
        ),
        table,
    })
}

/// One worker, two or three items a second: each sample has a number of its own.
fn job() -> Value {
    json!({
        "name": "Pixels",
        "platform": { "kind": "local", "params": { "command": ["asperathos", "worker", "--", "sleep", "{item}"] } },
        "workload": { "source": "inline", "items": vec!["0.4"; 5000] },
        "objective": { "deadline_s": 3600.0 },
        "replicas": { "min": 1, "max": 1, "initial": 1 },
        "monitors": [{ "kind": "progress" }, { "kind": "cpu" }],
        "loops": [{ "name": "pace", "metric": "progress_error", "controller": { "kind": "pid", "params": {} } }],
    })
}

fn watch(server: &Server, id: &str, chromium: &str, pages: usize, readers: usize) -> Result<Value> {
    let asked = json!({
        "url": server.url(""),
        "id": id,
        "link": server.link("/jobs")?,
        "bearer": server.bearer()?,
        "pages": pages,
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
