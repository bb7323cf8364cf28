//! The whole story on the cluster, from the form to the results: with `asperathos worker`, and with a worker that was
//! written for the original system and knows nothing of this one.

use crate::cluster::{Cluster, all_done_once, failures, setting, until};
use crate::support::browser::{post_form, session};

/// The form for 90 items of a third of a second: three replicas, then one, then three.
async fn by_form(name: &str, work: &[(&str, &str)]) {
    let cluster = Cluster::new(name).await;
    let server = cluster.server().await;
    let cookie = session(&server).await;
    let items: Vec<String> = (0..90).map(|item| format!("item-{item}")).collect();
    let (items, image) = (items.join("\n"), setting("ASPERATHOS_TEST_WORKERS_IMAGE"));
    let mut fields = vec![
        ("name", name),
        ("platform.kind", "kubejobs"),
        ("platform.kubejobs.image", image.as_str()),
        ("platform.kubejobs.pull_policy", "never"),
        ("platform.kubejobs.grace_s", "5"),
        ("workload.source", "inline"),
        ("workload.items", items.as_str()),
        ("objective.deadline_s", "300"),
        ("replicas.min", "1"),
        ("replicas.max", "3"),
        ("replicas.initial", "3"),
        ("queue.max_attempts", "3"),
        ("loops.0.name", "script"),
        ("loops.0.interval_s", "1"),
        ("loops.0.controller.kind", "scripted"),
        ("loops.0.controller.scripted.script", "0: 3\n6: 1\n12: 3"),
        ("loops.0.actuator.kind", "k8s_replicas"),
        ("monitors.progress.on", "on"),
    ];
    fields.extend(work);
    let answer = post_form(&server, &cookie, &fields).await;
    let path = answer.url().path().to_owned();
    let job = path.strip_prefix("/jobs/").unwrap_or_else(|| panic!("{path}")).to_owned();
    cluster.pods_are(3, &server).await;
    cluster.pods_are(1, &server).await;
    cluster.pods_are(3, &server).await;
    server.wait(&job, &["completed"]).await;
    all_done_once(&server, &job, 90).await;
    assert_eq!(failures(&server, &job).await, Vec::<String>::new(), "{}", server.log());
    let mut results = String::new();
    until("all results are there", &server, async || {
        let request = server.client.get(server.url(&format!("/jobs/{job}/results.tsv"))).header("cookie", &cookie);
        results = request.send().await.unwrap().text().await.unwrap();
        results.matches("ITEM-").count() == 90
    })
    .await;
    assert!(results.contains("ITEM-89"), "{results}");
    cluster.end_empty(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn a_form_leads_to_results_by_pods_of_asperathos_worker() {
    let program = "import sys, time; time.sleep(0.33); print(sys.argv[1].upper())";
    let command = format!("/asperathos\nworker\n--\n/usr/bin/python3\n-c\n{program}\n{{item}}");
    by_form("form-own", &[("platform.kubejobs.command", &command)]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn a_form_leads_to_results_by_pods_of_a_python_worker_of_the_original() {
    by_form("form-python", &[("platform.kubejobs.env", "WORK_SECONDS=0.33")]).await;
}
