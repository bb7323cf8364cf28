//! Several clusters of one server: one that does not answer disturbs nobody, and gets a better kubeconfig while it runs.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::{Cluster, all_done_once, running, setting, until};
use crate::support::Server;

/// The cluster of these tests as an administrator would add it.
pub fn added(name: &str) -> Value {
    json!({ "name": name, "kubeconfig": std::fs::read_to_string(setting("ASPERATHOS_TEST_KUBECONFIG")).unwrap() })
}

/// The same, where nobody listens.
pub fn dead(name: &str) -> Value {
    let mut dead = added(name);
    let text = dead["kubeconfig"].as_str().unwrap();
    let lines = text.lines().map(|line| {
        if line.starts_with("clusters:") { "clusters: [{name: cluster, cluster: {server: 'https://127.0.0.1:1'}}]" } else { line }
    });
    dead["kubeconfig"] = json!(lines.collect::<Vec<_>>().join("\n"));
    dead
}

impl Cluster {
    /// A job of this namespace on a cluster by its name.
    pub fn job_on(&self, name: &str, items: usize, each_s: f64) -> Value {
        let mut job = self.job(items, each_s, &["0: 2"]);
        job["platform"]["params"]["cluster"] = json!(name);
        job["platform"]["params"]["namespace"] = json!(self.namespace);
        job
    }
}

pub async fn put(server: &Server, name: &str, body: &Value) -> u16 {
    let request = server.client.put(server.url(&format!("/api/v1/clusters/{name}"))).bearer_auth(server.token());
    request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn a_cluster_that_is_down_does_not_disturb_the_others_and_is_mended_without_a_restart() {
    let cluster = Cluster::new("several").await;
    let mut server = cluster.server().await;
    let (status, view) = server.post("/api/v1/clusters", &added("east")).await;
    assert_eq!((status, &view["reachable"]), (201, &json!(true)), "{view}");
    assert!(view["version"].as_str().unwrap().starts_with("v1."), "{view}");
    assert_eq!(server.post("/api/v1/clusters", &dead("west")).await.1["reachable"], false);

    let on_west = server.submit(&cluster.job_on("west", 20, 0.2)).await;
    let on_east = server.submit(&cluster.job_on("east", 100, 0.2)).await;
    let own = server.submit(&cluster.job(40, 0.2, &["0: 2"])).await;
    for job in [&on_east, &own] {
        until("two replicas run", &server, async || running(&server, job).await.0 == 2).await;
    }
    let (pods, said) = running(&server, &on_west).await;
    assert!(pods == 0 && said.contains("does not answer") && said.contains("Loops hold"), "{said}");
    for job in [&on_east, &own] {
        assert_eq!(running(&server, job).await.1, "", "the others do not notice");
    }
    // Killed in the middle, it finds all three again.
    server.kill();
    server.launch().await;
    let request = server.client.delete(server.url("/api/v1/clusters/east")).bearer_auth(server.token());
    assert_eq!(request.send().await.unwrap().status().as_u16(), 409, "a job is on it");
    for (job, items) in [(&own, 40), (&on_east, 100)] {
        server.wait(job, &["completed"]).await;
        all_done_once(&server, job, items).await;
    }
    assert!(running(&server, &on_west).await.1.contains("does not answer"));

    assert_eq!(put(&server, "west", &added("west")).await, 200);
    server.wait(&on_west, &["completed"]).await;
    all_done_once(&server, &on_west, 20).await;
    for name in ["east", "west"] {
        let request = server.client.delete(server.url(&format!("/api/v1/clusters/{name}"))).bearer_auth(server.token());
        assert_eq!(request.send().await.unwrap().status().as_u16(), 204);
    }
    cluster.end_empty(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn a_job_on_a_cluster_that_is_down_can_be_terminated_and_its_cluster_taken_away() {
    let cluster = Cluster::new("left").await;
    let server = cluster.server().await;
    assert_eq!(server.post("/api/v1/clusters", &dead("west")).await.0, 201);
    let job = server.submit(&cluster.job_on("west", 20, 0.2)).await;
    until("it is said", &server, async || running(&server, &job).await.1.contains("does not answer")).await;
    let asked = std::time::Instant::now();
    let (status, said) = server.post(&format!("/api/v1/jobs/{job}/terminate"), &json!({})).await;
    eprintln!("terminate answered {status} after {:.1} s: {said}", asked.elapsed().as_secs_f64());
    let detail = server.wait(&job, &["terminated"]).await;
    assert!(asked.elapsed() < Duration::from_secs(60), "{}", detail["summary"]);
    let request = server.client.delete(server.url("/api/v1/clusters/west")).bearer_auth(server.token());
    assert_eq!(request.send().await.unwrap().status().as_u16(), 204);
    cluster.end().await;
}
