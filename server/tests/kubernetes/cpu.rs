//! CPU and memory of pods: read seldom, with their age; and changed while the pods run.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::cluster::{Cluster, failures, until, until_within};
use crate::support::Server;

/// The newest value of each series.
async fn newest(server: &Server, job: &str) -> BTreeMap<String, f64> {
    let detail = server.get(&format!("/api/v1/jobs/{job}")).await;
    let series = detail["series"].as_array().unwrap().iter();
    let last = |one: &Value| Some((one["name"].as_str()?.to_owned(), one["points"].as_array()?.last()?["last"].as_f64()?));
    series.filter_map(last).collect()
}

/// Texts and times of the marks of a loop's moves, oldest first.
async fn moves(server: &Server, job: &str) -> Vec<(i64, u64, u64, String)> {
    let detail = server.get(&format!("/api/v1/jobs/{job}")).await;
    let of_loop = |mark: &&Value| mark["loop_name"] == "cpu" && mark["decision"].is_object();
    let mut moves: Vec<_> = detail["marks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(of_loop)
        .map(|mark| {
            let decision = &mark["decision"];
            let text = mark["text"].as_str().unwrap().to_owned();
            (mark["at"].as_i64().unwrap(), decision["from"].as_u64().unwrap(), decision["to"].as_u64().unwrap(), text)
        })
        .collect();
    moves.sort_by_key(|(at, ..)| *at);
    moves
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn cpu_memory_and_cost_are_read_with_few_requests() {
    let cluster = Cluster::new("usage").await;
    let counted = cluster.counted().await;
    let server = Server::start_with(&counted.arguments()).await;
    let mut body = cluster.job(400, 0.0, &["0: 1"]);
    body["workload"]["items"] = (0..400).map(|item| format!("load:0.2:{item}")).collect();
    body["platform"]["params"]["cpu"] = json!(0.5);
    body["platform"]["params"]["memory_mib"] = json!(64);
    body["replicas"] = json!({ "min": 1, "max": 1, "initial": 1 });
    let cost = json!({ "kind": "cost", "params": { "price_replica_hour": 3600 } });
    body["monitors"] = json!([{ "kind": "progress" }, { "kind": "cpu" }, { "kind": "k8s_cpu" }, { "kind": "k8s_memory" }, cost]);
    let job = server.submit(&body).await;
    let begun = Instant::now();
    until("the pod is measured", &server, async || newest(&server, &job).await.contains_key("k8s_cpu_share")).await;
    eprintln!("measured {:.1} s after the submission: {:?}", begun.elapsed().as_secs_f64(), newest(&server, &job).await);
    tokio::time::sleep(Duration::from_secs(15)).await;

    let (before, from) = (counted.requests().await, Instant::now());
    let mut oldest = 0.0_f64;
    while from.elapsed() < Duration::from_secs(120) {
        let newest = newest(&server, &job).await;
        let age = newest["k8s_cpu_age"];
        oldest = oldest.max(age);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let asked = counted.requests().await - before;
    let ticks = from.elapsed().as_secs_f64();
    let newest = newest(&server, &job).await;
    eprintln!("{asked} requests in {ticks:.0} ticks of one job: {:.3} a tick; the oldest reading was {oldest:.0} s old", asked / ticks);
    eprintln!("{newest:?}");
    assert!(asked / ticks <= 0.05, "{asked} requests in {ticks:.0} ticks\n{}", server.log());
    assert!(oldest < 32.0, "{oldest}");
    assert!((0.1..0.3).contains(&newest["k8s_cpu"]), "{newest:?}");
    assert!((newest["k8s_cpu_share"] - newest["k8s_cpu"] / 0.5).abs() < 0.01, "{newest:?}");
    assert!(0.0 < newest["k8s_memory"] && (0.0..1.0).contains(&newest["k8s_memory_share"]), "{newest:?}");
    assert!((newest["cost_per_hour"] - 3600.0).abs() < 1e-6, "{newest:?}");
    let lived = begun.elapsed().as_secs_f64();
    assert!((newest["cost_so_far"] - lived).abs() < 10.0, "a replica costs one a second, for {lived:.0} s: {newest:?}");
    let detail = server.get(&format!("/api/v1/jobs/{job}")).await;
    let told = detail["marks"].as_array().unwrap().iter().filter_map(|mark| mark["text"].as_str());
    let told: Vec<&str> = told.filter(|text| text.starts_with("The CPU of the pods is read")).collect();
    assert!(told.len() == 1 && told[0].contains("from the kubelets"), "{told:?}");
    server.post(&format!("/api/v1/jobs/{job}/terminate"), &json!({})).await;
    server.wait(&job, &["terminated"]).await;
    assert_eq!(failures(&server, &job).await, Vec::<String>::new(), "{}", server.log());
    cluster.nothing_is_left(&server).await;
    counted.end().await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn where_kubelets_refuse_the_metrics_api_tells_and_says_how_old_it_is() {
    let cluster = Cluster::new("metrics").await;
    let account = cluster.account(false).await;
    let server = Server::start_with(&account.arguments()).await;
    let mut body = cluster.job(400, 0.0, &["0: 1"]);
    body["workload"]["items"] = (0..400).map(|item| format!("load:0.2:{item}")).collect();
    body["platform"]["params"]["cpu"] = json!(0.5);
    body["monitors"] = json!([{ "kind": "progress" }, { "kind": "k8s_cpu" }]);
    let job = server.submit(&body).await;
    let begun = Instant::now();
    until_within("the pod is measured", Duration::from_secs(90), &server, async || {
        newest(&server, &job).await.get("k8s_cpu").is_some_and(|cores| (0.1..0.3).contains(cores))
    })
    .await;
    eprintln!("measured {:.1} s after the submission: {:?}", begun.elapsed().as_secs_f64(), newest(&server, &job).await);
    let detail = server.get(&format!("/api/v1/jobs/{job}")).await;
    let told = detail["marks"].as_array().unwrap().iter().filter_map(|mark| mark["text"].as_str());
    let told: Vec<&str> = told.filter(|text| text.starts_with("The CPU of the pods is read")).collect();
    eprintln!("{told:?}");
    assert!(told.len() == 1 && told[0].contains("from the metrics API") && told[0].contains("nodes"), "{told:?}");
    server.post(&format!("/api/v1/jobs/{job}/terminate"), &json!({})).await;
    server.wait(&job, &["terminated"]).await;
    cluster.nothing_is_left(&server).await;
    account.end().await;
    cluster.end().await;
}

/// CPU that the job's pods have by their status, in thousandths of a core, with uid and restarts.
async fn pods(cluster: &Cluster) -> Vec<(String, i32, u32)> {
    let pods = cluster.api::<Pod>().list(&ListParams::default()).await.unwrap();
    let one = |pod: &Pod| {
        let worker = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
        let limit = worker.resources.as_ref()?.limits.as_ref()?.get("cpu")?.0.clone();
        let millicores = limit.strip_suffix('m').map_or_else(|| limit.parse::<u32>().ok().map(|cores| cores * 1000), |m| m.parse().ok())?;
        Some((pod.metadata.uid.clone()?, worker.restart_count, millicores))
    };
    pods.items.iter().filter_map(one).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: cargo xtask test --cluster"]
async fn one_loop_holds_cpu_at_70_percent_beside_one_on_progress_and_nothing_restarts() {
    let cluster = Cluster::new("resize").await;
    let server = cluster.server().await;
    let mut body = cluster.job(400, 0.0, &["0: 1", "45: 2"]);
    // Heavy at first, light after.
    let item = |item: usize| format!("load:{}:{item}", if item < 120 { 0.35 } else { 0.1 });
    body["workload"]["items"] = (0..400).map(item).collect();
    body["platform"]["params"]["cpu"] = json!(0.2);
    body["replicas"] = json!({ "min": 1, "max": 2, "initial": 1 });
    body["monitors"] = json!([{ "kind": "progress" }, { "kind": "cpu" }, { "kind": "k8s_cpu" }]);
    let law = json!({ "kind": "target", "params": { "target": 0.7, "scale_down_window_s": 0 } });
    let actuator = json!({ "kind": "k8s_cpu", "params": { "min": 0.05, "max": 0.8 } });
    let cpu = json!({ "name": "cpu", "metric": "k8s_cpu_share", "interval_s": 1, "controller": law, "actuator": actuator });
    body["loops"].as_array_mut().unwrap().push(cpu);
    let job = server.submit(&body).await;

    // How long after a decision the pod has it, by its own status.
    let (mut seen, mut latencies, mut shares, mut reached) = (0, Vec::new(), Vec::new(), Vec::new());
    let (begun, mut up, mut down) = (Instant::now(), false, false);
    let first = async || pods(&cluster).await;
    until("a pod runs", &server, async || !first().await.is_empty()).await;
    let (uid, ..) = first().await[0].clone();
    while !(up && down) {
        assert!(begun.elapsed() < Duration::from_secs(240), "{:?}\n{}", moves(&server, &job).await, server.log());
        let moves = moves(&server, &job).await;
        if let Some((at, from, to, text)) = moves.get(seen) {
            eprintln!("{:5.1} s: {from} → {to}. {text}", begun.elapsed().as_secs_f64());
            until("the pod has it", &server, async || first().await.iter().any(|pod| u64::from(pod.2) == *to)).await;
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
            latencies.push(now - at);
            seen += 1;
        }
        let newest = newest(&server, &job).await;
        if let Some(share) = newest.get("k8s_cpu_share") {
            shares.push((begun.elapsed().as_secs_f64(), *share));
        }
        let held = newest.get("k8s_cpu_share").is_some_and(|share| (0.6..0.8).contains(share));
        let now = first().await;
        up |= held && now.iter().any(|pod| (440..=620).contains(&pod.2));
        down |= up && held && now.iter().any(|pod| (120..=180).contains(&pod.2));
        if (up && reached.is_empty()) || down {
            let share = newest["k8s_cpu_share"];
            reached.push(format!(
                "after {:.0} s {} thousandths of a core, {share:.2} of them used",
                begun.elapsed().as_secs_f64(),
                now[0].2
            ));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let last = first().await;
    eprintln!("decision → the pod's status says so, with the looks of this test: {latencies:?} ms");
    // `cargo xtask bench kubernetes` takes these lines over.
    latencies.sort_unstable();
    let restarts: i32 = last.iter().map(|pod| pod.1).sum();
    eprintln!("| changes of CPU, and restarts of pods | {} and {restarts} |", latencies.len());
    eprintln!(
        "| decision → the pod's status, median and longest | {} and {} ms |",
        latencies[latencies.len() / 2],
        latencies[latencies.len() - 1]
    );
    eprintln!("| heavy items, 0.7 ± 0.1 is wanted | {} |\n| light items, the same | {} |", reached[0], reached[1]);
    eprintln!("shares: {:?}", shares.iter().step_by(100).collect::<Vec<_>>());
    assert!(last.iter().any(|pod| pod.0 == uid), "the first pod is still the same: {last:?}");
    assert!(last.iter().all(|(_, restarts, _)| *restarts == 0), "{last:?}");
    // Both loops moved what is theirs.
    let replicas = server.get(&format!("/api/v1/jobs/{job}")).await["summary"]["replicas"].clone();
    assert_eq!(replicas["wanted"], 2, "{replicas}");
    until("the second pod has the same", &server, async || {
        let pods = first().await;
        pods.len() == 2 && pods[0].2 == pods[1].2
    })
    .await;
    server.post(&format!("/api/v1/jobs/{job}/terminate"), &json!({})).await;
    server.wait(&job, &["terminated"]).await;
    assert_eq!(failures(&server, &job).await, Vec::<String>::new(), "{}", server.log());
    cluster.end_empty(&server).await;
}
