//! The flight recorder on a real job: killed, tuned and replayed.

#![expect(clippy::unwrap_used, reason = "a test fails where its helper fails")]

mod support;

use std::process::Output;
use std::time::Duration;

use serde_json::json;
use support::{Server, echo_job, programs};

fn replay(server: &Server, job: &str, more: &[&str]) -> Output {
    let mut command = std::process::Command::new(programs().join("asperathos"));
    command.args(["replay", job, "--server", &server.address, "--data"]).arg(server.data.path()).args(more);
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_decides_as_the_job_did_through_a_kill_and_a_tuning() {
    let mut server = Server::start().await;
    let mut body = echo_job(120, 0.15);
    body["loops"] = json!([{ "name": "pace", "metric": "progress_error", "controller": { "kind": "deadline", "params": {} } }]);
    body["objective"]["deadline_s"] = json!(20);
    let job = server.submit(&body).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    server.kill();
    server.launch().await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let tuned = json!({ "base_revision": 1, "params": { "guards": { "largest_step": 1 } } });
    let (status, answer) = server.post(&format!("/api/v1/jobs/{job}/loops/pace/tunings"), &tuned).await;
    assert_eq!(status, 202, "{answer}");
    server.wait(&job, &["completed"]).await;

    let same = said(&replay(&server, &job, &[]));
    assert!(same.contains("2 starts") && same.contains("every answer is the same"), "{same}");
    let told = said(&replay(&server, &job, &["--print", "inputs"]));
    assert_eq!(told.matches("\"retuned\"").count(), 1, "{told}");
    assert!(told.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    let answers = said(&replay(&server, &job, &["--print", "answers"]));
    assert_eq!(answers.lines().count(), told.lines().count());

    let other = said(&replay(&server, &job, &["--controller", "pid", "--max", "3"]));
    let rows: Vec<&str> = other.lines().collect();
    assert_eq!(rows.len(), 4, "{other}");
    assert!(rows[1].starts_with("as it was") && rows[1].contains("yes"), "{other}");

    let refused = replay(&server, &job, &["--controller", "pid", "--params", "{\"proportional_gain\": \"much\"}"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("proportional_gain"), "{}", String::from_utf8_lossy(&refused.stderr));
    let unknown = replay(&server, &job, &["--loop", "none"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("it has pace"), "{}", String::from_utf8_lossy(&unknown.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_job_with_the_same_program_knows_how_long_items_take() {
    let server = Server::start().await;
    let body = echo_job(20, 0.1);
    let first = server.submit(&body).await;
    server.wait(&first, &["completed"]).await;
    let second = server.submit(&body).await;
    server.wait(&second, &["completed"]).await;
    assert!(!said(&replay(&server, &first, &["--print", "inputs"])).contains("history"));
    let told = said(&replay(&server, &second, &["--print", "inputs"]));
    let seen: serde_json::Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    let history = &seen["seen"]["hints"]["history"];
    assert_eq!(history["jobs"], 1, "{seen}");
    assert!((100f64.ln()..1000f64.ln()).contains(&history["log_mean"].as_f64().unwrap()), "{seen}");
    let detail = server.get(&format!("/api/v1/jobs/{second}")).await;
    assert_eq!(detail["record"]["jobs"], 2, "{detail}");
}
