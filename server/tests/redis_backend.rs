//! Jobs whose queue is in a real redis-server: whole ones with workers of all kinds, through kills of the server and of
//! the Redis; and what a submission is told when its Redis is of no use.

#![expect(clippy::unwrap_used, reason = "a test fails where its helper fails")]

mod support;

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use support::redis_server::Redis;
use support::{Server, echo_job, processes_with};

/// No page, answer or log may hold it.
const PASSWORD: &str = "s3cret-of-the-queue";

fn on(redis: &Redis, mut body: Value) -> Value {
    body["queue"] = json!({ "backend": "redis", "url": redis.url(), "max_attempts": 20 });
    body
}

fn python(script: &str, items: usize) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples/python").join(script);
    let mut job = echo_job(items, 0.0);
    // Debian's own Python, which has Debian's redis client.
    job["platform"]["params"] = json!({ "command": ["/usr/bin/python3", file.display().to_string()], "env": { "WORK_SECONDS": "0.1" } });
    job["replicas"] = json!({ "min": 2, "max": 2, "initial": 2 });
    job
}

fn own(items: usize) -> Value {
    let mut job = echo_job(items, 0.1);
    job["replicas"] = json!({ "min": 2, "max": 2, "initial": 2 });
    job
}

async fn completes(server: &Server, job: &str, items: usize) -> Value {
    let detail = server.wait(job, &["completed", "failed"]).await;
    let counts = &detail["summary"]["items"];
    assert_eq!((&counts["done"], &counts["total"]), (&json!(items), &json!(items)), "{}\n{}", detail["summary"], detail["marks"]);
    assert_eq!(processes_with(job), Vec::<i32>::new());
    detail
}

