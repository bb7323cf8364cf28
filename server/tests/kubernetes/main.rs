//! Jobs on a real Kubernetes: pods take items from the queue, and only those go that hold nothing.
//!
//! Needs a cluster whose node has the image of `examples/pod-worker`:
//! `ASPERATHOS_TEST_KUBECONFIG` names its kubeconfig, `ASPERATHOS_TEST_PODS_LISTEN` an address of this machine that
//! its pods reach, `ASPERATHOS_TEST_IMAGE` the image, `ASPERATHOS_TEST_SERVER_IMAGE` one of this server,
//! `ASPERATHOS_TEST_WORKERS_IMAGE` one with Python's worker and `asperathos`,
//! `ASPERATHOS_TEST_AUDIT` the API server's record of requests, and `ASPERATHOS_TEST_CLUSTER` the command that does
//! `kill` and `start` of the cluster's parts, `kubectl` and `helm`. `cargo xtask test --cluster` brings one up and sets them.
#![expect(clippy::unwrap_used, reason = "a test fails where its helper fails")]

mod account;
mod adopted;
mod chart;
mod cluster;
mod clusters;
mod cpu;
mod install;
mod lease;
mod outage;
mod refused;
mod rights;
mod story;
#[path = "../support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use cluster::{Cluster, all_done_once, failures, parsed, running, until};
use k8s_openapi::api::core::v1::{Pod, ResourceQuota};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn pods_come_and_go_as_wanted_and_every_item_is_done_once() {
    let cluster = Cluster::new("story").await;
    let server = cluster.server().await;
    let job = server.submit(&cluster.job(240, 0.4, &["0: 3", "12: 1", "24: 4"])).await;
    cluster.pods_are(3, &server).await;
    let first = cluster.living().await;
    cluster.pods_are(1, &server).await;
    assert!(cluster.living().await.is_subset(&first), "one of the first three stays");
    cluster.pods_are(4, &server).await;
    until("four replicas run", &server, async || running(&server, &job).await.0 == 4).await;
    let detail = server.get(&format!("/api/v1/jobs/{job}")).await;
    let replica = detail["replicas"].as_array().unwrap().iter().find(|replica| replica["state"] == "busy").unwrap().clone();
    let pod = replica["place"].as_str().unwrap().strip_prefix("pod ").unwrap().to_owned();
    assert!(cluster.living().await.contains(&pod), "{replica}");
    let log = server.data.path().join(format!("jobs/{job}/replicas/{}/stdout.log", replica["id"].as_str().unwrap()));
    assert!(std::fs::read_to_string(log).unwrap().starts_with("took sleep:0.4:"), "what a pod prints is written down");

    server.wait(&job, &["completed"]).await;
    all_done_once(&server, &job, 240).await;
    // What `kubectl describe job` shows.
    let mut told = Vec::new();
    until("the end is told as an Event", &server, async || {
        told = cluster.told(&job).await;
        told.iter().any(|(reason, _)| reason == "Completed")
    })
    .await;
    for (reason, words) in [("ScaledUp", "By the script"), ("ScaledDown", "By the script")] {
        assert!(told.iter().any(|(is, note)| is == reason && note.contains(words)), "{reason} is not in {told:?}");
    }
    assert_eq!(failures(&server, &job).await, Vec::<String>::new(), "{}", server.log());
    cluster.end_empty(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn a_server_that_was_killed_takes_its_pods_over() {
    let (cluster, mut server, job) = Cluster::with_job("killed", 90, 0.4, &["0: 3"], 3).await;
    let before = cluster.living().await;
    for _ in 0..3 {
        server.kill();
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.launch().await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(cluster.living().await, before, "{}", server.log());
    }
    server.wait(&job, &["completed"]).await;
    let done = server.items(&job).await;
    assert!(done.iter().all(|item| item["state"] == "done"), "{}", server.log());
    cluster.end_empty(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn a_pod_that_is_deleted_by_hand_is_told_and_replaced() {
    let (cluster, server, job) = Cluster::with_job("deleted", 60, 0.5, &["0: 2"], 2).await;
    let victim = cluster.living().await.into_iter().next().unwrap();
    cluster.api::<Pod>().delete(&victim, &DeleteParams::default()).await.unwrap();
    until("it is told", &server, async || failures(&server, &job).await.iter().any(|text| text.contains("its pod was deleted"))).await;
    until("another one works", &server, async || running(&server, &job).await.0 == 2).await;
    server.wait(&job, &["completed"]).await;
    assert!(server.items(&job).await.iter().all(|item| item["state"] == "done"));
    cluster.end_empty(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn what_keeps_pods_from_running_is_said_in_words() {
    let cluster = Cluster::new("words").await;
    let server = cluster.server().await;
    let said = async |job: &str, words: &str| {
        let begun = Instant::now();
        until(words, &server, async || running(&server, job).await.1.contains(words)).await;
        eprintln!("{words:?} was said after {:.1} s", begun.elapsed().as_secs_f64());
    };
    let mut body = cluster.job(10, 0.1, &["0: 1"]);
    body["platform"]["params"]["image"] = json!("localhost/no-such-image:1");
    let missing = server.submit(&body).await;
    said(&missing, "The image localhost/no-such-image:1 is not on the node").await;
    body = cluster.job(10, 0.1, &["0: 1"]);
    body["platform"]["params"]["cpu"] = json!(900);
    let large = server.submit(&body).await;
    said(&large, "No node can take a pod").await;
    for job in [missing, large] {
        assert_eq!(server.post(&format!("/api/v1/jobs/{job}/terminate"), &json!({})).await.0 / 100, 2);
        server.wait(&job, &["terminated"]).await;
    }

    let quota: ResourceQuota = parsed(json!({ "metadata": { "name": "rq" }, "spec": { "hard": { "pods": "2" } } }));
    cluster.api().create(&PostParams::default(), &quota).await.unwrap();
    let job = server.submit(&cluster.job(60, 0.4, &["0: 4"])).await;
    said(&job, "exceeded quota: rq").await;
    cluster.pods_are(2, &server).await;
    let more = json!({ "spec": { "hard": { "pods": "9" } } });
    cluster.api::<ResourceQuota>().patch("rq", &PatchParams::default(), &Patch::Merge(more)).await.unwrap();
    cluster.pods_are(4, &server).await;
    until("nothing is said any more", &server, async || running(&server, &job).await.1.is_empty()).await;
    server.wait(&job, &["completed"]).await;
    all_done_once(&server, &job, 60).await;
    cluster.end_empty(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn twenty_pods_come_and_all_but_the_busy_go() {
    let cluster = Cluster::new("twenty").await;
    let server = cluster.server().await;
    let mut body = cluster.job(1200, 0.5, &["0: 20", "15: 1", "20: 6", "25: 2"]);
    body["replicas"]["max"] = json!(20);
    body["replicas"]["initial"] = json!(20);
    let begun = Instant::now();
    let job = server.submit(&body).await;
    until("twenty replicas run", &server, async || running(&server, &job).await.0 == 20).await;
    eprintln!("twenty replicas work after {:.1} s", begun.elapsed().as_secs_f64());
    cluster.pods_are(1, &server).await;
    cluster.pods_are(6, &server).await;
    cluster.pods_are(2, &server).await;
    server.post(&format!("/api/v1/jobs/{job}/stop"), &json!({})).await;
    server.wait(&job, &["stopped", "completed"]).await;
    let items = server.items(&job).await;
    let lost: Vec<&Value> =
        items.iter().filter(|item| item["state"] != "waiting" && (item["state"] != "done" || item["attempts"] != 1)).collect();
    assert!(lost.is_empty(), "{lost:?}\n{}", server.log());
    assert_eq!(failures(&server, &job).await, Vec::<String>::new(), "{}", server.log());
    cluster.end_empty(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn cpu_and_memory_are_those_of_the_pods() {
    let cluster = Cluster::new("usage").await;
    let server = cluster.server().await;
    let mut body = cluster.job(90, 0.0, &["0: 1"]);
    body["workload"]["items"] = (0..90).map(|item| format!("spin:1:{item}")).collect();
    body["platform"]["params"]["cpu"] = json!(0.4);
    let job = server.submit(&body).await;
    let mut seen = Vec::new();
    until("a replica's CPU is read", &server, async || {
        let detail = server.get(&format!("/api/v1/jobs/{job}")).await;
        let replicas = detail["replicas"].as_array().unwrap();
        seen.extend(replicas.iter().map(|replica| (replica["cpu"].as_f64().unwrap(), replica["memory_bytes"].as_u64().unwrap())));
        // It would take a whole core, and may have less than half of one; a busy machine gives it less.
        seen.iter().filter(|(cpu, memory)| (0.1..0.55).contains(cpu) && 0 < *memory).count() > 5
    })
    .await;
    eprintln!("CPU and memory: {seen:?}");
    server.post(&format!("/api/v1/jobs/{job}/terminate"), &json!({})).await;
    server.wait(&job, &["terminated"]).await;
    cluster.end_empty(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn up_and_down_at_random_no_item_is_lost_or_done_twice() {
    let cluster = Cluster::new("random").await;
    let server = cluster.server().await;
    let script: Vec<String> = (0..30).map(|step| format!("{}: {}", step * 2, rand::random_range(1..=8))).collect();
    let script: Vec<&str> = script.iter().map(String::as_str).collect();
    let job = server.submit(&cluster.job(1500, 0.2, &script)).await;
    let detail = server.wait(&job, &["completed"]).await;
    let ended = detail["replicas"].as_array().unwrap().iter().filter(|replica| replica["ended"] == "ended as decided").count();
    eprintln!("{script:?}: at least {ended} replicas were ended");
    all_done_once(&server, &job, 1500).await;
    assert_eq!(failures(&server, &job).await, Vec::<String>::new(), "{}", server.log());
    cluster.end_empty(&server).await;
}
