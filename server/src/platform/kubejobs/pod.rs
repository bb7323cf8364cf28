//! What is known of one pod, and the words for why it waits and how it ended.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition, PodStatus, ResourceRequirements};

use super::quantity::{amount, millicores};
use super::template::{CONTAINER, JOB_LABEL, KEEP_GATE, REPLICA_LABEL};
use crate::platform::Exit;

/// One pod, as the watch told it last.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub name: String,
    pub uid: String,
    pub job: String,
    /// The replica that it is, when it was claimed.
    pub replica: Option<String>,
    /// Rises with each change; 0 when it cannot be compared.
    pub version: u64,
    pub node: Option<String>,
    pub ip: Option<IpAddr>,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// Its worker runs, or did: there is something to read.
    pub started: bool,
    pub ready: bool,
    pub kept: bool,
    /// CPU that its worker may use now, in thousandths of a core; `None` without a limit.
    pub millicores: Option<u32>,
    /// CPU that its worker was given last; it may take a while until it may use that.
    pub given_millicores: Option<u32>,
    /// Memory that its worker may use; `None` without a limit.
    pub memory_bytes: Option<u64>,
    /// It was asked to go.
    pub leaving: bool,
    pub ended: Option<Exit>,
    /// Why it does not run yet, in a sentence.
    pub waits: Option<String>,
}

impl Seen {
    /// `None` for a pod that is no job's.
    pub fn of(pod: &Pod) -> Option<Self> {
        Self::by(pod, JOB_LABEL)
    }

    /// The pod of a job that bears its name in this label. In one that is not ours, the first container is the worker.
    pub fn by(pod: &Pod, job_label: &str) -> Option<Self> {
        let label = |name: &str| pod.metadata.labels.as_ref().and_then(|labels| labels.get(name)).cloned();
        let status = pod.status.clone().unwrap_or_default();
        let first = pod.spec.as_ref().and_then(|spec| spec.containers.first()).map(|container| container.name.clone());
        let worker_name = if job_label == JOB_LABEL { CONTAINER.to_owned() } else { first.unwrap_or_default() };
        let worker = status.container_statuses.iter().flatten().find(|container| container.name == worker_name);
        let state = worker.and_then(|worker| worker.state.as_ref());
        let asked = pod.spec.as_ref().and_then(|spec| spec.containers.iter().find(|container| container.name == worker_name));
        let asked = asked.and_then(|container| container.resources.as_ref());
        // What it has may differ from what was asked for, while a change is on its way.
        let has = worker.and_then(|worker| worker.resources.as_ref()).filter(|has| has.limits.is_some()).or(asked);
        Some(Self {
            name: pod.metadata.name.clone()?,
            uid: pod.metadata.uid.clone()?,
            job: label(job_label)?,
            replica: label(REPLICA_LABEL),
            version: pod.metadata.resource_version.as_ref().and_then(|version| version.parse().ok()).unwrap_or(0),
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
            ip: status.pod_ip.as_ref().and_then(|ip| ip.parse().ok()),
            created_at: pod.metadata.creation_timestamp.as_ref().map_or(0, |at| at.0.as_millisecond()),
            started: state.is_some_and(|state| state.running.is_some() || state.terminated.is_some()),
            ready: holds(&status, "Ready"),
            kept: holds(&status, KEEP_GATE),
            millicores: limit(has, "cpu").and_then(millicores),
            given_millicores: limit(asked, "cpu").and_then(millicores),
            memory_bytes: limit(has, "memory").and_then(amount).map(|bytes| bytes as u64),
            leaving: pod.metadata.deletion_timestamp.is_some(),
            ended: ended(&status, worker),
            waits: waits(&status),
        })
    }

    /// Neither ended nor asked to go: one of those that the Job's controller counts.
    pub fn lives(&self) -> bool {
        !self.leaving && self.ended.is_none()
    }
}

fn limit<'a>(resources: Option<&'a ResourceRequirements>, name: &str) -> Option<&'a str> {
    resources?.limits.as_ref()?.get(name).map(|limit| limit.0.as_str())
}

