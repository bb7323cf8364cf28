//! Two servers with one data folder and one Lease: one leads, the other takes over, and there are never two.

use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};

use crate::chart::{Installed, rendered, rights, used};
use crate::cluster::Cluster;

/// What the issue allows from the death of a leader to the next one.
const TAKEOVER: Duration = Duration::from_secs(15);
/// For everything else, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

struct Process {
    child: Child,
    address: String,
    log: std::path::PathBuf,
    client: reqwest::Client,
    data: std::path::PathBuf,
}

impl Process {
    fn start(cluster: &Cluster, data: &Path, name: &str) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let log = data.join(format!("{name}.log"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_asperathos"));
        command.args(["serve", "--listen", &address, "--lease", &format!("{}/asperathos", cluster.namespace), "--data"]).arg(data);
        let child = command.args(cluster.arguments()).stdin(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
        Self { child, address, log, client: reqwest::Client::builder().no_proxy().build().unwrap(), data: data.to_owned() }
    }

    async fn text(&self, path: &str) -> Option<(u16, String)> {
        let token = std::fs::read_to_string(self.data.join("admin.token")).unwrap_or_default();
        let request = self.client.get(format!("http://{}{path}", self.address)).bearer_auth(token.trim());
        let answer = request.timeout(Duration::from_secs(2)).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    async fn get(&self, path: &str) -> Value {
        self.text(path).await.and_then(|(_, text)| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    async fn submit(&self, body: &Value) -> String {
        let token = std::fs::read_to_string(self.data.join("admin.token")).unwrap();
        let request = self.client.post(format!("http://{}/api/v1/jobs", self.address)).bearer_auth(token.trim());
        let answer = request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap();
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        answer["job_id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    async fn leads(&self) -> bool {
        self.text("/readyz").await.is_some_and(|(status, _)| status == 200)
    }

    async fn summary(&self, job: &str) -> Value {
        self.get(&format!("/api/v1/jobs/{job}")).await["summary"].clone()
    }

    async fn until(&self, what: &str, mut so: impl AsyncFnMut() -> bool) {
        let begun = Instant::now();
        while !so().await {
            assert!(begun.elapsed() < PATIENCE, "it did not come to pass: {what}\n{}", self.said());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    async fn all_done_once(&self, job: &str, count: usize) {
        self.until("completed", async || self.summary(job).await["phase"] == "completed").await;
        let items = self.get(&format!("/api/v1/jobs/{job}/items?limit=5000")).await;
        let items = items.as_array().unwrap();
        assert_eq!(items.len(), count);
        for item in items {
            assert_eq!((&item["state"], &item["attempts"]), (&json!("done"), &json!(1)), "{item}\n{}", self.said());
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn holder(cluster: &Cluster) -> String {
    let lease = cluster.api::<Lease>().get("asperathos").await.unwrap();
    lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn when_the_leader_is_killed_the_other_takes_over_and_nothing_is_doubled() {
    let cluster = Cluster::new("lease").await;
    let data = tempfile::tempdir().unwrap();
    let mut first = Process::start(&cluster, data.path(), "first");
    first.until("the first leads", async || first.leads().await).await;
    let second = Process::start(&cluster, data.path(), "second");
    second.until("the second stands by", async || second.text("/readyz").await.is_some_and(|(_, text)| text.contains("leads"))).await;
    let (status, words) = second.text("/readyz").await.unwrap();
    let leader = holder(&cluster).await;
    assert_eq!((status, words), (503, format!("not ready: standby, {leader} leads")));
    assert_eq!(second.text("/healthz").await, Some((200, "ok".to_owned())));
    assert_eq!(second.text("/api/v1/jobs").await.unwrap().0, 503);

    let job = first.submit(&cluster.job(300, 0.3, &["0: 3"])).await;
    first.until("three replicas work", async || first.summary(&job).await["replicas"]["running"] == 3).await;
    let pods = cluster.living().await;
    first.child.kill().unwrap();
    let killed = Instant::now();
    second.until("the second leads", async || second.leads().await).await;
    let took = killed.elapsed();
    eprintln!("the other serves {:.1} s after the leader was killed", took.as_secs_f64());
    assert!(took <= TAKEOVER, "{took:?}\n{}", second.said());
    assert_ne!(holder(&cluster).await, leader);
    assert_eq!(cluster.living().await, pods, "{}", second.said());
    second.all_done_once(&job, 300).await;

    // Told to stop, it gives the Lease away.
    let third = Process::start(&cluster, data.path(), "third");
    third.until("the third stands by", async || third.text("/readyz").await.is_some_and(|(_, text)| text.contains("leads"))).await;
    second.signal("-TERM");
    let told = Instant::now();
    third.until("the third leads", async || third.leads().await).await;
    eprintln!("the other serves {:.1} s after the leader was told to stop", told.elapsed().as_secs_f64());
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn a_leader_that_was_stopped_for_too_long_acts_no_more() {
    let cluster = Cluster::new("stopped").await;
    let data = tempfile::tempdir().unwrap();
    let mut first = Process::start(&cluster, data.path(), "first");
    first.until("the first leads", async || first.leads().await).await;
    let second = Process::start(&cluster, data.path(), "second");
    let job = first.submit(&cluster.job(200, 0.3, &["0: 3", "5: 1"])).await;
    first.until("three replicas work", async || first.summary(&job).await["replicas"]["running"] == 3).await;
    let leader = holder(&cluster).await;
    first.signal("-STOP");
    let (said, pods) = (first.said(), cluster.living().await);
    second.until("the Lease is the second's", async || holder(&cluster).await != leader).await;
    // The stopped one still holds the data folder: nobody else opens it.
    second
        .until("it waits for the data folder", async || second.text("/readyz").await.is_some_and(|(_, text)| text.contains("holds")))
        .await;
    assert!(!second.leads().await);
    // The script wants one replica by now; whoever acts makes two go.
    assert_eq!(cluster.living().await, pods);
    first.signal("-CONT");
    let goes_on = Instant::now();
    let code = loop {
        if let Some(status) = first.child.try_wait().unwrap() {
            break status.code();
        }
        assert!(goes_on.elapsed() < Duration::from_secs(10), "it lives on\n{}", first.said());
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    eprintln!("it ended {} ms after it went on", goes_on.elapsed().as_millis());
    assert_eq!(code, Some(75));
    let since = first.said()[said.len()..].to_owned();
    assert!(since.contains("its Lease could not be renewed in time"), "{since}");
    second.until("the second leads", async || second.leads().await).await;
    second.all_done_once(&job, 200).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn the_chart_starts_two_of_which_one_leads() {
    let cluster = Cluster::new("two").await;
    let values = ["replicas=2", "storage.accessMode=ReadWriteMany"];
    let server = Installed::without_waiting(&cluster, &values).await;
    let begun = Instant::now();
    while server.status("/readyz").await != Some(200) || server.pods().await.len() != 2 {
        assert!(begun.elapsed() < PATIENCE, "none leads\n{}", server.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let pods = cluster.api::<Pod>();
    let leader = holder(&cluster).await;
    let leader = leader.split('_').next().unwrap();
    let killed = Instant::now();
    let (at_once, all) = (DeleteParams::default().grace_period(0), ListParams::default().fields(&format!("metadata.name={leader}")));
    assert_eq!(pods.list(&all).await.unwrap().items.len(), 1, "the holder is named as its pod: {leader}");
    pods.delete(leader, &at_once).await.unwrap();
    while server.status("/readyz").await != Some(200) || holder(&cluster).await.starts_with(leader) {
        assert!(killed.elapsed() < PATIENCE, "nobody takes over\n{}", server.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    eprintln!("the other pod serves {:.1} s after the leader's was killed", killed.elapsed().as_secs_f64());
    let given = rights(&rendered(&cluster.namespace, "templates/lease.yaml", &values));
    let used = used(&cluster.namespace).into_iter().filter(|(_, resource)| resource.starts_with("coordination.k8s.io/")).collect();
    assert_eq!(given, used, "left: what the chart gives, right: what was used");
    server.end().await;
    cluster.end().await;
}