/// Each item has the one result of its own.
async fn has_its_results(server: &Server, job: &str, items: usize) {
    for index in 0..items {
        let result = server.bytes(&format!("/jobs/{job}/results/{index}")).await;
        assert_eq!(String::from_utf8(result).unwrap(), format!("done item {index}\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_job_is_kept_in_a_redis_and_its_password_is_never_shown() {
    let redis = Redis::start_with(Some(PASSWORD));
    let server = Server::start().await;
    let job = server.submit(&on(&redis, own(30))).await;
    let detail = completes(&server, &job, 30).await;
    has_its_results(&server, &job, 30).await;
    assert!(!detail["marks"].to_string().contains("append-only"), "{}", detail["marks"]);
    let shown = redis.url().replace(&format!(":{PASSWORD}@"), "");
    assert_eq!(detail["spec"]["queue"], json!({ "backend": "redis", "url": shown, "max_attempts": 20, "order": "fifo" }));
    assert_eq!(redis.cli(&["HLEN", &format!("asperathos:{{{job}}}:results")]), "30");
    for path in [
        format!("/api/v1/jobs/{job}"),
        "/api/v1/jobs".to_owned(),
        format!("/jobs/{job}?tab=configuration"),
        format!("/jobs/{job}?tab=items"),
        format!("/submit?from={job}"),
        format!("/jobs/{job}/results.tsv"),
    ] {
        let bytes = server.bytes(&path).await;
        assert!(!bytes.is_empty() && !String::from_utf8_lossy(&bytes).contains(PASSWORD), "{path}");
    }
    assert!(!server.log().contains(PASSWORD));
    let (status, _) = server.post(&format!("/api/v1/jobs/{job}/dismiss"), &json!({})).await;
    assert_eq!(status, 202);
    let gone = server.client.delete(server.url(&format!("/api/v1/jobs/{job}"))).bearer_auth(server.token()).send().await.unwrap();
    assert_eq!(gone.status().as_u16(), 204);
    assert_eq!(redis.cli(&["DBSIZE"]), "0", "nothing is left of it");
    assert_eq!(std::fs::read_dir(server.data.path().join("secrets")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_three_kinds_share_a_redis_and_survive_kills_of_the_server() {
    let redis = Redis::start();
    let mut server = Server::start().await;
    let mut jobs = Vec::new();
    for body in [own(60), python("lease_worker.py", 60), python("naive_worker.py", 60)] {
        jobs.push(server.submit(&on(&redis, body)).await);
    }
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(900)).await;
        server.kill();
        server.launch().await;
    }
    for job in &jobs {
        let detail = completes(&server, job, 60).await;
        assert_eq!(detail["summary"]["phase"], "completed");
    }
    has_its_results(&server, &jobs[0], 60).await;
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_survive_kills_of_their_redis() {
    let mut redis = Redis::start();
    let server = Server::start().await;
    let mut jobs = Vec::new();
    for body in [own(60), python("lease_worker.py", 60), python("naive_worker.py", 60)] {
        jobs.push(server.submit(&on(&redis, body)).await);
    }
    for away_s in [0.1, 2.5] {
        tokio::time::sleep(Duration::from_millis(1200)).await;
        redis.kill();
        tokio::time::sleep(Duration::from_secs_f64(away_s)).await;
        redis.launch();
    }
    for job in &jobs {
        let detail = completes(&server, job, 60).await;
        assert_eq!(detail["summary"]["phase"], "completed");
        let marks = detail["marks"].as_array().unwrap();
        let blind = |mark: &Value| mark["text"].as_str().unwrap_or_default().starts_with("Blind: the Redis of the queue");
        assert!(marks.iter().any(blind), "{}", detail["marks"]);
        assert!(marks.iter().all(|mark| !mark["text"].as_str().unwrap_or_default().contains("ended: ")), "no worker was lost by it");
    }
    has_its_results(&server, &jobs[0], 60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_away_when_the_server_starts_is_waited_for() {
    let mut redis = Redis::start();
    let mut server = Server::start().await;
    let (kept, ended) = (server.submit(&on(&redis, own(40))).await, server.submit(&on(&redis, own(40))).await);
    tokio::time::sleep(Duration::from_millis(900)).await;
    server.kill();
    redis.kill();
    server.launch().await;
    let (status, said) = server.post(&format!("/api/v1/jobs/{kept}/suspend"), &json!({})).await;
    assert!(status == 409 && said.to_string().contains("Redis of its queue is away"), "{status} {said}");
    let items = server.get(&format!("/api/v1/jobs/{kept}/items")).await;
    assert!(items.to_string().contains("nothing listens there"), "{items}");
    let (status, said) = server.post(&format!("/api/v1/jobs/{ended}/terminate"), &json!({})).await;
    assert_eq!(status, 202, "{said}");
    server.wait(&ended, &["terminated"]).await;
    assert_eq!(processes_with(&ended), Vec::<i32>::new());
    redis.launch();
    completes(&server, &kept, 40).await;
    has_its_results(&server, &kept, 40).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_lost_its_data_fails_the_job_with_the_reason() {
    let redis = Redis::start();
    redis.cli(&["CONFIG", "SET", "appendonly", "no"]);
    let server = Server::start().await;
    let job = server.submit(&on(&redis, own(400))).await;
    tokio::time::sleep(Duration::from_millis(900)).await;
    let marks = server.get(&format!("/api/v1/jobs/{job}")).await["marks"].to_string();
    assert!(marks.contains("keeps no append-only file"), "told before it happens: {marks}");
    redis.cli(&["FLUSHALL"]);
    let detail = server.wait(&job, &["completed", "failed"]).await;
    let reason = detail["summary"]["reason"].as_str().unwrap_or_default();
    assert!(detail["summary"]["phase"] == "failed" && reason.contains("it holds nothing of this job any more"), "{}", detail["summary"]);
    assert_eq!(processes_with(&job), Vec::<i32>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_items_of_a_redis_are_retried() {
    let redis = Redis::start();
    let server = Server::start().await;
    let mut body = on(&redis, echo_job(3, 0.0));
    let flag = server.data.path().join("flag").display().to_string();
    body["queue"]["max_attempts"] = json!(1);
    body["platform"]["params"]["command"] =
        json!(["asperathos", "worker", "--", "sh", "-c", format!("test -e {flag} || exit 3; echo fine")]);
    let job = server.submit(&body).await;
    let detail = server.wait(&job, &["failed"]).await;
    assert_eq!(detail["summary"]["items"]["dead"], 3);
    assert!(server.items(&job).await[0]["error"].as_str().unwrap().contains("exit code 3"));
    std::fs::write(&flag, "").unwrap();
    let (status, answer) = server.post(&format!("/api/v1/jobs/{job}/items/retry"), &json!({})).await;
    assert_eq!((status, &answer["retried"]), (200, &json!(3)));
    completes(&server, &job, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_of_no_use_is_a_sentence_at_its_field() {
    let (redis, locked) = (Redis::start(), Redis::start_with(Some(PASSWORD)));
    let server = Server::start().await;
    let wrong = locked.url().replace(PASSWORD, "gu3ss");
    for (queue, says) in [
        (json!({ "backend": "redis" }), "is missing"),
        (json!({ "url": redis.url() }), "for the backend redis only"),
        (json!({ "backend": "redis", "url": "127.0.0.1:6379" }), "is not a URL"),
        (json!({ "backend": "redis", "url": "rediss://127.0.0.1" }), "TLS is not spoken"),
        (json!({ "backend": "redis", "url": "redis://169.254.169.254" }), "does not connect to"),
        (json!({ "backend": "redis", "url": "redis://127.0.0.1:1" }), "nothing listens there"),
        (json!({ "backend": "redis", "url": "redis://no-such-host.invalid" }), "cannot be found"),
        (json!({ "backend": "redis", "url": wrong }), "it refuses the name or password"),
        (json!({ "backend": "redis", "url": locked.url().replace(&format!(":{PASSWORD}@"), "") }), "it asks for a password"),
    ] {
        let mut body = echo_job(3, 0.0);
        body["queue"] = queue.clone();
        let (status, answer) = server.post("/api/v1/jobs", &body).await;
        assert_eq!((status, answer["errors"].as_array().map(Vec::len)), (422, Some(1)), "{queue} {answer}");
        let error = &answer["errors"][0];
        assert_eq!(error["field"], "queue.url", "{answer}");
        assert!(error["message"].as_str().unwrap().contains(says) && !answer.to_string().contains("gu3ss"), "{queue} {answer}");
    }
    assert!(server.get("/api/v1/jobs").await.as_array().unwrap().is_empty());
    assert!(!server.log().contains("gu3ss"));
    let catalog = server.get("/api/v1/catalog").await;
    let fields: Vec<&str> = catalog["queue"].as_array().unwrap().iter().map(|field| field["name"].as_str().unwrap()).collect();
    assert_eq!(fields, ["max_attempts", "order", "backend", "url"]);
}
