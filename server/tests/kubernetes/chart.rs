//! The chart of `deploy/`, as Helm renders it: what it allows, and a server that it installs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolume, Pod, Secret};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::{Value, json};

use crate::cluster::{Cluster, parsed, setting};

/// Of the release, and so of its objects.
pub const NAME: &str = "asperathos";

/// A right: its verb, and the resource with its group before and its part behind.
pub type Right = (String, String);

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/helm/asperathos")
}

/// What the launcher of the cluster says to `kubectl …` and `helm …`.
pub fn said(words: &[&str]) -> String {
    let command = setting("ASPERATHOS_TEST_CLUSTER");
    let mut program = command.split_whitespace();
    let output = Command::new(program.next().unwrap()).args(program).args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Objects of one of the chart's templates.
pub fn rendered(namespace: &str, template: &str, values: &[&str]) -> Vec<Value> {
    let (folder, file) = (folder(), tempfile::NamedTempFile::new().unwrap());
    let mut words = vec!["helm", "template", NAME, folder.to_str().unwrap(), "--namespace", namespace, "--show-only", template];
    for value in values {
        words.extend(["--set", value]);
    }
    std::fs::write(file.path(), said(&words)).unwrap();
    let json = said(&["kubectl", "create", "--dry-run=client", "-o", "json", "-f", file.path().to_str().unwrap()]);
    // One object after another, without a list around them.
    serde_json::Deserializer::from_str(&json).into_iter::<Value>().map(Result::unwrap).flat_map(each).collect()
}

fn each(object: Value) -> Vec<Value> {
    match object["items"].as_array() {
        Some(items) => items.clone(),
        None => vec![object],
    }
}

/// Every single right that these roles give.
pub fn rights(roles: &[Value]) -> BTreeSet<Right> {
    let strings = |value: &Value| -> Vec<String> { value.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect() };
    let rules = roles.iter().filter_map(|role| role["rules"].as_array()).flatten();
    let all = rules.flat_map(|rule| {
        let (verbs, groups, resources) = (strings(&rule["verbs"]), strings(&rule["apiGroups"]), strings(&rule["resources"]));
        let named = groups.iter().flat_map(|group| resources.iter().map(move |resource| resource_name(group, resource)));
        let named: Vec<String> = named.collect();
        verbs.into_iter().flat_map(move |verb| named.clone().into_iter().map(move |resource| (verb.clone(), resource)))
    });
    all.collect()
}

pub fn resource_name(group: &str, resource: &str) -> String {
    if group.is_empty() { resource.to_owned() } else { format!("{group}/{resource}") }
}

/// What an account was allowed so far, by the API server's own record. An apply that made something needed the right to create.
pub fn used(namespace: &str) -> BTreeSet<Right> {
    let text = std::fs::read_to_string(setting("ASPERATHOS_TEST_AUDIT")).unwrap();
    let user = format!("system:serviceaccount:{namespace}:{NAME}");
    let mut used = BTreeSet::new();
    // The last line may be on its way.
    for event in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let allowed = event["annotations"]["authorization.k8s.io/decision"] == "allow" && event["responseStatus"]["code"] != 403;
        let Some(resource) = event["objectRef"]["resource"].as_str().filter(|_| allowed && event["user"]["username"] == user) else {
            continue;
        };
        let text = |name: &str| event["objectRef"][name].as_str().unwrap_or_default();
        let part = if text("subresource").is_empty() { String::new() } else { format!("/{}", text("subresource")) };
        let resource = resource_name(text("apiGroup"), &format!("{resource}{part}"));
        let verb = event["verb"].as_str().unwrap().to_owned();
        if verb == "patch" && event["responseStatus"]["code"] == 201 {
            used.insert(("create".to_owned(), resource.clone()));
        }
        used.insert((verb, resource));
    }
    used
}

/// A server that the chart installed, called where its Service leads.
pub struct Installed<'a> {
    pub cluster: &'a Cluster,
    client: reqwest::Client,
    token: String,
    _volume: tempfile::TempDir,
}

impl<'a> Installed<'a> {
    /// Installs it with a volume of this machine, and waits until it is ready.
    pub async fn new(cluster: &'a Cluster, values: &[&str]) -> Self {
        Self::waiting(cluster, values, &["--wait"]).await
    }

    /// Of two one is never ready, and Helm would wait for it.
    pub async fn without_waiting(cluster: &'a Cluster, values: &[&str]) -> Self {
        Self::waiting(cluster, values, &[]).await
    }

