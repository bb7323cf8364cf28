//! From a decision to a container that runs, beside a plain Job whose parallelism is patched in the same minutes.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::api::now_ms;
use super::{Site, kubectl};
use crate::bench::median;

/// Raises of each kind.
const RAISES: usize = 30;
/// From a raise to the fall after it, and to the next raise.
const STEP_S: usize = 4;
const PATIENCE: Duration = Duration::from_secs(60);

pub fn measure(site: &Site) -> Result<String> {
    let (listen, image) = site.ground.worker();
    // A queue that takes calls and never answers keeps the plain Job's workers where they are.
    let silent = TcpListener::bind((listen, 0))?;
    let port = silent.local_addr()?.port();
    thread::spawn(move || silent.incoming().collect::<Vec<_>>());
    let plain = format!("/apis/batch/v1/namespaces/{}/jobs", site.namespace);
    site.api.post(&plain, &plain_job(image, listen, port))?;

    let script: Vec<String> = (0..2 * RAISES).map(|step| format!("{}: {}", step * STEP_S, 1 + step % 2)).collect();
    let items: Vec<String> = (0..3000).map(|item| format!("sleep:0.4:{item}")).collect();
    let mut body = site.job("latency", &items);
    body["replicas"] = json!({ "min": 1, "max": 2, "initial": 1 });
    body["loops"] = json!([{ "name": "script", "controller": { "kind": "scripted", "params": { "script": script } } }]);
    let id = site.submit(&body)?;

    let (mut ours, mut to_kubernetes, mut after, mut patched, mut by_program) = (vec![], vec![], vec![], vec![], vec![]);
    for raise in 0..RAISES {
        let (at, _, to) = until("a decision for two", || Ok(site.moves(&id)?.into_iter().filter(|(_, from, to)| from < to).nth(raise)))?;
        let runs = until("our pod", || Ok(first_after(site, &id, at)))?;
        let said = until("our parallelism", || {
            let known = site.seen.known();
            let mut changes = known.jobs.get(&id).into_iter().flat_map(|job| &job.parallelism);
            Ok(changes.find(|(seen, parallelism)| at <= *seen && *parallelism == to).map(|(seen, _)| *seen))
        })?;
        ours.push((runs - at) as f64);
        to_kubernetes.push((said - at) as f64);
        after.push((runs - said) as f64);
        // Between our raise and our fall, the plain one: by a request of this program, and by kubectl.
        let one = format!("{plain}/plain");
        let at = now_ms();
        if raise % 2 == 0 {
            site.api.patch(&one, &json!({ "spec": { "parallelism": 2 } }))?;
        } else {
            let patch = r#"{"spec":{"parallelism":2}}"#;
            kubectl(site.ground, &["patch", "job", "plain", "-n", site.namespace, "--type", "merge", "-p", patch])?;
        }
        let runs = until("the plain pod", || Ok(first_after(site, "plain", at)))?;
        if raise % 2 == 0 { &mut patched } else { &mut by_program }.push((runs - at) as f64);
        site.api.patch(&one, &json!({ "spec": { "parallelism": 1 } }))?;
    }
    site.server.post(&format!("/api/v1/jobs/{id}/terminate"), &json!({}))?;
    site.api.delete(&format!("{plain}/plain"))?;
    let mut table = "| From … to | times | median | worst |\n| --- | ---: | ---: | ---: |\n".to_owned();
    for (what, values) in [
        ("decision → new container runs", &ours),
        ("of it: decision → the parallelism is the Job's (our part, at most 100 ms)", &to_kubernetes),
        ("of it: parallelism → container runs (Kubernetes)", &after),
        ("plain Job: PATCH sent → container runs", &patched),
        ("plain Job: `kubectl patch` started → container runs", &by_program),
    ] {
        let most = values.iter().copied().fold(0.0, f64::max);
        table.push_str(&format!("| {what} | {} | {:.0} ms | {most:.0} ms |\n", values.len(), median(values.clone())));
    }
    Ok(format!(
        "A job whose script wants 2 and 1 by turns, and a plain Job of the same image that is raised between.\n\
         A decision has the time that is on its mark; what the cluster does has the time at which a watch told this program.\n\n{table}"
    ))
}

/// When the first container of a job began to run after a moment.
fn first_after(site: &Site, job: &str, at: i64) -> Option<i64> {
    site.seen.known().pods.values().filter(|pod| pod.job == job).filter_map(|pod| pod.runs).filter(|runs| at <= *runs).min()
}

fn until<T>(what: &str, mut there: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(found) = there().with_context(|| what.to_owned())? {
            return Ok(found);
        }
        thread::sleep(Duration::from_millis(20));
    }
    bail!("it did not come to pass: {what}")
}

fn plain_job(image: &str, host: &str, port: u16) -> Value {
    let env = json!([{ "name": "REDIS_HOST", "value": host }, { "name": "REDIS_PORT", "value": port.to_string() }]);
    let container = json!({
        "name": "worker",
        "image": image,
        "imagePullPolicy": "Never",
        "env": env,
        "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
    });
    let security = json!({ "runAsNonRoot": true, "runAsUser": 65534, "seccompProfile": { "type": "RuntimeDefault" } });
    let pod = json!({
        "restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "automountServiceAccountToken": false,
        "enableServiceLinks": false, "securityContext": security, "containers": [container],
    });
    json!({
        "metadata": { "name": "plain" },
        "spec": { "parallelism": 1, "completions": 1_000_000, "backoffLimit": i32::MAX, "template": { "spec": pod } },
    })
}
