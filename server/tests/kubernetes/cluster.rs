//! The cluster of these tests, and what is asked of it and of a server again and again.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod, Service};
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::config::Kubeconfig;
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::support::Server;

/// A cluster, and a namespace of the test's own in it.
pub struct Cluster {
    pub client: Client,
    pub namespace: String,
    pub kubeconfig: Kubeconfig,
    arguments: Vec<String>,
    image: String,
}

pub fn setting(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: these tests need a cluster, which `cargo xtask test --cluster` brings up"))
}

impl Cluster {
    pub async fn new(name: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let file = setting("ASPERATHOS_TEST_KUBECONFIG");
        let kubeconfig = Kubeconfig::read_from(&file).unwrap();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig.clone(), &Default::default()).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let namespace = format!("{name}-{:08x}", rand::random::<u32>());
        let made: Namespace = parsed(json!({
            "metadata": { "name": namespace, "labels": { "pod-security.kubernetes.io/enforce": "restricted" } },
        }));
        Api::all(client.clone()).create(&PostParams::default(), &made).await.unwrap();
        let listen = setting("ASPERATHOS_TEST_PODS_LISTEN");
        let arguments = ["--kubeconfig", &file, "--namespace", &namespace, "--pods-listen", &listen].map(str::to_owned).into();
        Self { client, namespace, kubeconfig, arguments, image: setting("ASPERATHOS_TEST_IMAGE") }
    }

    /// The address at which pods reach the server.
    pub fn listen(&self) -> &str {
        &self.arguments[5]
    }

    /// Of a server for this cluster.
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    pub async fn server(&self) -> Server {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        Server::start_with(&arguments).await
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Names of pods that are neither ended nor on their way out.
    pub async fn living(&self) -> BTreeSet<String> {
        let pods = self.api::<Pod>().list(&ListParams::default()).await.unwrap();
        let lives = |pod: &Pod| {
            let phase = pod.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default();
            pod.metadata.deletion_timestamp.is_none() && phase != "Succeeded" && phase != "Failed"
        };
        pods.items.into_iter().filter(lives).filter_map(|pod| pod.metadata.name).collect()
    }

    pub async fn pods_are(&self, count: usize, server: &Server) {
        until(&format!("{count} pods"), server, async || self.living().await.len() == count).await;
    }

    /// Reasons and notes of the Events that the server told of a job.
    pub async fn told(&self, job: &str) -> Vec<(String, String)> {
        let events = self.api::<Event>().list(&ListParams::default()).await.unwrap().items;
        let ours = events.into_iter().filter(|event| event.reporting_controller.as_deref() == Some("asperathos"));
        let of_job = ours.filter(|event| event.regarding.as_ref().is_some_and(|regarding| regarding.name.as_deref() == Some(job)));
        of_job.map(|event| (event.reason.unwrap_or_default(), event.note.unwrap_or_default())).collect()
    }

    pub async fn nothing_is_left(&self, server: &Server) {
        until("nothing is left", server, async || {
            self.api::<Pod>().list(&ListParams::default()).await.unwrap().items.is_empty()
                && self.api::<Job>().list(&ListParams::default()).await.unwrap().items.is_empty()
                && self.api::<Service>().list(&ListParams::default()).await.unwrap().items.is_empty()
        })
        .await;
    }

    /// A job of items that each take a while, with replicas by a script.
    pub fn job(&self, items: usize, each_s: f64, script: &[&str]) -> Value {
        let items: Vec<String> = (0..items).map(|item| format!("sleep:{each_s}:{item}")).collect();
        json!({
            "name": "pods",
            "platform": { "kind": "kubejobs", "params": { "image": self.image, "pull_policy": "never", "grace_s": 5 } },
            "workload": { "source": "inline", "items": items },
            "objective": { "deadline_s": 300 },
            "replicas": { "min": 1, "max": 8, "initial": 3 },
            "loops": [{ "name": "script", "controller": { "kind": "scripted", "params": { "script": script } } }],
        })
    }

    /// A namespace, a server, and a job of items of `each_s` whose first `running` replicas are at work.
    pub async fn with_job(name: &str, items: usize, each_s: f64, script: &[&str], running: u64) -> (Self, Server, String) {
        let cluster = Self::new(name).await;
        let server = cluster.server().await;
        let job = server.submit(&cluster.job(items, each_s, script)).await;
        until(&format!("{running} replicas run"), &server, async || self::running(&server, &job).await.0 == running).await;
        (cluster, server, job)
    }

    /// The end of a test whose jobs have ended: nothing of them stays.
    pub async fn end_empty(self, server: &Server) {
        self.nothing_is_left(server).await;
        self.end().await;
    }

    pub async fn end(self) {
        let _ = Api::<Namespace>::all(self.client.clone()).delete(&self.namespace, &DeleteParams::background()).await;
    }
}

pub fn parsed<K: serde::de::DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}

pub async fn until(what: &str, server: &Server, so: impl AsyncFnMut() -> bool) {
    until_within(what, Duration::from_secs(60), server, so).await;
}

pub async fn until_within(what: &str, long: Duration, server: &Server, mut so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !so().await {
        assert!(begun.elapsed() < long, "it did not come to pass: {what}\n{}", server.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub async fn running(server: &Server, job: &str) -> (u64, String) {
    let detail = server.get(&format!("/api/v1/jobs/{job}")).await;
    let running = detail["summary"]["replicas"]["running"].as_u64().unwrap_or(0);
    (running, detail["summary"]["reason"].as_str().unwrap_or_default().to_owned())
}

/// Failures among the marks: a replica that ended and was not asked to, a start that failed.
pub async fn failures(server: &Server, job: &str) -> Vec<String> {
    let detail = server.get(&format!("/api/v1/jobs/{job}")).await;
    let marks = detail["marks"].as_array().unwrap().iter().filter(|mark| mark["kind"] == "failure");
    marks.map(|mark| mark["text"].as_str().unwrap().to_owned()).collect()
}

pub async fn all_done_once(server: &Server, job: &str, count: usize) {
    let items = server.items(job).await;
    assert_eq!(items.len(), count);
    for item in &items {
        assert_eq!((&item["state"], &item["attempts"]), (&json!("done"), &json!(1)), "{item}\n{}", server.log());
    }
}

/// Does something to the cluster itself: `kill apiserver`, `start apiserver`.
pub fn cluster_does(words: &[&str]) {
    let command = setting("ASPERATHOS_TEST_CLUSTER");
    let mut program = command.split_whitespace();
    let done = std::process::Command::new(program.next().unwrap()).args(program).args(words).status().unwrap();
    assert!(done.success(), "{command} {words:?}");
}
