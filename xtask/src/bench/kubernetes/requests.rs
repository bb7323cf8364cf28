//! How much the server asks of the cluster: requests in steady state, counted by the API server; and a thousand Jobs.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::api::Api;
use super::{Site, kubectl};
use crate::cluster::Ground;

const NAMESPACE: &str = "bench-requests";
/// New pods are read more often for a while.
const SETTLE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_secs(120);
const MANY: usize = 1000;
/// Deleted while the server is down.
const DELETED: usize = 10;
const PATIENCE: Duration = Duration::from_secs(600);

pub fn measure(ground: &Ground, program: &Path) -> Result<String> {
    let site = counted(ground, program)?;
    let mut table =
        "| Jobs, each with a pod | seconds | requests | a job and tick | limit |\n| ---: | ---: | ---: | ---: | ---: |\n".to_owned();
    let mut jobs = 0;
    for more in [1, 19] {
        for _ in 0..more {
            let items: Vec<String> = (0..1000).map(|item| format!("sleep:1:{item}")).collect();
            site.submit(&site.job("steady", &items))?;
        }
        jobs += more;
        let begun = Instant::now();
        while site.seen.known().pods.values().filter(|pod| pod.runs.is_some()).count() < jobs {
            if Duration::from_secs(120) < begun.elapsed() {
                bail!("{jobs} pods do not run");
            }
            thread::sleep(Duration::from_millis(200));
        }
        thread::sleep(SETTLE);
        let (before, from) = (requests(&site.api)?, Instant::now());
        thread::sleep(LOOK);
        let (asked, seconds) = (requests(&site.api)? - before, from.elapsed().as_secs_f64());
        table.push_str(&format!("| {jobs} | {seconds:.0} | {asked:.0} | **{:.4}** | 0.05 |\n", asked / seconds / jobs as f64));
        eprintln!("{jobs} jobs: {asked} requests in {seconds:.0} s");
    }
    Ok(format!(
        "The server has an account of its own, and the API server counts what comes from it, with what it hands on to the kubelet.\n\
         Each job has one pod that works, and the monitors of a plain submission; a tick is a second.\n\n{table}"
    ))
}

/// A site whose server's requests are counted.
fn counted<'a>(ground: &'a Ground, program: &Path) -> Result<Site<'a>> {
    Site::with(ground, NAMESPACE, program, |api| {
        for cluster_wide in [
            format!("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{NAMESPACE}"),
            format!("/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas/{NAMESPACE}"),
        ] {
            api.delete(&cluster_wide)?;
        }
        api.post(&format!("/api/v1/namespaces/{NAMESPACE}/serviceaccounts"), &json!({ "metadata": { "name": "server" } }))?;
        let subject = json!({ "kind": "ServiceAccount", "name": "server", "namespace": NAMESPACE });
        let role = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" });
        api.post(
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            &json!({ "metadata": { "name": NAMESPACE }, "roleRef": role, "subjects": [subject] }),
        )?;
        let all = json!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": true, "namespaces": ["*"] });
        let subject = json!({ "kind": "ServiceAccount", "serviceAccount": { "name": "server", "namespace": NAMESPACE } });
        let rules = json!([{ "subjects": [subject], "resourceRules": [all],
                             "nonResourceRules": [{ "verbs": ["*"], "nonResourceURLs": ["*"] }] }]);
        let level = json!({ "name": "workload-high" });
        api.post(
            "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
            &json!({ "metadata": { "name": NAMESPACE }, "spec": { "matchingPrecedence": 500, "priorityLevelConfiguration": level, "rules": rules } }),
        )?;
        let token = kubectl(ground, &["create", "token", "server", "-n", NAMESPACE, "--duration", "2h"])?;
        // The API server takes a moment to sort by it.
        thread::sleep(Duration::from_secs(2));
        Ok(ground.with_token(token.trim())?.display().to_string())
    })
}

