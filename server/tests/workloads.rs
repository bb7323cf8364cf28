//! Where items come from: the original's file rules where they matter, without its faults.

#![expect(clippy::unwrap_used, reason = "a test fails where its helper fails")]

mod support;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::{Value, json};
use support::{Server, echo_job};

/// A small web server on loopback that offers one good and some bad workloads.
async fn files() -> String {
    let routes = Router::new()
        .route("/items.txt", get(|| async { "first\r\nsecond\n\n  third  \nlast without an end" }))
        .route("/gone.txt", get(|| async { (StatusCode::NOT_FOUND, "<html>\nnot found\n</html>") }))
        .route("/signed-out.txt", get(|| async { axum::response::Html("<html>\nPlease sign in\n</html>") }))
        .route("/empty.txt", get(|| async { "\n\n" }))
        .route("/moved.txt", get(|| async { (StatusCode::FOUND, [("location", "http://169.254.169.254/")], "") }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}")
}

async fn texts(server: &Server, job: &str) -> Vec<String> {
    server.items(job).await.iter().map(|item| item["item"].as_str().unwrap().to_owned()).collect()
}

/// How many uploads the server keeps.
fn kept(server: &Server) -> usize {
    std::fs::read_dir(server.data.path().join("uploads")).unwrap().count()
}

fn from(workload: Value) -> Value {
    let mut job = echo_job(0, 0.0);
    job["workload"] = workload;
    job
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_gives_its_lines_in_order_and_the_last_one_too() {
    let (server, files) = (Server::start().await, files().await);
    let job = server.submit(&from(json!({ "source": "url", "url": format!("{files}/items.txt") }))).await;
    server.wait(&job, &["completed"]).await;
    assert_eq!(texts(&server, &job).await, ["first", "second", "  third  ", "last without an end"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_workload_never_becomes_items() {
    let (server, files) = (Server::start().await, files().await);
    for (path, why) in
        [("gone.txt", "404"), ("empty.txt", "no items"), ("moved.txt", "redirects"), ("signed-out.txt", "a web page"), ("", "404")]
    {
        let job = server.submit(&from(json!({ "source": "url", "url": format!("{files}/{path}") }))).await;
        let detail = server.wait(&job, &["failed", "completed"]).await;
        assert_eq!(detail["summary"]["phase"], "failed", "{path}");
        assert!(detail["summary"]["reason"].as_str().unwrap().contains(why), "{}", detail["summary"]);
        assert_eq!(detail["summary"]["items"]["total"], 0);
    }
    let job = server.submit(&from(json!({ "source": "url", "url": "http://127.0.0.1:1/" }))).await;
    let detail = server.wait(&job, &["failed"]).await;
    let reason = detail["summary"]["reason"].as_str().unwrap();
    assert!(reason.contains("could not fetch http://127.0.0.1:1/: no connection to it (Connection refused"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_streamed_and_used() {
    let server = Server::start().await;
    let upload = |body: String| {
        let request = server.client.post(server.url("/api/v1/uploads")).bearer_auth(server.token()).body(body);
        async { request.send().await.unwrap() }
    };
    let empty = upload(String::new()).await;
    assert_eq!(empty.status(), 422);
    let long = upload(format!("short\n{}\n", "x".repeat(2 << 20))).await;
    assert_eq!(long.status(), 422);
    assert!(long.text().await.unwrap().contains("line 2 of the workload is longer"));
    assert_eq!(kept(&server), 0);
    let lines: Vec<String> = (0..120).map(|line| format!("line {line}")).collect();
    let answer = upload(lines.join("\r\n")).await;
    assert_eq!(answer.status(), 201);
    let stored: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(stored["items"], 120);
    let job = server.submit(&from(json!({ "source": "upload", "upload": stored["upload"] }))).await;
    server.wait(&job, &["completed"]).await;
    assert_eq!(texts(&server, &job).await, lines);
}

/// Pages carry what was submitted: megabytes of typed items would travel with each.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_typed_list_becomes_an_upload() {
    let server = Server::start().await;
    let lines: Vec<String> = (0..400).map(|line| format!("{line} {}", "x".repeat(200))).collect();
    let job = server.submit(&from(json!({ "source": "inline", "items": lines }))).await;
    let detail = server.wait(&job, &["completed"]).await;
    assert_eq!(detail["spec"]["workload"]["source"], "upload", "{}", detail["spec"]["workload"]);
    assert_eq!(texts(&server, &job).await, lines);
    // Sent again, it is the same list.
    let again = server.submit(&from(detail["spec"]["workload"].clone())).await;
    server.wait(&again, &["completed"]).await;
    assert_eq!(texts(&server, &again).await, lines);
    // The file stays while a job refers to it.
    for (job, left) in [(job, 1), (again, 0)] {
        let deleted = server.client.delete(server.url(&format!("/api/v1/jobs/{job}"))).bearer_auth(server.token()).send().await.unwrap();
        assert!(deleted.status().is_success(), "{}", deleted.status());
        assert_eq!(kept(&server), left);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn checksums_of_a_folder_by_any_command() {
    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut names = Vec::new();
    for file in ["plain.txt", "with space.txt", "quote'd.txt"] {
        std::fs::write(folder.path().join(file), file).unwrap();
        names.push(folder.path().join(file).display().to_string());
    }
    let mut job = from(json!({ "source": "inline", "items": names }));
    job["platform"]["params"]["command"] = json!(["asperathos", "worker", "--", "sha256sum", "{item}"]);
    let id = server.submit(&job).await;
    server.wait(&id, &["completed"]).await;
    for (index, name) in names.iter().enumerate() {
        let expected = std::process::Command::new("sha256sum").arg(name).output().unwrap().stdout;
        assert_eq!(server.bytes(&format!("/jobs/{id}/results/{index}")).await, expected);
    }
}
