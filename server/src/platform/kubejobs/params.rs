//! What a user sets for replicas that are pods of a Kubernetes Job, and its check before anything is created.

use std::collections::BTreeMap;

use control::plugin::FieldError;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Clusters, Kubejobs, clusters::OWN, names, overlay, template};
use crate::platform::{
    read::{joined, read},
    variables::wrong_variable,
};

/// A user id that is nobody's in most images.
const NOBODY: u32 = 65_532;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pull {
    /// From the registry when the node does not have it.
    #[default]
    IfNotPresent,
    /// Ask the registry for each pod.
    Always,
    /// Only what the node has already.
    Never,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct KubejobsParams {
    /// The container image of the worker, such as example.org/team/worker:1.4.
    #[garde(skip)]
    #[schemars(title = "Image")]
    pub image: String,
    /// The program in the image and its arguments, one a line: no shell reads them. Empty: what the image itself starts.
    #[garde(skip)]
    #[schemars(title = "Command")]
    pub command: Vec<String>,
    /// Which cluster, by the name that an administrator gave it. Empty: the server's own.
    // Left out where it is empty: a program is known again by its params.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(title = "Cluster")]
    pub cluster: Option<String>,
    /// The namespace of the Job. Empty: the server's own choice, which its administrator set.
    #[garde(skip)]
    #[schemars(title = "Namespace")]
    pub namespace: String,
    /// Environment variables of the worker, one `NAME=value` a line.
    /// REDIS_HOST, REDIS_PORT, REDIS_QUEUE and ASPERATHOS_* are set by the server.
    #[garde(skip)]
    #[schemars(title = "Environment")]
    pub env: BTreeMap<String, String>,
    /// CPU of each pod, asked for and at most. 0: as the namespace has it by default.
    #[garde(range(min = 0.0, max = 1024.0))]
    #[schemars(title = "CPU", extend("x-unit" = "cores", "x-step" = 0.1))]
    pub cpu: f64,
    /// Memory of each pod, asked for and at most; above it the worker is killed. 0: as the namespace has it by default.
    #[garde(range(min = 0, max = 16_777_216))]
    #[schemars(title = "Memory", extend("x-unit" = "MiB", "x-step" = 64))]
    pub memory_mib: u32,
    /// How long a pod may take to end when it is asked to (TERM), before it is killed.
    #[garde(range(min = 0.0, max = 600.0))]
    #[schemars(title = "Grace", extend("x-unit" = "s", "x-step" = 1))]
    pub grace_s: f64,
    /// How much is kept of what each pod prints. The newest half stays when it is full.
    #[garde(range(min = 64, max = 1_048_576))]
    #[schemars(title = "Log limit", extend("x-unit" = "KiB", "x-step" = 64))]
    pub log_limit_kib: u32,
    /// When the image is fetched.
    #[garde(skip)]
    #[schemars(title = "Pull policy")]
    pub pull_policy: Pull,
    /// Secrets of the namespace that open the image's registry, one name a line.
    #[garde(skip)]
    #[schemars(title = "Pull secrets")]
    pub pull_secrets: Vec<String>,
    /// Labels that a node must have to run these pods, one `name=value` a line.
    #[garde(skip)]
    #[schemars(title = "Node selector")]
    pub node_selector: BTreeMap<String, String>,
    /// The service account of the pods; its token is not mounted. Empty: the namespace's default.
    #[garde(skip)]
    #[schemars(title = "Service account")]
    pub service_account: String,
    /// The priority class of the pods. Empty: the cluster's default.
    #[garde(skip)]
    #[schemars(title = "Priority class")]
    pub priority_class: String,
    /// The user that the worker runs as, which must not be root. 0: the user that the image names by number.
    #[garde(range(min = 0, max = 2_147_483_647))]
    #[schemars(title = "User", extend("x-unit" = "user id", "x-step" = 1))]
    pub run_as_user: u32,
    /// What else the pods need, as a JSON object that is merged over their template: tolerations, affinity, volumes.
    /// Lists of named things are merged by name; the worker's container is named worker.
    #[garde(skip)]
    #[schemars(title = "Pod overlay")]
    pub pod_overlay: String,
}

impl Default for KubejobsParams {
    fn default() -> Self {
        Self {
            image: String::new(),
            command: Vec::new(),
            cluster: None,
            namespace: String::new(),
            env: BTreeMap::new(),
            cpu: 0.0,
            memory_mib: 0,
            grace_s: 10.0,
            log_limit_kib: 1024,
            pull_policy: Pull::IfNotPresent,
            pull_secrets: Vec::new(),
            node_selector: BTreeMap::new(),
            service_account: String::new(),
            priority_class: String::new(),
            run_as_user: NOBODY,
            pod_overlay: String::new(),
        }
    }
}

/// Reads the params and checks them, and that this server has the cluster. The namespace is filled in.
///
/// # Errors
/// All problems at once, by their path in the spec: `kind`, `params.image`.
pub fn check(params: &Value, clusters: &Clusters) -> Result<KubejobsParams, Vec<FieldError>> {
    let mut params = params.clone();
    // As JSON people write an object; a form has only text.
    if let Some(overlay) = params.get_mut("pod_overlay").filter(|overlay| overlay.is_object()) {
        *overlay = Value::String(overlay.to_string());
    }
    let (read, unread) = read::<Kubejobs>(&params);
    let mut read = read.unwrap_or_default();
    let errors = joined(unread, problems(&read));
    let mut errors: Vec<FieldError> = errors.into_iter().map(|error| error.under("params")).collect();
    place_of(&mut read.cluster, &mut read.namespace, clusters, &mut errors);
    if errors.is_empty() { Ok(read) } else { Err(errors) }
}

/// Fills in the namespace of a job on a cluster, or says why it can have none.
pub(super) fn place_of(cluster: &mut Option<String>, namespace: &mut String, clusters: &Clusters, errors: &mut Vec<FieldError>) {
    *cluster = cluster.take().filter(|name| name != OWN);
    match (clusters.ready(cluster.as_deref()), &cluster) {
        (Some(Ok(usual)), _) if namespace.is_empty() => *namespace = usual,
        (Some(Ok(_)), _) => {}
        (Some(Err(why)), None) => errors.push(FieldError::new("kind", why)),
        (Some(Err(why)), Some(_)) => errors.push(FieldError::new("params.cluster", why)),
        (None, name) => errors.push(FieldError::new("params.cluster", unknown(name.as_deref().unwrap_or_default(), &clusters.names()))),
    }
}

fn unknown(name: &str, known: &[String]) -> String {
    let known = if known.is_empty() { "there is only the server's own".to_owned() } else { format!("known are {}", known.join(", ")) };
    format!("There is no cluster \"{name}\": {known}; leave it empty for the server's own.")
}

fn problems(read: &KubejobsParams) -> Vec<FieldError> {
    let mut found = Vec::new();
    let mut wrong = |field: &str, message: String| found.push(FieldError::new(field, message));
    if let Err(why) = names::image(&read.image) {
        wrong("image", why);
    }
    if read.command.iter().any(|part| part.contains('\0')) {
        wrong("command", "An argument has a NUL byte, which no program can be given.".to_owned());
    }
    for (name, value) in &read.env {
        if let Some(message) = wrong_variable(name, value) {
            wrong("env", message);
        }
    }
    for (name, value) in &read.node_selector {
        if let Err(why) = names::label(name, value) {
            wrong("node_selector", why);
        }
    }
    let named = [("namespace", &read.namespace), ("service_account", &read.service_account), ("priority_class", &read.priority_class)];
    let secrets = read.pull_secrets.iter().map(|secret| ("pull_secrets", secret));
    for (field, name) in named.into_iter().filter(|(_, name)| !name.is_empty()).chain(secrets) {
        if let Err(why) = names::object(name) {
            wrong(field, why);
        }
    }
    match overlay::read(&read.pod_overlay) {
        Err(why) => wrong("pod_overlay", why),
        Ok(_) => {
            let pod = |params: &KubejobsParams| template::pod(params, "kj-0", "127.0.0.1");
            let plain = pod(&KubejobsParams { pod_overlay: String::new(), ..read.clone() });
            let merged = pod(read);
            for why in overlay::unsafe_parts(&merged).into_iter().chain(overlay::moved_parts(&plain, &merged)) {
                wrong("pod_overlay", why);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::platform::ClusterSettings;

    #[test]
    fn a_cluster_that_nobody_added_is_named_with_those_that_are_known() {
        assert_eq!(unknown("a", &[]), "There is no cluster \"a\": there is only the server's own; leave it empty for the server's own.");
        let told = unknown("a", &["b".to_owned(), "c".to_owned()]);
        assert_eq!(told, "There is no cluster \"a\": known are b, c; leave it empty for the server's own.");
        assert_eq!(wrong(json!({ "image": "a:1", "cluster": "a" })), ["params.cluster"]);
        // Its own it calls by either; that it has none is said once.
        assert_eq!(wrong(json!({ "image": "a:1", "cluster": "default" })), ["kind"]);
        assert!(!serde_json::to_string(&KubejobsParams::default()).unwrap().contains("cluster"));
    }

    fn wrong(params: Value) -> Vec<String> {
        let mut fields: Vec<String> =
            check(&params, &Clusters::new(ClusterSettings::default())).unwrap_err().into_iter().map(|error| error.field).collect();
        fields.sort();
        fields.dedup();
        fields
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        // These tests know no cluster, which is a problem of its own.
        let all = wrong(json!({
            "image": "Not An Image",
            "namespace": "Upper",
            "env": {"REDIS_HOST": "x"},
            "cpu": -1,
            "pull_secrets": ["a b"],
            "node_selector": {"a b": "c"},
            "pod_overlay": "{",
            "grace_s": 9999,
        }));
        let fields = ["cpu", "env", "grace_s", "image", "namespace", "node_selector", "pod_overlay", "pull_secrets"];
        let mut wanted: Vec<String> = fields.iter().map(|field| format!("params.{field}")).collect();
        wanted.insert(0, "kind".to_owned());
        assert_eq!(all, wanted);
    }

    #[test]
    fn an_overlay_may_be_an_object_and_may_not_break_out() {
        let overlay = |spec: Value| wrong(json!({"image": "a:1", "pod_overlay": {"spec": spec}}));
        assert_eq!(overlay(json!({"tolerations": [{"operator": "Exists"}]})), ["kind"]);
        for spec in [
            json!({"hostNetwork": true}),
            json!({"hostPID": true}),
            json!({"automountServiceAccountToken": true}),
            json!({"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]}),
            json!({"readinessGates": [{"conditionType": "example.org/mine"}]}),
            json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
            json!({"containers": [{"name": "worker", "securityContext": {"privileged": true}}]}),
            json!({"containers": [{"name": "worker", "securityContext": {"allowPrivilegeEscalation": true}}]}),
            json!({"initContainers": [{"name": "x", "image": "a:1", "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}]}),
        ] {
            assert_eq!(overlay(spec.clone()), ["kind", "params.pod_overlay"], "{spec}");
        }
    }
}
