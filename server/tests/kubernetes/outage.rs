//! The cluster goes away and comes back: nobody decides by what was true before, and nobody is taken for ended.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::{Cluster, cluster_does, failures, running, until, until_within};
use crate::support::Server;

/// Wanted replicas, those that drain, and why something is the matter.
async fn wanted(server: &Server, job: &str) -> (u64, u64, String) {
    let summary = server.get(&format!("/api/v1/jobs/{job}")).await["summary"].clone();
    let count = |name: &str| summary["replicas"][name].as_u64().unwrap();
    (count("wanted"), count("draining"), summary["reason"].as_str().unwrap_or_default().to_owned())
}

/// Items that were begun and not done, or done more than once.
async fn lost(server: &Server, job: &str) -> Vec<Value> {
    let wrong = |item: &Value| item["state"] != "waiting" && (item["state"] != "done" || item["attempts"] != 1);
    server.items(job).await.into_iter().filter(wrong).collect()
}

/// `what is known of the replicas is 12 s old`, in seconds.
fn age_s(reason: &str) -> Option<f64> {
    let said = reason.split("what is known of the replicas is ").nth(1)?.strip_suffix(" old.")?;
    let words: Vec<&str> = said.split(' ').collect();
    let number = |at: usize| words.get(at)?.parse::<f64>().ok();
    match words.get(1).copied()? {
        "ms" => Some(number(0)? / 1000.0),
        "s" => number(0),
        "min" => Some(number(0)? * 60.0 + number(2).unwrap_or(0.0)),
        _ => None,
    }
}

/// Scheduler, controllers and kubelet pause for up to a minute after an outage. Whoever tests next is not to wait for them.
async fn controllers_are_back(cluster: &Cluster, server: &Server) {
    until_within("a small job is done at once", Duration::from_secs(200), server, async || {
        let begun = Instant::now();
        let job = server.submit(&cluster.job(1, 0.0, &["0: 1"])).await;
        server.wait(&job, &["completed"]).await;
        begun.elapsed() < Duration::from_secs(6)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn without_an_api_server_loops_hold_and_decide_within_two_ticks_of_its_return() {
    let (cluster, server, job) = Cluster::with_job("outage", 2000, 0.3, &["0: 4", "15: 2"], 4).await;
    let before = cluster.living().await;
    let submitted = Instant::now();
    cluster_does(&["kill", "apiserver"]);
    let begun = Instant::now();
    until("it is said", &server, async || wanted(&server, &job).await.2.contains("The cluster does not answer")).await;
    eprintln!("the page says it after {:.1} s: {}", begun.elapsed().as_secs_f64(), wanted(&server, &job).await.2);
    // The script says two long before the end of this.
    let mut ages = Vec::new();
    while submitted.elapsed() < Duration::from_secs(20) {
        let (wanted, draining, reason) = wanted(&server, &job).await;
        assert_eq!((wanted, draining), (4, 0), "{reason}\n{}", server.log());
        ages.extend(age_s(&reason));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(ages.is_sorted() && ages.last().is_some_and(|age| 10.0 < *age), "the age is told, and rises: {ages:?}");
    let detail = server.get(&format!("/api/v1/jobs/{job}")).await;
    let ended = detail["replicas"].as_array().unwrap().iter().filter(|replica| replica["state"] == "ended").count();
    assert_eq!(ended, 0, "{}", detail["replicas"]);
    let done = detail["summary"]["items"]["done"].as_u64().unwrap();

    cluster_does(&["start", "apiserver"]);
    let back = Instant::now();
    until("it is decided", &server, async || wanted(&server, &job).await.0 == 2).await;
    let decided = back.elapsed().as_secs_f64();
    eprintln!("decided {decided:.2} s after the API server served again");
    assert!(decided < 3.0, "two ticks, and the look of this test: {decided:.2} s\n{}", server.log());
    until("the items go on", &server, async || {
        server.get(&format!("/api/v1/jobs/{job}")).await["summary"]["items"]["done"].as_u64().unwrap() > done
    })
    .await;
    // Controllers that lost their server pause before they look again, a minute and more.
    let two = async || running(&server, &job).await.0 == 2 && running(&server, &job).await.1.is_empty();
    until_within("two are left", Duration::from_secs(150), &server, two).await;
    let told = failures(&server, &job).await;
    assert!(told.iter().all(|text| text.starts_with("Loops are blind and hold.")) && told.len() == 1, "{told:?}\n{}", server.log());
    assert!(cluster.living().await.is_subset(&before), "{}", server.log());
    server.post(&format!("/api/v1/jobs/{job}/stop"), &json!({})).await;
    server.wait(&job, &["stopped"]).await;
    let lost = lost(&server, &job).await;
    assert!(lost.is_empty(), "{lost:?}\n{}", server.log());
    controllers_are_back(&cluster, &server).await;
    cluster.end_empty(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn an_api_server_that_is_silent_is_noticed_although_its_watches_stay_open() {
    let (cluster, server, job) = Cluster::with_job("silent", 2000, 0.3, &["0: 3", "60: 1"], 3).await;
    // Without etcd the API server keeps its watches open, tells nothing, and lets questions wait.
    cluster_does(&["kill", "etcd"]);
    let begun = Instant::now();
    until("it is said", &server, async || wanted(&server, &job).await.2.contains("The cluster does not answer")).await;
    eprintln!("noticed after {:.1} s: {}", begun.elapsed().as_secs_f64(), wanted(&server, &job).await.2);
    while begun.elapsed() < Duration::from_secs(65) {
        let (wanted, draining, reason) = wanted(&server, &job).await;
        assert_eq!((wanted, draining), (3, 0), "{reason}\n{}", server.log());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    cluster_does(&["start", "etcd"]);
    let back = Instant::now();
    until("it is decided", &server, async || wanted(&server, &job).await.0 == 1).await;
    eprintln!("decided {:.1} s after etcd was started again", back.elapsed().as_secs_f64());
    server.post(&format!("/api/v1/jobs/{job}/stop"), &json!({})).await;
    server.wait(&job, &["stopped"]).await;
    let lost = lost(&server, &job).await;
    assert!(lost.is_empty(), "{lost:?}\n{}", server.log());
    controllers_are_back(&cluster, &server).await;
    cluster.end_empty(&server).await;
}