fn condition<'a>(status: &'a PodStatus, name: &str) -> Option<&'a PodCondition> {
    status.conditions.iter().flatten().find(|condition| condition.type_ == name)
}

fn holds(status: &PodStatus, name: &str) -> bool {
    condition(status, name).is_some_and(|condition| condition.status == "True")
}

/// How its worker ended. A pod without sidecars ends with it.
fn ended(status: &PodStatus, worker: Option<&ContainerStatus>) -> Option<Exit> {
    let whole = match status.phase.as_deref() {
        Some("Failed") => true,
        Some("Succeeded") => false,
        _ => return None,
    };
    match status.reason.as_deref() {
        Some("Evicted" | "Preempting" | "NodeLost" | "Shutdown" | "Terminated" | "NodeShutdown") => return Some(Exit::Evicted),
        Some("DeadlineExceeded") => return Some(Exit::Overdue),
        _ => {}
    }
    let terminated = worker.and_then(|worker| worker.state.as_ref()?.terminated.as_ref());
    Some(match terminated {
        Some(end) if end.reason.as_deref() == Some("OOMKilled") => Exit::OutOfMemory,
        Some(end) => match end.signal {
            Some(signal) if signal != 0 => Exit::Signal(signal),
            _ => Exit::Code(end.exit_code),
        },
        None if whole => Exit::Refused,
        None => Exit::Code(0),
    })
}

/// Why it does not run: what a person can do about it first.
fn waits(status: &PodStatus) -> Option<String> {
    if let Some(scheduled) = condition(status, "PodScheduled").filter(|scheduled| scheduled.status == "False") {
        let message = scheduled.message.clone().unwrap_or_default();
        return Some(format!("No node can take a pod: {}. Ask for less, choose other nodes, or add some.", sentence(&message)));
    }
    if let Some(resize) = condition(status, "PodResizePending").filter(|resize| resize.status == "True") {
        let said = sentence(resize.message.as_deref().unwrap_or_default());
        let said = if said.is_empty() { String::new() } else { format!(" ({said})") };
        return Some(match resize.reason.as_deref() {
            Some("Infeasible") => format!("A pod can never have the CPU that it was given{said}. Bound the loop on CPU lower."),
            _ => format!("A pod waits for more CPU than its node has free{said}. It gets it when there is room."),
        });
    }
    let containers = status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten());
    containers.into_iter().find_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        let said = sentence(waiting.message.as_deref().unwrap_or_default());
        let said = if said.is_empty() { String::new() } else { format!(" ({said})") };
        let image = &container.image;
        Some(match waiting.reason.as_deref()? {
            "ErrImagePull" | "ImagePullBackOff" => {
                format!("The image {image} cannot be pulled{said}. Check its name, and the pull secrets that open its registry.")
            }
            "ErrImageNeverPull" => {
                format!("The image {image} is not on the node, and the pull policy is never. Load it there, or let it be pulled.")
            }
            "InvalidImageName" => format!("{image} is not the name of an image."),
            "CreateContainerConfigError" => {
                format!("A container cannot be made{said}. Check the user, and the secrets and config maps that it names.")
            }
            "CreateContainerError" | "RunContainerError" | "StartError" => {
                format!("A container cannot be started{said}. Check the command: it must be a program in the image.")
            }
            "CrashLoopBackOff" => format!("A container of the pod crashes again and again{said}."),
            _ => return None,
        })
    })
}

/// What another program said, as a part of a sentence.
fn sentence(text: &str) -> String {
    const LONGEST: usize = 300;
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = one_line.chars().take(LONGEST).collect();
    short.trim_end_matches(['.', ' ']).to_owned()
}

/// What the controller said about pods that it could not make, in a sentence that says what to do.
pub fn not_made(message: &str) -> String {
    let said = sentence(message.strip_prefix("Error creating: ").unwrap_or(message));
    format!("Kubernetes makes no more pods: {said}. {}.", advice(&said))
}