    async fn waiting(cluster: &'a Cluster, values: &[&str], more: &[&str]) -> Self {
        let volume = tempfile::tempdir().unwrap();
        let namespace = cluster.namespace.as_str();
        let made: PersistentVolume = parsed(json!({
            "metadata": { "name": namespace },
            "spec": {
                "capacity": { "storage": "1Gi" },
                "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
                "persistentVolumeReclaimPolicy": "Retain",
                "claimRef": { "namespace": namespace, "name": NAME },
                "local": { "path": volume.path() },
                "nodeAffinity": { "required": { "nodeSelectorTerms": [{ "matchExpressions": [
                    { "key": "kubernetes.io/os", "operator": "In", "values": ["linux"] }] }] } },
            },
        }));
        Api::all(cluster.client.clone()).create(&PostParams::default(), &made).await.unwrap();
        let token = format!("{:032x}", rand::random::<u128>());
        let secret: Secret = parsed(json!({ "metadata": { "name": "asperathos-token" }, "stringData": { "token": token } }));
        cluster.api().create(&PostParams::default(), &secret).await.unwrap();
        helm(namespace, "install", values, more);
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10));
        let client = client.redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { cluster, client, token, _volume: volume }
    }

    pub fn upgrade(&self, values: &[&str]) {
        helm(&self.cluster.namespace, "upgrade", values, &["--wait"]);
    }

    /// Where the Service leads now: not every machine has a way to its own address, but each node has one to its pods.
    async fn address(&self) -> Option<String> {
        let of_service = ListParams::default().labels(&format!("kubernetes.io/service-name={NAME}"));
        let slices = self.cluster.api::<EndpointSlice>().list(&of_service).await.ok()?;
        let ready = |endpoint: &Endpoint| endpoint.conditions.as_ref().is_some_and(|conditions| conditions.ready == Some(true));
        slices.items.iter().flat_map(|slice| &slice.endpoints).find(|endpoint| ready(endpoint))?.addresses.first().cloned()
    }

    async fn ask(&self, method: reqwest::Method, path: &str) -> Option<reqwest::RequestBuilder> {
        let host = format!("{NAME}.{}.svc:1500", self.cluster.namespace);
        Some(self.client.request(method, format!("http://{}:1500{path}", self.address().await?)).header("host", host))
    }

    pub async fn get(&self, path: &str) -> Option<Value> {
        let answer = self.ask(reqwest::Method::GET, path).await?.bearer_auth(&self.token).send().await.ok()?;
        serde_json::from_str(&answer.text().await.ok()?).ok()
    }

    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.ask(reqwest::Method::POST, path).await.unwrap().bearer_auth(&self.token);
        // The end of a job is answered when its pods have ended.
        let request = request.header("content-type", "application/json").timeout(Duration::from_secs(60));
        let answer = request.body(body.to_string()).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Whether a link gives whoever has it a session.
    pub async fn signs_in(&self, path: &str) -> bool {
        let answer = self.ask(reqwest::Method::GET, path).await.unwrap().send().await.unwrap();
        answer.headers().contains_key("set-cookie")
    }

    /// The status of a page.
    pub async fn status(&self, path: &str) -> Option<u16> {
        Some(self.ask(reqwest::Method::GET, path).await?.bearer_auth(&self.token).send().await.ok()?.status().as_u16())
    }

    /// Pods of the server itself.
    pub async fn pods(&self) -> Vec<Pod> {
        let own = ListParams::default().labels("app.kubernetes.io/component=server");
        self.cluster.api::<Pod>().list(&own).await.unwrap().items
    }

    pub fn log(&self) -> String {
        let own = "app.kubernetes.io/component=server";
        said(&["kubectl", "-n", &self.cluster.namespace, "logs", "-l", own, "--tail", "200", "--ignore-errors"])
    }

    pub async fn end(self) {
        said(&["helm", "uninstall", NAME, "--namespace", &self.cluster.namespace, "--wait"]);
        let _ = Api::<PersistentVolume>::all(self.cluster.client.clone()).delete(&self.cluster.namespace, &DeleteParams::default()).await;
    }
}

fn helm(namespace: &str, what: &str, values: &[&str], more: &[&str]) {
    let folder = folder();
    let image = format!("image.name={}", setting("ASPERATHOS_TEST_SERVER_IMAGE"));
    let mut words = vec!["helm", what, NAME, folder.to_str().unwrap(), "--namespace", namespace, "--timeout", "2m"];
    words.extend(more);
    for value in [&image, "image.pullPolicy=Never", "storage.class=-", "storage.size=1Gi"].into_iter().chain(values.iter().copied()) {
        words.extend(["--set", value]);
    }
    said(&words);
}
