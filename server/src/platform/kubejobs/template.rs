//! The objects of a job on the cluster, as JSON for server-side apply: Job, Service and EndpointSlice.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{
    overlay,
    params::{KubejobsParams, Pull},
};
use crate::platform::variables;

/// Owns all of the Job but its parallelism.
pub const MANAGER: &str = "asperathos";
/// Owns the Job's parallelism.
pub const SCALER: &str = "asperathos-scale";
/// On every object of a job: its id.
pub const JOB_LABEL: &str = "asperathos.io/job";
/// On a pod: the replica that it is.
pub const REPLICA_LABEL: &str = "asperathos.io/replica";
/// A pod is not ready before this is true. Turned off on those that are to go: the Job's controller removes
/// pods that are not ready first.
pub const KEEP_GATE: &str = "asperathos.io/keep";
/// The container that a pod is there for.
pub const CONTAINER: &str = "worker";
/// Where Redis clients look when nobody tells them a port.
pub const REDIS_PORT: u16 = 6379;
/// With a goal that is never reached no pod that ends by itself freezes the Job: its end is ours to declare.
const COMPLETIONS: i32 = 1_000_000;

/// The name of the Service that leads a job's pods to its queue.
pub fn service_name(job: &str) -> String {
    format!("redis-{job}")
}

fn labels(job: &str, component: &str) -> Value {
    json!({
        "app.kubernetes.io/name": "asperathos",
        "app.kubernetes.io/instance": job,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": "asperathos",
        JOB_LABEL: job,
    })
}

/// The Job without its parallelism, which another manager owns. `redis_host` is the address of its Service.
pub fn job(params: &KubejobsParams, job: &str, redis_host: &str) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": { "name": job, "labels": labels(job, "job") },
        "spec": {
            "completions": COMPLETIONS,
            "completionMode": "NonIndexed",
            "backoffLimit": i32::MAX,
            "template": pod(params, job, redis_host),
        },
    })
}

/// The pod template with the user's overlay over it.
pub fn pod(params: &KubejobsParams, job: &str, redis_host: &str) -> Value {
    let mut env: Vec<Value> = params.env.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    let ours = [
        (variables::REDIS_HOST, redis_host.to_owned()),
        (variables::REDIS_PORT, REDIS_PORT.to_string()),
        (variables::REDIS_QUEUE, "job".to_owned()),
        (variables::JOB_MARK, job.to_owned()),
    ];
    env.extend(ours.into_iter().map(|(name, value)| json!({ "name": name, "value": value })));
    let mut container = json!({
        "name": CONTAINER,
        "image": params.image,
        "imagePullPolicy": match params.pull_policy {
            Pull::IfNotPresent => "IfNotPresent",
            Pull::Always => "Always",
            Pull::Never => "Never",
        },
        "env": env,
        "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
        // A change of CPU needs no restart.
        "resizePolicy": [{ "resourceName": "cpu", "restartPolicy": "NotRequired" }],
    });
    if !params.command.is_empty() {
        container["command"] = json!(params.command);
    }
    let mut resources = json!({});
    if 0.0 < params.cpu {
        resources["cpu"] = json!(format!("{}m", (params.cpu * 1000.0).round().max(1.0)));
    }
    if 0 < params.memory_mib {
        resources["memory"] = json!(format!("{}Mi", params.memory_mib));
    }
    if resources != json!({}) {
        container["resources"] = json!({ "requests": resources, "limits": resources });
    }
    let mut security = json!({ "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } });
    if params.run_as_user != 0 {
        security["runAsUser"] = json!(params.run_as_user);
    }
    let mut spec = json!({
        "restartPolicy": "Never",
        "readinessGates": [{ "conditionType": KEEP_GATE }],
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": params.grace_s.ceil() as i64,
        "securityContext": security,
        "containers": [container],
    });
    if !params.pull_secrets.is_empty() {
        spec["imagePullSecrets"] = params.pull_secrets.iter().map(|name| json!({ "name": name })).collect();
    }
    if !params.node_selector.is_empty() {
        spec["nodeSelector"] = json!(params.node_selector);
    }
    if !params.service_account.is_empty() {
        spec["serviceAccountName"] = json!(params.service_account);
    }
    if !params.priority_class.is_empty() {
        spec["priorityClassName"] = json!(params.priority_class);
    }
    let mut pod = json!({ "metadata": { "labels": labels(job, "worker") }, "spec": spec });
    // Checked with the other params; one that cannot be read changes nothing.
    overlay::merge(&mut pod, &overlay::read(&params.pod_overlay).unwrap_or_default());
    pod
}

/// What says that an object goes when its Job goes.
fn owned_by(job: &str, uid: &str) -> Value {
    json!([{ "apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": uid }])
}

/// A Service without selector: its way leads out of the cluster, to this server. Made before its Job, whose pods
/// are told its address; once the Job is there it is the owner.
pub fn service(job: &str, owner: Option<&str>) -> Value {
    let mut service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": service_name(job), "labels": labels(job, "queue") },
        "spec": { "ports": [{ "name": "redis", "port": REDIS_PORT, "protocol": "TCP", "targetPort": REDIS_PORT }] },
    });
    if let Some(uid) = owner {
        service["metadata"]["ownerReferences"] = owned_by(job, uid);
    }
    service
}