/// What to do about pods that cannot be made, without its full stop.
pub fn advice(said: &str) -> &'static str {
    if said.contains("exceeded quota") {
        "Raise the quota of the namespace, or want fewer or smaller replicas"
    } else if said.contains("must specify") {
        "Set CPU and memory, as the namespace's quota asks for"
    } else if said.contains("PodSecurity") {
        "Change the pod overlay, or the pod security of the namespace"
    } else if said.contains("LimitRange") || said.contains("maximum") || said.contains("minimum") {
        "Change CPU or memory to what the namespace allows"
    } else if said.contains("serviceaccount") || said.contains("priority class") || said.contains("PriorityClass") {
        "Make it in the cluster, or name another"
    } else {
        "See the events of the Job"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn seen(status: Value) -> Seen {
        let pod = json!({
            "metadata": {"name": "kj-1-abcde", "uid": "u", "resourceVersion": "42", "labels": {JOB_LABEL: "kj-1", REPLICA_LABEL: "kj-1-r3"}},
            "status": status,
        });
        Seen::of(&serde_json::from_value(pod).unwrap()).unwrap()
    }

    fn worker(state: Value) -> Value {
        json!([{"name": "worker", "image": "localhost/w:1", "imageID": "", "ready": false, "restartCount": 0, "state": state}])
    }

    #[test]
    fn a_running_pod_tells_who_and_where_it_is() {
        let seen = seen(json!({
            "phase": "Running", "podIP": "10.88.0.7", "containerStatuses": worker(json!({"running": {}})),
            "conditions": [{"type": "Ready", "status": "True"}, {"type": KEEP_GATE, "status": "True"}],
        }));
        assert_eq!((seen.job.as_str(), seen.replica.as_deref(), seen.version), ("kj-1", Some("kj-1-r3"), 42));
        assert_eq!(seen.ip, Some("10.88.0.7".parse().unwrap()));
        assert!(seen.ready && seen.kept && seen.started && seen.lives() && seen.waits.is_none());
    }

    #[test]
    fn ends_are_told_apart() {
        let end = |phase: &str, terminated: Value| {
            seen(json!({"phase": phase, "containerStatuses": worker(json!({"terminated": terminated}))})).ended
        };
        assert_eq!(end("Succeeded", json!({"exitCode": 0, "reason": "Completed"})), Some(Exit::Code(0)));
        assert_eq!(end("Failed", json!({"exitCode": 3, "reason": "Error"})), Some(Exit::Code(3)));
        assert_eq!(end("Failed", json!({"exitCode": 137, "reason": "OOMKilled"})), Some(Exit::OutOfMemory));
        assert_eq!(end("Running", json!({"exitCode": 3})), None);
        assert_eq!(seen(json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"})).ended, Some(Exit::Evicted));
        assert_eq!(seen(json!({"phase": "Failed", "reason": "DeadlineExceeded"})).ended, Some(Exit::Overdue));
        assert_eq!(seen(json!({"phase": "Failed", "reason": "UnexpectedAdmissionError"})).ended, Some(Exit::Refused));
    }

    #[test]
    fn waiting_is_told_in_words_that_say_what_to_do() {
        let waits = |waiting: Value| seen(json!({"phase": "Pending", "containerStatuses": worker(json!({"waiting": waiting}))})).waits;
        assert_eq!(waits(json!({"reason": "ContainerCreating"})), None);
        let pull = waits(json!({"reason": "ImagePullBackOff", "message": "Back-off pulling image \"localhost/w:1\"."})).unwrap();
        assert_eq!(
            pull,
            "The image localhost/w:1 cannot be pulled (Back-off pulling image \"localhost/w:1\"). Check its name, and the pull secrets that open its registry."
        );
        let unschedulable = seen(json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient cpu."},
        ]}));
        assert_eq!(
            unschedulable.waits.unwrap(),
            "No node can take a pod: 0/1 nodes are available: 1 Insufficient cpu. Ask for less, choose other nodes, or add some."
        );
        let quota =
            not_made("Error creating: pods \"x\" is forbidden: exceeded quota: rq, requested: pods=1, used: pods=3, limited: pods=3");
        assert!(
            quota.starts_with("Kubernetes makes no more pods: pods \"x\" is forbidden: exceeded quota: rq, requested: pods=1"),
            "{quota}"
        );
        assert!(quota.ends_with("Raise the quota of the namespace, or want fewer or smaller replicas."));
    }
}
