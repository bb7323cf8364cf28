//! Asks a cluster whether it would take a job, before there is one: it plays it through and changes nothing. What it
//! would refuse is told by the field of the submission that it is about; what passes by itself is no refusal.

use control::plugin::FieldError;
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;

use super::{
    cluster::{Cluster, Kind, Trouble},
    params::KubejobsParams,
    pod::advice,
    template::{self, MANAGER},
};

/// How the API server says that somebody may make none.
const NO_PODS: &str = "cannot create resource";

/// A cluster that does not answer refuses nothing: the job waits for it.
///
/// # Errors
/// All that it would refuse, by the path in the platform's spec.
pub async fn rehearse(cluster: &Cluster, params: &KubejobsParams, job: &str) -> Result<(), Vec<FieldError>> {
    let client = cluster.client().await.map_err(|trouble| vec![FieldError::new(place(params), trouble.words)])?;
    let jobs = Api::<Job>::namespaced(client.clone(), &params.namespace);
    let pods = Api::<Pod>::namespaced(client, &params.namespace);
    let (as_job, as_pod) =
        (PatchParams { dry_run: true, ..PatchParams::apply(MANAGER) }, PostParams { dry_run: true, ..Default::default() });
    let whole = Patch::Apply(template::job(params, job, "127.0.0.1"));
    let mut one = template::pod(params, job, "127.0.0.1");
    one["metadata"]["name"] = json!(format!("{job}-rehearsal"));
    // What is no pod at all is told of the Job.
    let one = serde_json::from_value::<Pod>(one).ok();
    let of_pod = async {
        match &one {
            Some(pod) => cluster.ask(pods.create(&as_pod, pod)).await.map(drop),
            None => Ok(()),
        }
    };
    let (of_job, of_pod) = tokio::join!(cluster.ask(jobs.patch(job, &as_job, &whole)), of_pod);
    if let Err(trouble) = &of_pod
        && trouble.words.contains(NO_PODS)
    {
        tracing::warn!("job {job} was played through without a pod, so what a pod is refused for shows later: {}", trouble.words);
    }
    match (of_job.map(drop).map_err(|trouble| told_of_job(&trouble, params)), of_pod.map_err(|trouble| told_of_pod(&trouble, params))) {
        (Err(Some(error)), _) | (_, Err(Some(error))) => Err(vec![error]),
        _ => Ok(()),
    }
}

/// The field that says which cluster.
fn place(params: &KubejobsParams) -> &'static str {
    if params.cluster.is_some() { "params.cluster" } else { "kind" }
}

/// The field of what is known to nobody but the cluster.
fn rest(params: &KubejobsParams) -> &'static str {
    if params.pod_overlay.is_empty() { "kind" } else { "params.pod_overlay" }
}

fn told_of_job(trouble: &Trouble, params: &KubejobsParams) -> Option<FieldError> {
    let said = &trouble.words;
    if trouble.is_stranger() {
        return Some(FieldError::new(place(params), said));
    }
    let of_namespace = ["namespaces ", "is being terminated", "in the namespace"];
    match trouble.kind {
        Kind::Refused if of_namespace.iter().any(|words| said.contains(words)) => Some(FieldError::new("params.namespace", said)),
        // Somebody else's Job may be gone by then, and so may be what is too much now.
        Kind::Refused if !said.contains("exceeded quota") && !cannot_rehearse(said) => Some(FieldError::new(rest(params), said)),
        _ => None,
    }
}

/// Which right the server has is told of the Job: without that to make pods this is no rehearsal, and nothing is told.
fn told_of_pod(trouble: &Trouble, params: &KubejobsParams) -> Option<FieldError> {
    let said = &trouble.words;
    let unasked = [NO_PODS, "namespaces ", "is being terminated", "exceeded quota"];
    if trouble.kind != Kind::Refused || unasked.iter().any(|words| said.contains(words)) || cannot_rehearse(said) {
        return None;
    }
    let about = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let field = if about(&["serviceaccount", "service account"]) {
        // That of the namespace itself is made a moment after the namespace.
        (!params.service_account.is_empty()).then_some("params.service_account")?
    } else if about(&["PriorityClass", "priority class"]) {
        "params.priority_class"
    } else if about(&["PodSecurity"]) {
        rest(params)
    } else if about(&["must specify", "LimitRange", "maximum", "minimum", "limit to request"]) {
        if about(&["cpu"]) { "params.cpu" } else { "params.memory_mib" }
    } else {
        rest(params)
    };
    let said = said.trim_start_matches("The cluster does not let this server do it: ").trim_start_matches("The cluster refuses it: ");
    let said = said.split(". Give its account").next().unwrap_or(said).trim_end_matches('.');
    Some(FieldError::new(field, format!("No pod could be made: {said}. {}.", advice(said))))
}

/// Who admits objects may not know how to do so without effect.
fn cannot_rehearse(said: &str) -> bool {
    said.contains("dry run") || said.contains("dryRun")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(words: &str) -> Trouble {
        Trouble { kind: Kind::Refused, words: words.to_owned() }
    }

    #[test]
    fn what_a_cluster_refuses_is_told_by_its_field() {
        let params = KubejobsParams { service_account: "mine".to_owned(), ..KubejobsParams::default() };
        let pod = |said: &str| {
            told_of_pod(&refused(&format!("The cluster does not let this server do it: {said}. Give its account that right.")), &params)
        };
        for (said, field) in [
            (
                "pods \"x\" is forbidden: error looking up service account batch/mine: serviceaccount \"mine\" not found",
                "params.service_account",
            ),
            ("pods \"x\" is forbidden: no PriorityClass with name high was found", "params.priority_class"),
            ("pods \"x\" is forbidden: maximum cpu usage per Container is 500m, but limit is 1", "params.cpu"),
            ("pods \"x\" is forbidden: failed quota: rq: must specify requests.memory for: worker", "params.memory_mib"),
            ("pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot", "kind"),
        ] {
            let told = pod(said).unwrap();
            assert!(told.field == field && told.message.contains(said) && !told.message.contains("account that right"), "{told:?}");
        }
        for passes in ["pods is forbidden: User \"a\" cannot create resource \"pods\"", "pods \"x\" is forbidden: exceeded quota: rq"] {
            assert_eq!(pod(passes), None);
        }
        let job = |said: &str| told_of_job(&refused(said), &params).map(|error| error.field);
        assert_eq!(job("namespaces \"x\" not found in the cluster.").as_deref(), Some("params.namespace"));
        assert_eq!(
            job("cannot patch resource \"jobs\" in API group \"batch\" in the namespace \"x\"").as_deref(),
            Some("params.namespace")
        );
        assert_eq!(job("admission webhook \"a\" does not support dry run").as_deref(), None);
        assert_eq!(told_of_job(&Trouble { kind: Kind::Away, words: "no answer".to_owned() }, &params), None);
    }
}
