//! What a cluster refuses is said in words that say what to do: by the field of the submission where it can be known
//! then, else on the job's page; and a cluster that no longer knows the server gets another kubeconfig while jobs run.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{LimitRange, Pod, ResourceQuota};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::config::Kubeconfig;
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::cluster::{Cluster, all_done_once, parsed, running, setting, until};
use crate::clusters::{added, dead, put};
use crate::support::Server;

/// The goal is 5 s on a quiet machine; this one may be busy.
const SOON: Duration = Duration::from_secs(15);

/// Submits what must be refused; answers with field and message.
async fn refused(server: &Server, body: &Value) -> (String, String) {
    let begun = Instant::now();
    let (status, answer) = server.post("/api/v1/jobs", body).await;
    assert_eq!(status, 422, "{answer}\n{}", server.log());
    let error = &answer["errors"][0];
    let told = (error["field"].as_str().unwrap().to_owned(), error["message"].as_str().unwrap().to_owned());
    eprintln!("refused after {:.2} s: {}: {}", begun.elapsed().as_secs_f64(), told.0, told.1);
    told
}

/// Waits until the job's page says it.
async fn said(server: &Server, job: &str, words: &str, since: Instant) -> String {
    until(words, server, async || running(server, job).await.1.contains(words)).await;
    let (took, whole) = (since.elapsed(), running(server, job).await.1);
    eprintln!("said after {:.2} s: {whole}", took.as_secs_f64());
    assert!(took < SOON, "{took:?}");
    whole
}

async fn terminated(server: &Server, job: &str) {
    assert_eq!(server.post(&format!("/api/v1/jobs/{job}/terminate"), &json!({})).await.0, 202);
    server.wait(job, &["terminated"]).await;
}

