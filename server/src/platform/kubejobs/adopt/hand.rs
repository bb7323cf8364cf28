//! What is asked of the cluster for a Job that is somebody else's: to take it, to move its parallelism, and to give it
//! back as it was. What it was is written on the Job itself, so that any later server can give it back.

use k8s_openapi::api::batch::v1::Job;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::platform::kubejobs::{
    cluster::{Cluster, Kind, Trouble},
    template::{JOB_LABEL, MANAGER},
};

/// On a Job under control: a [`Note`].
const NOTE: &str = "asperathos.io/adopted";

/// By whom a Job was taken, and what it was before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Our job.
    pub job: String,
    pub parallelism: usize,
    /// Who had set that, as Kubernetes calls it.
    pub owner: Option<String>,
}

/// A Job as it is now.
#[derive(Debug, Clone)]
pub struct Now {
    pub uid: String,
    pub parallelism: usize,
    pub completions: Option<u64>,
    pub succeeded: u64,
    pub suspended: bool,
    /// Its controller starts nothing any more, and why; `None` inside: it is complete.
    pub over: Option<Option<String>>,
    pub note: Option<Note>,
    /// It is a job of ours, and no other's.
    pub ours: bool,
    whole: Job,
}

/// Asks about one Job.
pub struct Hand {
    name: String,
    cluster: Cluster,
    jobs: Api<Job>,
}

impl Hand {
    pub fn new(cluster: &Cluster, client: Client, namespace: &str, name: &str) -> Self {
        Self { name: name.to_owned(), cluster: cluster.clone(), jobs: Api::namespaced(client, namespace) }
    }

    /// `None` when there is no such Job.
    ///
    /// # Errors
    /// When the cluster refuses or does not answer.
    pub async fn look(&self) -> Result<Option<Now>, Trouble> {
        Ok(self.cluster.ask_if(self.jobs.get(&self.name)).await?.map(Now::of))
    }

    /// Writes the note on it, unless it changed since `now`.
    ///
    /// # Errors
    /// As `look`; `Conflict` when it changed.
    pub async fn take(&self, now: &Now, job: &str) -> Result<Note, Trouble> {
        let note = Note { job: job.to_owned(), parallelism: now.parallelism, owner: owner(&now.whole) };
        let text = serde_json::to_string(&note).unwrap_or_default();
        let patch = json!({ "metadata": { "resourceVersion": now.whole.metadata.resource_version, "annotations": { NOTE: text } } });
        self.cluster.ask(self.jobs.patch(&self.name, &by(MANAGER), &Patch::Merge(patch))).await?;
        Ok(note)
    }

    /// Sets the parallelism; answers with what it is then.
    ///
    /// # Errors
    /// As `look`; `Gone` when it is another Job by now.
    pub async fn scale(&self, uid: &str, to: usize) -> Result<usize, Trouble> {
        let patch = json!({ "metadata": { "uid": uid }, "spec": { "parallelism": to } });
        self.cluster.ask(self.jobs.patch(&self.name, &by(MANAGER), &Patch::Merge(patch))).await.map(|job| Now::of(job).parallelism)
    }

    /// Gives it back: parallelism and its owner as they were, no note, no trace of ours among those who set fields.
    /// One that is not there, or not ours to give, is given back already.
    ///
    /// # Errors
    /// As `take`.
    pub async fn give_back(&self, job: &str) -> Result<(), Trouble> {
        let Some(now) = self.look().await? else { return Ok(()) };
        let Some(note) = now.note.as_ref().filter(|note| note.job == job) else { return Ok(()) };
        let fields = serde_json::to_value(&now.whole.metadata.managed_fields).unwrap_or_default();
        let others: Vec<&Value> = fields.as_array().into_iter().flatten().filter(|entry| entry["manager"] != MANAGER).collect();
        let patch = json!({
            "metadata": {
                "resourceVersion": now.whole.metadata.resource_version,
                "annotations": { NOTE: null },
                "managedFields": others,
            },
            "spec": { "parallelism": note.parallelism },
        });
        let owner = note.owner.as_deref().unwrap_or("before-asperathos");
        match self.cluster.ask_if(self.jobs.patch(&self.name, &by(owner), &Patch::Merge(patch))).await {
            // It changed in between: whoever asked asks again.
            Err(trouble) if trouble.kind == Kind::Conflict => Err(Trouble { kind: Kind::Away, words: trouble.words }),
            other => other.map(drop),
        }
    }
}

