//! A server with an account of its own: with the rights that the chart gives, and with its requests counted.

use std::io::Write as _;

use http::Request;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::flowcontrol::v1::FlowSchema;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::chart::{NAME, rendered, said};
use crate::cluster::{Cluster, parsed};

pub struct Account<'a> {
    cluster: &'a Cluster,
    /// Of what it has outside of the namespace.
    name: String,
    kubeconfig: tempfile::NamedTempFile,
}

impl Cluster {
    /// An account that may do what the server needs; `kubelets` gives it the right to read them.
    pub async fn account(&self, kubelets: bool) -> Account<'_> {
        let usage = if kubelets { "rights.usage=kubelets" } else { "rights.usage=metrics" };
        let objects = ["templates/account.yaml", "templates/rights.yaml"].map(|template| rendered(&self.namespace, template, &[usage]));
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects.concat() });
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), list.to_string()).unwrap();
        said(&["kubectl", "create", "-f", file.path().to_str().unwrap()]);
        let request: TokenRequest = parsed(json!({ "metadata": {}, "spec": { "audiences": [], "expirationSeconds": 3600 } }));
        let accounts = self.api::<ServiceAccount>();
        let token = accounts.create_token_request(NAME, &PostParams::default(), &request).await.unwrap().status.unwrap().token;
        let known = self.kubeconfig.clusters[0].cluster.clone().unwrap();
        let server = json!({
            "server": known.server,
            "certificate-authority": known.certificate_authority,
            "certificate-authority-data": known.certificate_authority_data,
        });
        let server: serde_json::Map<String, Value> =
            server.as_object().unwrap().clone().into_iter().filter(|(_, value)| !value.is_null()).collect();
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "clusters": [{ "name": "it", "cluster": server }],
            "users": [{ "name": "it", "user": { "token": token } }],
            "contexts": [{ "name": "it", "context": { "cluster": "it", "user": "it", "namespace": self.namespace } }],
        });
        let mut kubeconfig = tempfile::NamedTempFile::new().unwrap();
        kubeconfig.write_all(config.to_string().as_bytes()).unwrap();
        Account { cluster: self, name: self.namespace.clone(), kubeconfig }
    }

    /// The same, and its requests are counted by the API server.
    pub async fn counted(&self) -> Account<'_> {
        let account = self.account(true).await;
        let all = json!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": true, "namespaces": ["*"] });
        let subject = json!({ "kind": "ServiceAccount", "serviceAccount": { "name": NAME, "namespace": self.namespace } });
        let schema: FlowSchema = parsed(json!({
            "metadata": { "name": account.name },
            "spec": {
                "matchingPrecedence": 500,
                "priorityLevelConfiguration": { "name": "workload-high" },
                "rules": [{ "subjects": [subject], "resourceRules": [all],
                            "nonResourceRules": [{ "verbs": ["*"], "nonResourceURLs": ["*"] }] }],
            },
        }));
        Api::all(self.client.clone()).create(&PostParams::default(), &schema).await.unwrap();
        // The API server takes a moment to sort by it.
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        account
    }
}

impl Account<'_> {
    /// Arguments of a server with this account.
    pub fn arguments(&self) -> Vec<&str> {
        let kubeconfig = self.kubeconfig.path().to_str().unwrap();
        let listen: &str = self.cluster.listen();
        vec!["--kubeconfig", kubeconfig, "--namespace", &self.cluster.namespace, "--pods-listen", listen]
    }

    /// How many requests the API server has taken from it so far. Those that it hands on to kubelets it sorts by nobody:
    /// they are all counted, as nobody else's.
    pub async fn requests(&self) -> f64 {
        let request = Request::get("/metrics").body(Vec::new()).unwrap();
        let text = self.cluster.client.request_text(request).await.unwrap();
        let label = format!("flow_schema=\"{}\"", self.name);
        let sum = |name: &str, labels: &[&str]| -> f64 {
            let counts = text.lines().filter(|line| line.starts_with(name) && labels.iter().all(|label| line.contains(label)));
            counts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
        };
        let sorted = sum("apiserver_flowcontrol_dispatched_requests_total{", &[&label]);
        let proxied = sum("apiserver_request_total{", &["resource=\"nodes\"", "subresource=\"proxy\""]);
        eprintln!("so far {sorted} requests, and {proxied} to kubelets");
        sorted + proxied
    }

    pub async fn end(self) {
        let (client, how) = (&self.cluster.client, DeleteParams::default());
        // What was never made needs no end.
        let _ = Api::<FlowSchema>::all(client.clone()).delete(&self.name, &how).await;
        let of_cluster = format!("{}-{NAME}", self.name);
        let _ = Api::<ClusterRoleBinding>::all(client.clone()).delete(&of_cluster, &how).await;
        let _ = Api::<ClusterRole>::all(client.clone()).delete(&of_cluster, &how).await;
    }
}
