//! Workers in the original's contract, with the ordinary Python client, run unchanged.

#![expect(clippy::unwrap_used, reason = "a test fails where its helper fails")]

mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::{Server, processes_with};

fn python_job(script: &str, items: usize) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let lines: Vec<String> = (0..items).map(|item| format!("word {item}")).collect();
    json!({
        "name": script,
        "platform": { "kind": "local", "params": {
            // Debian's own, which has Debian's redis client.
            "command": ["/usr/bin/python3", root.join("examples/python").join(script).display().to_string()],
            "env": { "WORK_SECONDS": "0.05" },
        } },
        "workload": { "source": "inline", "items": lines.join("\n") },
        "objective": { "deadline_s": 30 },
        "replicas": { "min": 1, "max": 3, "initial": 3 },
        "queue": { "order": "lifo" },
    })
}

async fn completes(script: &str, kills: u32) {
    let mut server = Server::start().await;
    let job = server.submit(&python_job(script, 60)).await;
    for _ in 0..kills {
        tokio::time::sleep(std::time::Duration::from_millis(900)).await;
        server.kill();
        server.launch().await;
    }
    let detail = server.wait(&job, &["completed", "failed"]).await;
    assert_eq!(detail["summary"]["items"]["done"], 60, "{}\n{}", detail["summary"], detail["marks"]);
    assert!(server.items(&job).await.iter().all(|item| item["state"] == "done"));
    assert_eq!(processes_with(&job), Vec::<i32>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lease_worker_ends_with_every_item_counted_once() {
    completes("lease_worker.py", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_naive_worker_ends_with_every_item_counted_once() {
    completes("naive_worker.py", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lease_worker_survives_a_killed_server() {
    completes("lease_worker.py", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_naive_worker_survives_a_killed_server() {
    completes("naive_worker.py", 2).await;
}
