//! One right less than the chart gives: something fails, and the server says in a sentence which right it wants.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::rbac::v1::Role;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::chart::{NAME, Right, rendered, rights};
use crate::cluster::{Cluster, running, until};
use crate::support::Server;

/// Of the words in which the API server refuses it.
fn refusal((verb, resource): &Right) -> String {
    let (group, name) = resource.split_once('/').unwrap_or(("", resource));
    // `pods/log` is a part of a resource, `batch/jobs` one of a group.
    let name = if ["pods", "nodes"].contains(&group) {
        resource
    } else if group.is_empty() {
        resource.as_str()
    } else {
        name
    };
    format!("cannot {verb} resource {name} ")
}

/// All that the server has said of a job, without quotes.
async fn words(server: &Server, job: &str) -> String {
    let detail = server.get(&format!("/api/v1/jobs/{job}")).await;
    unquoted(&format!("{detail}\n{}", server.log()))
}

fn unquoted(text: &str) -> String {
    text.replace(['"', '\\'], "")
}

/// A role without one of its rights.
fn without(role: &Value, (verb, resource): &Right) -> Value {
    let rule_of = |rule: &Value| rights(&[json!({ "rules": [rule] })]).iter().any(|(_, named)| named == resource);
    let mut rules = role["rules"].clone();
    for rule in rules.as_array_mut().unwrap().iter_mut().filter(|rule| rule_of(rule)) {
        rule["verbs"].as_array_mut().unwrap().retain(|left| left != verb);
    }
    rules.as_array_mut().unwrap().retain(|rule| !rule["verbs"].as_array().unwrap().is_empty());
    rules
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn one_right_less_fails_and_is_named_in_a_sentence() {
    let cluster = Cluster::new("rights").await;
    let account = cluster.account(false).await;
    let role = rendered(&cluster.namespace, "templates/rights.yaml", &[]).into_iter().find(|object| object["kind"] == "Role").unwrap();
    let all = rights(std::slice::from_ref(&role));
    let mut silent = BTreeSet::new();
    for right in &all {
        let rules = without(&role, right);
        assert_eq!(rights(&[json!({ "rules": rules })]).len() + 1, all.len(), "{right:?}");
        cluster.api::<Role>().patch(NAME, &PatchParams::default(), &Patch::Merge(json!({ "rules": rules }))).await.unwrap();
        let begun = Instant::now();
        if !said_by_a_job(&cluster, &account.arguments(), right).await {
            silent.insert(right.clone());
        }
        eprintln!("without {right:?}: {:.1} s", begun.elapsed().as_secs_f64());
    }
    assert!(silent.is_empty(), "nothing was said of {silent:?}");
    account.end().await;
    cluster.end().await;
}

/// A job that would use every right, with a server of its own.
async fn said_by_a_job(cluster: &Cluster, arguments: &[&str], right: &Right) -> bool {
    let server = Server::start_with(arguments).await;
    let mut body = cluster.job(200, 3.0, &["0: 2", "5: 1"]);
    body["platform"]["params"]["cpu"] = json!(0.05);
    body["monitors"] = json!([{ "kind": "progress" }, { "kind": "k8s_cpu" }]);
    let cpu = json!({ "name": "cpu", "metric": "progress", "interval_s": 1,
        "controller": { "kind": "scripted", "params": { "script": ["0: 60"] } },
        "actuator": { "kind": "k8s_cpu", "params": { "min": 0.01, "max": 0.2 } } });
    body["loops"].as_array_mut().unwrap().push(cpu);
    let refusal = refusal(right);
    let (status, answer) = server.post("/api/v1/jobs", &body).await;
    if status != 202 {
        // The job was played through before it was taken.
        return unquoted(&answer.to_string()).contains(&refusal);
    }
    let job = answer["job_id"].as_str().unwrap().to_owned();
    let (deletes, from) = (right.0 == "delete", Instant::now());
    if deletes {
        until("two replicas run", &server, async || running(&server, &job).await.0 == 2).await;
        server.post(&format!("/api/v1/jobs/{job}/terminate"), &json!({})).await;
    }
    let mut said = false;
    // Loops on CPU wait for the metrics API, which is slow to know new pods.
    while !said && from.elapsed() < Duration::from_secs(120) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        said = words(&server, &job).await.contains(&refusal);
    }
    drop(server);
    let _ = cluster.api::<Job>().delete_collection(&DeleteParams::background(), &ListParams::default()).await;
    said
}