/// How many requests came from the server so far. Those to kubelets are sorted by nobody: all are counted, as nobody
/// else's.
fn requests(api: &Api) -> Result<f64> {
    let text = api.text("/metrics")?;
    let sum = |name: &str, labels: &[&str]| -> f64 {
        let counts = text.lines().filter(|line| line.starts_with(name) && labels.iter().all(|label| line.contains(label)));
        counts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    let sorted = sum("apiserver_flowcontrol_dispatched_requests_total{", &[&format!("flow_schema=\"{NAMESPACE}\"")]);
    Ok(sorted + sum("apiserver_request_total{", &["resource=\"nodes\"", "subresource=\"proxy\""]))
}

/// A thousand Jobs whose pods no node takes: what the control plane and the server do with them.
pub fn thousand(site: &mut Site) -> Result<String> {
    let begun = Instant::now();
    let items: Vec<String> = (0..10).map(|item| format!("sleep:1:{item}")).collect();
    for number in 0..MANY {
        let mut body = site.job(&format!("many {number}"), &items);
        body["platform"]["params"]["node_selector"] = json!({ "nobody": "has-it" });
        site.submit(&body)?;
    }
    let posted = begun.elapsed().as_secs_f64();
    let there = jobs_are(site, MANY)?.duration_since(begun).as_secs_f64();
    let pods = |site: &Site| site.seen.known().pods.len();
    while pods(site) < MANY && begun.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(200));
    }
    let with_pods = begun.elapsed().as_secs_f64();
    let calm = used(site, Duration::from_secs(30))?;
    let mut table = "| What | |\n| --- | ---: |\n".to_owned();
    table.push_str(&format!("| {MANY} submissions, one after the other | {posted:.1} s |\n"));
    table.push_str(&format!(
        "| from the first to the last Job | {there:.1} s |\n| to the last of {} pods | {with_pods:.1} s |\n",
        pods(site)
    ));
    table.push_str(&format!("| server with all of them, 30 s | {:.2} cores, {:.0} MB |\n", calm.0, calm.1));

    site.server.kill()?;
    let names: Vec<String> = site.seen.known().jobs.keys().take(DELETED).cloned().collect();
    for name in &names {
        site.api.delete(&format!("/apis/batch/v1/namespaces/{}/jobs/{name}", site.namespace))?;
    }
    let known = |site: &Site| -> Result<usize> {
        let list = site.api.get(&format!("/apis/batch/v1/namespaces/{}/jobs?limit=2000", site.namespace))?;
        let living = list["items"].as_array().into_iter().flatten().filter(|job| job["metadata"]["deletionTimestamp"].is_null());
        Ok(living.count())
    };
    let begun = Instant::now();
    while known(site)? != MANY - names.len() {
        if PATIENCE < begun.elapsed() {
            bail!("{} Jobs after {} were deleted", known(site)?, names.len());
        }
        thread::sleep(Duration::from_millis(500));
    }
    let begun = Instant::now();
    site.server.launch()?;
    let answers = begun.elapsed().as_secs_f64();
    let running = |site: &Site| -> Result<usize> {
        let jobs = site.server.get("/api/v1/jobs?limit=2000")?;
        Ok(jobs.as_array().context("jobs are a list")?.iter().filter(|job| job["phase"] == "running").count())
    };
    while running(site)? < MANY || known(site)? < MANY {
        if PATIENCE < begun.elapsed() {
            bail!("{} jobs are known and {} Jobs are there", running(site)?, known(site)?);
        }
        thread::sleep(Duration::from_millis(500));
    }
    let reconciled = begun.elapsed().as_secs_f64();
    let after = used(site, Duration::from_secs(30))?;
    table.push_str(&format!("| server killed; from its new start to its first answer | {answers:.1} s |\n"));
    table.push_str(&format!("| to all jobs known, and {} Jobs made anew that were deleted meanwhile | {reconciled:.1} s |\n", names.len()));
    table.push_str(&format!("| server after that, 30 s | {:.2} cores, {:.0} MB |\n", after.0, after.1));
    Ok(format!(
        "Jobs of one pod each that no node takes (a node selector that nobody has): the control plane alone, no kubelet has work.\n\n{table}"
    ))
}

fn jobs_are(site: &Site, count: usize) -> Result<Instant> {
    let begun = Instant::now();
    while site.seen.known().jobs.len() < count {
        if PATIENCE < begun.elapsed() {
            bail!("{} of {count} Jobs are there", site.seen.known().jobs.len());
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(Instant::now())
}

/// Cores in the mean, and megabytes at the end.
fn used(site: &Site, long: Duration) -> Result<(f64, f64)> {
    let process = procfs::process::Process::new(i32::try_from(site.server.pid())?)?;
    let ticks = || -> Result<u64> {
        let stat = process.stat()?;
        Ok(stat.utime + stat.stime)
    };
    let (before, begun) = (ticks()?, Instant::now());
    thread::sleep(long);
    let cores = (ticks()? - before) as f64 / procfs::ticks_per_second() as f64 / begun.elapsed().as_secs_f64();
    let bytes = process.stat()?.rss * procfs::page_size();
    Ok((cores, bytes as f64 / 1e6))
}
