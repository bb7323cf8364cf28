//! What is asked of the cluster for one job, each question safe to ask twice.

use std::net::SocketAddr;

use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{Pod, Service},
    discovery::v1::EndpointSlice,
};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use serde_json::json;

use super::{
    cluster::{Cluster, Kind, Trouble},
    params::KubejobsParams,
    pod::Seen,
    template::{self, JOB_LABEL, KEEP_GATE, MANAGER, REPLICA_LABEL, SCALER},
};

/// The Job as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    pub uid: String,
    pub parallelism: usize,
}

/// Asks for one job.
pub struct Asks {
    job: String,
    cluster: Cluster,
    jobs: Api<Job>,
    pods: Api<Pod>,
    services: Api<Service>,
    slices: Api<EndpointSlice>,
}

impl Asks {
    pub fn new(cluster: &Cluster, client: &Client, namespace: &str, job: &str) -> Self {
        Self {
            job: job.to_owned(),
            cluster: cluster.clone(),
            jobs: Api::namespaced(client.clone(), namespace),
            pods: Api::namespaced(client.clone(), namespace),
            services: Api::namespaced(client.clone(), namespace),
            slices: Api::namespaced(client.clone(), namespace),
        }
    }

    /// The Job with its way to the queue, made or as it is.
    ///
    /// # Errors
    /// When the cluster refuses or does not answer; what is there already stays.
    pub async fn ensure(&self, params: &KubejobsParams, door: SocketAddr) -> Result<Made, Trouble> {
        let apply = PatchParams::apply(MANAGER).force();
        let name = template::service_name(&self.job);
        let known = self.cluster.ask_if(self.jobs.get(&self.job)).await?;
        if known.as_ref().is_some_and(|known| !self.is_ours(known)) {
            return Err(self.clash("Job", &self.job));
        }
        if let Some(known) = known.as_ref().filter(|known| known.metadata.deletion_timestamp.is_some() || finished(known)) {
            if known.metadata.deletion_timestamp.is_none() {
                self.remove_job().await?;
            }
            let words = "The Kubernetes Job of before is still on its way out; a new one is made when it is gone.".to_owned();
            return Err(Trouble { kind: Kind::Conflict, words });
        }
        let made = match known {
            // Its template cannot change any more, and it leads to the Service of its first day.
            Some(known) => known,
            None => {
                // Not by force: what others have of it is not ours to take.
                let gently = PatchParams::apply(MANAGER);
                let service = Patch::Apply(template::service(&self.job, None));
                let service = self.cluster.ask(self.services.patch(&name, &gently, &service)).await;
                let service =
                    service.map_err(|trouble| if trouble.kind == Kind::Owned { self.clash("Service", &name) } else { trouble })?;
                let host = service.spec.and_then(|spec| spec.cluster_ip).unwrap_or_default();
                self.cluster.ask(self.jobs.patch(&self.job, &apply, &Patch::Apply(template::job(params, &self.job, &host)))).await?
            }
        };
        let uid = made.metadata.uid.clone().unwrap_or_default();
        let (service, slice) = (template::service(&self.job, Some(&uid)), template::endpoints(&self.job, &uid, door));
        let (service, slice) = (Patch::Apply(service), Patch::Apply(slice));
        tokio::try_join!(
            self.cluster.ask(self.services.patch(&name, &apply, &service)),
            self.cluster.ask(self.slices.patch(&name, &apply, &slice))
        )?;
        Ok(Made { uid, parallelism: parallelism(&made) })
    }

    /// Writes a replica's name on a pod.
    ///
    /// # Errors
    /// As `ensure`; `Gone` or `Conflict` when it is another pod by now.
    pub async fn claim(&self, pod: &Seen, replica: &str) -> Result<Option<Seen>, Trouble> {
        let patch = json!({ "metadata": { "uid": pod.uid, "labels": { REPLICA_LABEL: replica } } });
        self.cluster.ask(self.pods.patch(&pod.name, &PatchParams::default(), &Patch::Merge(patch))).await.map(|pod| Seen::of(&pod))
    }

    /// Turns a pod's readiness gate.
    ///
    /// # Errors
    /// As `claim`.
    pub async fn gate(&self, pod: &Seen, on: bool) -> Result<Option<Seen>, Trouble> {
        let status = if on { "True" } else { "False" };
        let patch = json!({ "metadata": { "uid": pod.uid }, "status": { "conditions": [{ "type": KEEP_GATE, "status": status }] } });
        self.cluster
            .ask(self.pods.patch_status(&pod.name, &PatchParams::default(), &Patch::Strategic(patch)))
            .await
            .map(|pod| Seen::of(&pod))
    }