fn by(manager: &str) -> PatchParams {
    PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() }
}

/// Who set the parallelism.
fn owner(job: &Job) -> Option<String> {
    let has = |entry: &&k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry| {
        entry.fields_v1.as_ref().is_some_and(|fields| fields.0["f:spec"].get("f:parallelism").is_some())
    };
    job.metadata.managed_fields.iter().flatten().find(has)?.manager.clone()
}

impl Now {
    fn of(whole: Job) -> Self {
        let number = |number: Option<i32>| number.and_then(|number| u64::try_from(number).ok());
        let (spec, status) = (whole.spec.clone().unwrap_or_default(), whole.status.clone().unwrap_or_default());
        let uncounted = status.uncounted_terminated_pods.and_then(|pods| pods.succeeded).map_or(0, |pods| pods.len() as u64);
        let indexed = spec.completion_mode.as_deref() == Some("Indexed");
        let is = |name: &str| status.conditions.iter().flatten().find(|condition| condition.type_ == name && condition.status == "True");
        let failed = is("Failed").or_else(|| is("FailureTarget"));
        let why = failed.map(|condition| condition.message.clone().or(condition.reason.clone()).unwrap_or_default());
        let complete = is("Complete").or_else(|| is("SuccessCriteriaMet")).is_some() || whole.metadata.deletion_timestamp.is_some();
        let annotation = whole.metadata.annotations.as_ref().and_then(|all| all.get(NOTE));
        Self {
            uid: whole.metadata.uid.clone().unwrap_or_default(),
            parallelism: number(spec.parallelism).map_or(1, |set| set as usize),
            completions: number(spec.completions),
            // Two pods of one index may be uncounted at once, and are one completion.
            succeeded: number(status.succeeded).unwrap_or(0) + if indexed { 0 } else { uncounted },
            suspended: spec.suspend == Some(true),
            over: why.map(Some).or_else(|| complete.then_some(None)),
            note: annotation.and_then(|text| serde_json::from_str(text).ok()),
            ours: whole.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(JOB_LABEL)),
            whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(spec: Value, status: Value) -> Now {
        let fields = json!([
            { "manager": "theirs", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": { "f:spec": { "f:parallelism": {} } } },
            { "manager": "controller", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": { "f:status": {} } },
        ]);
        let job = json!({ "metadata": { "name": "a", "uid": "u", "managedFields": fields }, "spec": spec, "status": status });
        Now::of(serde_json::from_value(job).unwrap())
    }

    #[test]
    fn a_job_tells_what_is_left_of_it() {
        let template = json!({ "spec": { "containers": [] } });
        let spec = |mode: &str| json!({ "completions": 9, "parallelism": 2, "completionMode": mode, "template": template });
        let status = json!({ "succeeded": 3, "uncountedTerminatedPods": { "succeeded": ["x", "y"] } });
        let plain = now(spec("NonIndexed"), status.clone());
        assert_eq!((plain.completions, plain.succeeded, plain.parallelism, &plain.over), (Some(9), 5, 2, &None));
        assert_eq!(now(spec("Indexed"), status).succeeded, 3);
        assert_eq!(owner(&plain.whole).as_deref(), Some("theirs"));
        let ended = |kind: &str| {
            let conditions = json!([{ "type": kind, "status": "True", "message": "too many" }]);
            now(spec("NonIndexed"), json!({ "conditions": conditions })).over
        };
        assert_eq!(ended("Complete"), Some(None));
        assert_eq!(ended("Failed"), Some(Some("too many".to_owned())));
        assert_eq!(ended("Suspended"), None);
    }
}