/// Where the Service leads: the job's own port of this server.
pub fn endpoints(job: &str, uid: &str, door: SocketAddr) -> Value {
    let mut labels = labels(job, "queue");
    labels["kubernetes.io/service-name"] = json!(service_name(job));
    labels["endpointslice.kubernetes.io/managed-by"] = json!("asperathos");
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": { "name": service_name(job), "labels": labels, "ownerReferences": owned_by(job, uid) },
        "addressType": if door.is_ipv4() { "IPv4" } else { "IPv6" },
        "endpoints": [{ "addresses": [door.ip().to_string()], "conditions": { "ready": true } }],
        "ports": [{ "name": "redis", "port": door.port(), "protocol": "TCP" }],
    })
}

/// Only the parallelism. Applying it to a Job that is not there would make one, but for the uid. A changed `nudge` makes the Job's controller try again at once what it could not do.
pub fn scale(job: &str, uid: &str, parallelism: usize, nudge: Option<u64>) -> Value {
    let mut scale = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": { "name": job, "uid": uid },
        "spec": { "parallelism": parallelism },
    });
    if let Some(count) = nudge {
        scale["metadata"]["annotations"] = json!({ "asperathos.io/tried": count.to_string() });
    }
    scale
}

/// Other CPU for a running pod. Asked for and at most, so that its class of service stays.
pub fn cpu(uid: &str, millicores: u32) -> Value {
    let cpu = json!({ "cpu": format!("{millicores}m") });
    let container = json!({ "name": CONTAINER, "resources": { "requests": cpu, "limits": cpu } });
    json!({ "metadata": { "uid": uid }, "spec": { "containers": [container] } })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::api::{batch::v1::Job, core::v1::Service, discovery::v1::EndpointSlice};

    use super::*;

    fn params() -> KubejobsParams {
        KubejobsParams {
            image: "localhost/worker:1".to_owned(),
            command: vec!["/worker".to_owned(), "--fast".to_owned()],
            env: BTreeMap::from([("COLOUR".to_owned(), "blue".to_owned())]),
            cpu: 0.25,
            memory_mib: 64,
            grace_s: 2.5,
            pull_secrets: vec!["registry".to_owned()],
            pod_overlay: r#"{"spec": {"tolerations": [{"operator": "Exists"}], "containers": [{"name": "worker", "workingDir": "/tmp"}]}}"#
                .to_owned(),
            ..KubejobsParams::default()
        }
    }

    #[test]
    fn every_object_is_one_that_kubernetes_knows() {
        let made: Job = serde_json::from_value(job(&params(), "kj-1", "10.96.0.7")).unwrap();
        let spec = made.spec.unwrap();
        assert_eq!((spec.parallelism, spec.completions), (None, Some(1_000_000)));
        let pod = spec.template.spec.unwrap();
        assert_eq!(pod.automount_service_account_token, Some(false));
        assert_eq!(pod.termination_grace_period_seconds, Some(3));
        assert_eq!(pod.readiness_gates.unwrap()[0].condition_type, KEEP_GATE);
        assert_eq!(pod.tolerations.unwrap().len(), 1);
        let worker = &pod.containers[0];
        assert_eq!(worker.working_dir.as_deref(), Some("/tmp"));
        let env: BTreeMap<&str, &str> =
            worker.env.iter().flatten().map(|variable| (variable.name.as_str(), variable.value.as_deref().unwrap())).collect();
        let wanted = [("COLOUR", "blue"), ("REDIS_HOST", "10.96.0.7"), ("REDIS_PORT", "6379"), ("REDIS_QUEUE", "job")];
        assert!(wanted.iter().all(|(name, value)| env[name] == *value), "{env:?}");
        let resources = worker.resources.clone().unwrap();
        assert_eq!(resources.limits.unwrap()["cpu"].0, "250m");
        assert_eq!(resources.requests.unwrap()["memory"].0, "64Mi");

        let way: Service = serde_json::from_value(service("kj-1", Some("u"))).unwrap();
        assert_eq!(way.metadata.owner_references.unwrap()[0].uid, "u");
        assert!(way.spec.unwrap().selector.is_none());
        let slice: EndpointSlice = serde_json::from_value(endpoints("kj-1", "u", "10.88.0.1:4711".parse().unwrap())).unwrap();
        assert_eq!((slice.endpoints[0].addresses[0].as_str(), slice.ports.unwrap()[0].port), ("10.88.0.1", Some(4711)));
    }

    #[test]
    fn pods_are_restricted_unless_they_are_told_otherwise() {
        let pod = pod(&params(), "kj-1", "10.96.0.7");
        assert_eq!(pod["spec"]["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["spec"]["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!(pod["spec"]["containers"][0]["securityContext"]["capabilities"]["drop"][0], "ALL");
        assert!(overlay::unsafe_parts(&pod).is_empty());
    }
}
