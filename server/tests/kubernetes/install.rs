//! The server as a pod of the cluster, installed by its chart: it does whole jobs, is replaced in the middle of one,
//! and has just the rights that it uses.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};

use crate::chart::{Installed, NAME, rendered, rights, used};
use crate::cluster::Cluster;

/// For steps that start pods of the server itself, which is an unoptimised build.
const PATIENCE: Duration = Duration::from_secs(120);

/// Of the job in whose middle the server is replaced.
const ITEMS: usize = 900;

async fn until(what: &str, server: &Installed<'_>, mut so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !so().await {
        assert!(begun.elapsed() < PATIENCE, "it did not come to pass: {what}\n{}", server.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn summary(server: &Installed<'_>, job: &str) -> Value {
    server.get(&format!("/api/v1/jobs/{job}")).await.unwrap_or_default()["summary"].clone()
}

async fn phase_is(server: &Installed<'_>, job: &str, phase: &str) {
    until(phase, server, async || summary(server, job).await["phase"] == phase).await;
}

/// Pods, Jobs and the rest of jobs are gone; the server's own things stay.
async fn nothing_of_jobs_is_left(server: &Installed<'_>) {
    let ours = ListParams::default().labels("asperathos.io/job");
    until("nothing is left", server, async || {
        let cluster = server.cluster;
        cluster.api::<Pod>().list(&ours).await.unwrap().items.is_empty()
            && cluster.api::<k8s_openapi::api::batch::v1::Job>().list(&ours).await.unwrap().items.is_empty()
            && cluster.api::<k8s_openapi::api::core::v1::Service>().list(&ours).await.unwrap().items.is_empty()
            && cluster.api::<k8s_openapi::api::discovery::v1::EndpointSlice>().list(&ours).await.unwrap().items.is_empty()
    })
    .await;
}

async fn deleted(server: &Installed<'_>) -> Duration {
    let before: BTreeSet<Option<String>> = server.pods().await.into_iter().map(|pod| pod.metadata.uid).collect();
    assert_eq!(before.len(), 1);
    let name = server.pods().await[0].metadata.name.clone().unwrap();
    let begun = Instant::now();
    server.cluster.api::<Pod>().delete(&name, &DeleteParams::default()).await.unwrap();
    until("another pod of the server is ready", server, async || {
        let pods = server.pods().await;
        pods.iter().all(|pod| !before.contains(&pod.metadata.uid)) && server.status("/readyz").await == Some(200)
    })
    .await;
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn the_chart_installs_a_server_that_outlives_its_pod_and_uses_every_right_that_it_has() {
    let cluster = Cluster::new("install").await;
    let server = Installed::new(&cluster, &[]).await;
    // A whole job: out, in by a drain, with other CPU on the way; its server is replaced in the middle.
    let mut body = cluster.job(ITEMS, 0.3, &["0: 3", "10: 5", "20: 2", "90: 4"]);
    body["platform"]["params"]["cpu"] = json!(0.05);
    body["monitors"] = json!([{ "kind": "progress" }, { "kind": "k8s_cpu" }]);
    let cpu = json!({ "name": "cpu", "metric": "progress", "interval_s": 1,
        "controller": { "kind": "scripted", "params": { "script": ["0: 60"] } },
        "actuator": { "kind": "k8s_cpu", "params": { "min": 0.01, "max": 0.2 } } });
    body["loops"].as_array_mut().unwrap().push(cpu);
    let submitted = Instant::now();
    let job = server.post("/api/v1/jobs", &body).await["job_id"].as_str().unwrap().to_owned();
    until("three replicas work", &server, async || summary(&server, &job).await["replicas"]["running"] == 3).await;
    eprintln!("three replicas work {:.1} s after the submission", submitted.elapsed().as_secs_f64());
    // Loops on CPU begin when the metrics API knows the pods.
    until("pods were given other CPU", &server, async || {
        used(&cluster.namespace).contains(&("patch".to_owned(), "pods/resize".to_owned()))
    })
    .await;
    eprintln!("pods have other CPU after {:.1} s", submitted.elapsed().as_secs_f64());
    let of_job = async || cluster.living().await.into_iter().filter(|pod| pod.starts_with(&job)).collect::<BTreeSet<String>>();
    until("two pods are left", &server, async || of_job().await.len() == 2).await;
    let workers = of_job().await;
    eprintln!("another pod of the server is ready {:.1} s after the first was deleted", deleted(&server).await.as_secs_f64());
    let done = summary(&server, &job).await["items"]["done"].as_u64().unwrap();
    assert!((1..ITEMS as u64).contains(&done), "in the middle of it: {done}");
    assert!(workers.is_subset(&of_job().await), "pods of the job worked on: {workers:?}");
    until("four replicas work", &server, async || summary(&server, &job).await["replicas"]["running"] == 4).await;
    phase_is(&server, &job, "completed").await;
    let items = server.get(&format!("/api/v1/jobs/{job}/items?limit=5000")).await.unwrap();
    let items = items.as_array().unwrap();
    assert_eq!(items.len(), ITEMS);
    for item in items {
        assert_eq!((&item["state"], &item["attempts"]), (&json!("done"), &json!(1)), "{item}\n{}", server.log());
    }
    nothing_of_jobs_is_left(&server).await;

    // One that is ended while a worker does not let go: its pods are deleted by name.
    let mut body = cluster.job(4, 20.0, &["0: 2"]);
    body["platform"]["params"]["grace_s"] = json!(10);
    let stubborn = server.post("/api/v1/jobs", &body).await["job_id"].as_str().unwrap().to_owned();
    until("two replicas work", &server, async || summary(&server, &stubborn).await["replicas"]["running"] == 2).await;
    server.post(&format!("/api/v1/jobs/{stubborn}/terminate"), &json!({})).await;
    phase_is(&server, &stubborn, "terminated").await;
    nothing_of_jobs_is_left(&server).await;

    // What it was allowed is what it used; so none is missing, and none is too many.
    let namespace = &cluster.namespace;
    let given = rights(&rendered(namespace, "templates/rights.yaml", &[]));
    assert_eq!(given, used(namespace), "left: what the chart gives, right: what was used\n{}", server.log());

    // The other way to CPU and memory: one right more in the cluster, one less in the namespace.
    server.upgrade(&["rights.usage=kubelets"]);
    deleted(&server).await;
    let mut body = cluster.job(40, 0.5, &["0: 1"]);
    body["monitors"] = json!([{ "kind": "progress" }, { "kind": "k8s_cpu" }]);
    let measured = server.post("/api/v1/jobs", &body).await["job_id"].as_str().unwrap().to_owned();
    phase_is(&server, &measured, "completed").await;
    let roles = rendered(namespace, "templates/rights.yaml", &["rights.usage=kubelets"]);
    let given: BTreeSet<_> = rights(&roles).union(&given).cloned().collect();
    assert_eq!(given, used(namespace), "left: what the chart gives, right: what was used");
    nothing_of_jobs_is_left(&server).await;

    pages(&server).await;
    server.end().await;
    cluster.end().await;
}

/// What people ask for: the program that makes pages live, and a link that signs them in.
async fn pages(server: &Installed<'_>) {
    assert_eq!(server.status("/healthz").await, Some(200));
    let site = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/site/pkg/asperathos.js");
    let wanted = if site.is_file() { 200 } else { 404 };
    assert_eq!(server.status("/pkg/asperathos.js").await, Some(wanted));
    let deployment = format!("deploy/{NAME}");
    let link = crate::chart::said(&["kubectl", "-n", &server.cluster.namespace, "exec", &deployment, "--", "/asperathos", "link"]);
    let way = link.trim().strip_prefix("http://localhost:1500").unwrap_or_else(|| panic!("{link}"));
    assert!(server.signs_in(way).await, "{link}");
    assert!(!server.signs_in(way).await, "it is good once");
}