fn with(cluster: &Cluster, param: &str, value: Value) -> Value {
    let mut body = cluster.job(4, 0.1, &["0: 1"]);
    body["platform"]["params"][param] = value;
    body
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn what_can_be_known_before_is_told_by_its_field() {
    let cluster = Cluster::new("before").await;
    let server = cluster.server().await;
    let limits = json!({ "metadata": { "name": "lr" }, "spec": { "limits": [{ "type": "Container", "max": { "cpu": "500m" } }] } });
    cluster.api::<LimitRange>().create(&PostParams::default(), &parsed(limits)).await.unwrap();
    for (param, value, words) in [
        ("namespace", json!("no-such-namespace"), "Make the namespace, or name another"),
        ("service_account", json!("nobody"), "serviceaccount \"nobody\" not found. Make it in the cluster, or name another."),
        ("priority_class", json!("highest"), "no PriorityClass with name highest was found. Make it in the cluster, or name another."),
        ("cpu", json!(1), "Change CPU or memory to what the namespace allows."),
        ("pod_overlay", json!({ "spec": { "containers": [{ "name": "worker", "ports": [{ "containerPort": 99999 }] }] } }), "99999"),
        ("pod_overlay", json!({ "spec": { "volumes": [{ "name": "v", "nfs": { "server": "a", "path": "/" } }] } }), "violates PodSecurity"),
    ] {
        let (field, message) = refused(&server, &with(&cluster, param, value)).await;
        assert!(field == format!("platform.params.{param}") && message.contains(words), "{field}: {message}");
    }
    let unknown = json!({ "name": "unknown", "kubeconfig": kubeconfig(&server_of(&cluster), "nobody-knows-it") });
    let (_, view) = server.post("/api/v1/clusters", &unknown).await;
    assert!(view["says"].as_str().unwrap().contains("does not know this server"), "{view}");
    let (field, message) = refused(&server, &with(&cluster, "cluster", json!("unknown"))).await;
    assert!(field == "platform.params.cluster" && message.contains("Give it a new kubeconfig"), "{field}: {message}");
    drop(server);

    let account = cluster.account(false).await;
    let server = Server::start_with(&account.arguments()).await;
    let (field, message) = refused(&server, &with(&cluster, "namespace", json!("default"))).await;
    assert!(field == "platform.params.namespace" && message.contains("does not let this server do it"), "{field}: {message}");
    // Without the right to make pods only the Job is played through.
    let job = server.submit(&cluster.job(4, 0.1, &["0: 1"])).await;
    terminated(&server, &job).await;
    account.end().await;
    drop(server);

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "users: [s3cret").unwrap();
    let arguments = ["--kubeconfig", file.path().to_str().unwrap(), "--pods-listen", cluster.listen()];
    let server = Server::start_with(&arguments).await;
    let (field, message) = refused(&server, &cluster.job(4, 0.1, &["0: 1"])).await;
    assert!(field == "platform.kind" && message.contains("cannot be used") && !message.contains("s3cret"), "{field}: {message}");
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn what_shows_only_then_is_said_on_the_page() {
    let cluster = Cluster::new("page").await;
    let server = cluster.server().await;
    for (param, value, words) in [
        (
            "image",
            json!("localhost/no-such-image:1"),
            "is not on the node, and the pull policy is never. Load it there, or let it be pulled.",
        ),
        ("node_selector", json!({ "disk": "none" }), "Ask for less, choose other nodes, or add some."),
        ("cpu", json!(900), "Ask for less, choose other nodes, or add some."),
    ] {
        let begun = Instant::now();
        let job = server.submit(&with(&cluster, param, value)).await;
        said(&server, &job, words, begun).await;
        terminated(&server, &job).await;
    }
    let mut pulled = with(&cluster, "image", json!("registry.invalid/no-such-image:1"));
    pulled["platform"]["params"]["pull_policy"] = json!("if_not_present");
    let begun = Instant::now();
    let job = server.submit(&pulled).await;
    said(&server, &job, "cannot be pulled", begun).await;
    terminated(&server, &job).await;

    let quota: ResourceQuota = parsed(json!({ "metadata": { "name": "rq" }, "spec": { "hard": { "pods": "0" } } }));
    cluster.api().create(&PostParams::default(), &quota).await.unwrap();
    until("the quota holds", &server, async || {
        cluster.api::<ResourceQuota>().get("rq").await.unwrap().status.is_some_and(|status| status.hard.is_some())
    })
    .await;
    let begun = Instant::now();
    let job = server.submit(&cluster.job(4, 0.1, &["0: 1"])).await;
    said(&server, &job, "Raise the quota of the namespace, or want fewer or smaller replicas.", begun).await;
    terminated(&server, &job).await;
    cluster.end_empty(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn a_job_of_somebody_else_with_the_same_name_is_left_alone() {
    let cluster = Cluster::new("clash").await;
    let server = cluster.server().await;
    // Its name is known only when it is there, so the cluster comes later.
    server.post("/api/v1/clusters", &dead("west")).await;
    let job = server.submit(&cluster.job_on("west", 6, 0.1)).await;
    let body = json!({ "metadata": { "name": job }, "spec": { "suspend": true, "template": { "spec": {
        "restartPolicy": "Never", "containers": [{ "name": "a", "image": "localhost/a:1" }] } } } });
    let foreign: Job = cluster.api().create(&PostParams::default(), &parsed::<Job>(body)).await.unwrap();
    assert_eq!(put(&server, "west", &added("west")).await, 200);
    said(&server, &job, "it is not of this server: it is left alone. Remove it, and this job begins.", Instant::now()).await;
    let still = cluster.api::<Job>().get(&job).await.unwrap();
    assert_eq!((still.metadata.uid, still.spec), (foreign.metadata.uid, foreign.spec));
    cluster.api::<Job>().delete(&job, &DeleteParams::background()).await.unwrap();
    server.wait(&job, &["completed"]).await;
    all_done_once(&server, &job, 6).await;
    cluster.end_empty(&server).await;
}

fn server_of(cluster: &Cluster) -> Value {
    let known = cluster.kubeconfig.clusters[0].cluster.clone().unwrap();
    json!({ "server": known.server, "certificate-authority-data": known.certificate_authority_data })
}

fn kubeconfig(server: &Value, token: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "clusters": [{ "name": "it", "cluster": server }],
        "users": [{ "name": "it", "user": { "token": token } }],
        "contexts": [{ "name": "it", "context": { "cluster": "it", "user": "it" } }],
    })
    .to_string()
}

/// The same token with an end in the past, signed by the cluster's own key. The API server takes it for a minute more.
fn ended(token: &str, ago: Duration) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    claims["exp"] = json!((SystemTime::now() - ago).duration_since(UNIX_EPOCH).unwrap().as_secs());
    let signed = format!("{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims.to_string()));
    let key = Path::new(&setting("ASPERATHOS_TEST_KUBECONFIG")).with_file_name("pki").join("sa.key");
    let mut openssl =
        Command::new("openssl").args(["dgst", "-sha256", "-sign"]).arg(key).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    openssl.stdin.take().unwrap().write_all(signed.as_bytes()).unwrap();
    let output = openssl.wait_with_output().unwrap();
    assert!(output.status.success());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(output.stdout))
}