    /// Gives a running pod other CPU, in thousandths of a core.
    ///
    /// # Errors
    /// As `claim`; `Refused` also where the cluster has no such request.
    pub async fn resize(&self, pod: &Seen, millicores: u32) -> Result<Option<Seen>, Trouble> {
        let (how, patch) = (PatchParams::default(), Patch::Strategic(template::cpu(&pod.uid, millicores)));
        let resized = self.pods.patch_subresource("resize", &pod.name, &how, &patch);
        self.cluster.ask(resized).await.map(|pod| Seen::of(&pod)).map_err(|trouble| {
            if trouble.kind != Kind::Gone || !trouble.words.contains("requested resource") {
                return trouble;
            }
            let words = "This cluster cannot change the CPU of running pods; Kubernetes 1.33 and later can. They keep what they have.";
            Trouble { kind: Kind::Refused, words: words.to_owned() }
        })
    }

    /// Sets the parallelism; answers with what it is then. Whoever else set it is overruled, and that is logged.
    ///
    /// # Errors
    /// As `ensure`; `Gone` when the Job is not there, or has ended.
    pub async fn scale(&self, made: &Made, to: usize, nudge: Option<u64>) -> Result<usize, Trouble> {
        let scale = Patch::Apply(template::scale(&self.job, &made.uid, to, nudge));
        let mine = PatchParams::apply(SCALER);
        let gone = || Trouble { kind: Kind::Gone, words: "The Kubernetes Job is gone or has ended; a new one is made.".to_owned() };
        let mut applied = self.cluster.ask(self.jobs.patch(&self.job, &mine, &scale)).await;
        if let Err(Trouble { kind: Kind::Owned, words }) = &applied {
            tracing::warn!("job {}: its parallelism was set by somebody else and is taken back: {words}", self.job);
            applied = self.cluster.ask(self.jobs.patch(&self.job, &mine.force(), &scale)).await;
        }
        match applied {
            Ok(job) if job.metadata.deletion_timestamp.is_some() || finished(&job) => Err(gone()),
            Ok(job) => Ok(parallelism(&job)),
            // Its uid is none that is there.
            Err(trouble) if trouble.kind == Kind::Conflict => Err(gone()),
            Err(trouble) => Err(trouble),
        }
    }

    /// How many pods the Job's controller has counted, and how many of them as ready.
    ///
    /// # Errors
    /// As `ensure`; `Gone` when the Job is not there.
    pub async fn look(&self) -> Result<(usize, usize), Trouble> {
        let status = self.cluster.ask(self.jobs.get(&self.job)).await?.status.unwrap_or_default();
        let count = |number: Option<i32>| number.and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
        Ok((count(status.active), count(status.ready)))
    }

    /// Deletes one pod with so many seconds of grace.
    ///
    /// # Errors
    /// As `claim`. One that is gone already is none.
    pub async fn delete(&self, pod: &Seen, grace_s: u32) -> Result<Option<Seen>, Trouble> {
        let this = Preconditions { uid: Some(pod.uid.clone()), ..Preconditions::default() };
        let how = DeleteParams::default().grace_period(grace_s).preconditions(this);
        let deleted = self.cluster.ask_if(self.pods.delete(&pod.name, &how)).await?;
        Ok(deleted.and_then(|deleted| deleted.left()).and_then(|pod| Seen::of(&pod)))
    }

    /// Deletes the Job and what leads to its queue. Its pods follow.
    ///
    /// # Errors
    /// As `ensure`.
    pub async fn remove(&self) -> Result<(), Trouble> {
        let name = template::service_name(&self.job);
        let how = DeleteParams::background();
        self.remove_job().await?;
        self.cluster.ask_if(self.services.delete(&name, &how)).await?;
        self.cluster.ask_if(self.slices.delete(&name, &how)).await?;
        Ok(())
    }

    /// One of this name that is somebody else's stays.
    async fn remove_job(&self) -> Result<(), Trouble> {
        let known = self.cluster.ask_if(self.jobs.get(&self.job)).await?;
        let Some(known) = known.filter(|known| self.is_ours(known)) else { return Ok(()) };
        let this = Preconditions { uid: known.metadata.uid, ..Preconditions::default() };
        self.cluster.ask_if(self.jobs.delete(&self.job, &DeleteParams::background().preconditions(this))).await.map(drop)
    }

    fn is_ours(&self, known: &Job) -> bool {
        known.metadata.labels.as_ref().and_then(|labels| labels.get(JOB_LABEL)) == Some(&self.job)
    }

    fn clash(&self, kind: &str, name: &str) -> Trouble {
        let words = format!(
            "There is a {kind} {name} in the namespace already, and it is not of this server: it is left alone. Remove it, and this job begins."
        );
        Trouble { kind: Kind::Refused, words }
    }
}

fn parallelism(job: &Job) -> usize {
    let set = job.spec.as_ref().and_then(|spec| spec.parallelism);
    set.and_then(|set| usize::try_from(set).ok()).unwrap_or(1)
}

/// Its controller starts no more pods, whatever its parallelism: deadline, success policy, or by hand.
fn finished(job: &Job) -> bool {
    const ENDS: [&str; 4] = ["Complete", "Failed", "SuccessCriteriaMet", "FailureTarget"];
    let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.status == "True" && ENDS.contains(&condition.type_.as_str()))
}