async fn client_of(text: &str) -> Client {
    let config = kube::Config::from_custom_kubeconfig(Kubeconfig::from_yaml(text).unwrap(), &Default::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn a_token_that_ends_makes_loops_hold_until_there_is_another() {
    let cluster = Cluster::new("ends").await;
    let account = cluster.account(true).await;
    let text = std::fs::read_to_string(account.arguments()[1]).unwrap();
    let token = serde_json::from_str::<Value>(&text).unwrap()["users"][0]["user"]["token"].as_str().unwrap().to_owned();
    let soon = kubeconfig(&server_of(&cluster), &ended(&token, Duration::from_secs(40)));
    let server = cluster.server().await;
    let body = |text: &str| json!({ "name": "east", "kubeconfig": text, "namespace": cluster.namespace });
    let (status, view) = server.post("/api/v1/clusters", &body(&soon)).await;
    assert_eq!((status, &view["reachable"]), (201, &json!(true)), "{view}");
    let mut job = cluster.job_on("east", 300, 0.3);
    job["loops"][0]["controller"]["params"]["script"] = json!(["0: 3", "8: 3", "9: 1"]);
    job["loops"][0]["interval_s"] = json!(1);
    let job = server.submit(&job).await;
    until("three replicas run", &server, async || running(&server, &job).await.0 == 3).await;

    let own = client_of(&soon).await;
    let pods = Api::<Pod>::namespaced(own, &cluster.namespace);
    until(
        "the cluster refuses the token",
        &server,
        async || matches!(pods.list(&ListParams::default()).await, Err(kube::Error::Api(status)) if status.code == 401),
    )
    .await;
    let whole = said(&server, &job, "does not know this server", Instant::now()).await;
    assert!(whole.contains("Give it a new kubeconfig") && whole.contains("Loops hold"), "{whole}");
    let living = cluster.living().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(cluster.living().await, living, "nobody is taken away unseen");

    assert_eq!(put(&server, "east", &body(&text)).await, 200);
    let mended = Instant::now();
    until("nothing is said any more", &server, async || running(&server, &job).await.1.is_empty()).await;
    eprintln!("mended after {:.2} s", mended.elapsed().as_secs_f64());
    server.wait(&job, &["completed"]).await;
    all_done_once(&server, &job, 300).await;

    // A right that is taken away shows with the next step.
    let job = server.submit(&cluster.job_on("east", 400, 0.3)).await;
    until("two replicas run", &server, async || running(&server, &job).await.0 == 2).await;
    cluster.api::<RoleBinding>().delete("asperathos", &DeleteParams::default()).await.unwrap();
    let taken = Instant::now();
    server.post(&format!("/api/v1/jobs/{job}/suspend"), &json!({})).await;
    server.post(&format!("/api/v1/jobs/{job}/resume"), &json!({})).await;
    said(&server, &job, "does not let this server do it", taken).await;
    drop(server);
    account.end().await;
    cluster.end().await;
}
