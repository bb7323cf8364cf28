//! Bad submissions: one answer, each problem at its field, nothing created. Strangers are refused.

#![expect(clippy::unwrap_used, reason = "a test fails where its helper fails")]

mod support;

use serde_json::{Value, json};
use support::Server;
use support::browser::{post_form, session};

fn good() -> Value {
    json!({
        "name": "good",
        "platform": { "kind": "local", "params": { "command": ["true"] } },
        "workload": { "source": "inline", "items": "a\nb" },
        "objective": { "deadline_s": 60 },
        "replicas": { "min": 1, "max": 2, "initial": 1 },
        "monitors": [{ "kind": "progress" }, { "kind": "cpu" }],
        "loops": [{ "name": "pace", "metric": "progress_error", "interval_s": 1, "controller": { "kind": "pid", "params": {} }, "actuator": { "kind": "local_replicas", "params": {} } }],
        "queue": { "max_attempts": 3, "order": "fifo" },
    })
}

/// Sets or removes (null marker "REMOVE") the value at a pointer.
fn with(pointer: &str, value: Value) -> Value {
    let mut body = good();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap();
    match parent {
        Value::Array(list) => list[name.parse::<usize>().unwrap()] = value,
        _ if value == json!("REMOVE") => {
            parent.as_object_mut().unwrap().remove(name);
        }
        _ => parent[name] = value,
    }
    body
}

/// Each bad body with the field that must be named.
fn bad() -> Vec<(Value, &'static str)> {
    let long = "x".repeat(121);
    let many: Vec<Value> = (0..17).map(|_| json!({ "kind": "cpu" })).collect();
    vec![
        (json!([]), ""),
        (json!("text"), ""),
        (json!(7), ""),
        (json!(null), ""),
        (with("/name", json!("REMOVE")), "name"),
        (with("/name", json!("")), "name"),
        (with("/name", json!(" \u{2003} ")), "name"),
        (with("/name", json!(long)), "name"),
        (with("/name", json!(["a"])), "name"),
        (with("/name", json!({})), "name"),
        (with("/nonsense", json!(1)), "nonsense"),
        (with("/platform", json!("REMOVE")), "platform"),
        (with("/platform", json!("local")), "platform"),
        (with("/platform", json!([])), "platform"),
        (with("/platform/kind", json!("REMOVE")), "platform.kind"),
        (with("/platform/kind", json!("mainframe")), "platform.kind"),
        (with("/platform/kind", json!(3)), "platform.kind"),
        (with("/platform/extra", json!(3)), "platform.extra"),
        (with("/monitors/1/kind", json!("k8s_cpu")), "monitors.1.kind"),
        (with("/loops/0/actuator/kind", json!("k8s_cpu")), "loops.0.actuator.kind"),
        (with("/platform/params", json!([])), "platform.params"),
        (with("/platform/params/command", json!("REMOVE")), "platform.params.command"),
        (with("/platform/params/command", json!([])), "platform.params.command"),
        (with("/platform/params/command", json!(["no-such-program-anywhere"])), "platform.params.command"),
        (with("/platform/params/command", json!({ "a": 1 })), "platform.params.command"),
        (with("/platform/params/working_dir", json!("/no/such/folder")), "platform.params.working_dir"),
        (with("/platform/params/grace_s", json!(-1)), "platform.params.grace_s"),
        (with("/platform/params/grace_s", json!("soon")), "platform.params.grace_s"),
        (with("/platform/params/nonsense", json!(1)), "platform.params.nonsense"),
        (with("/platform/params/env", json!({ "REDIS_HOST": "x" })), "platform.params.env"),
        (with("/platform/params/env", json!({ "A=B": "x" })), "platform.params.env"),
        (with("/platform/params/env", json!("just text")), "platform.params.env"),
        (with("/workload", json!("REMOVE")), "workload"),
        (with("/workload", json!("a b c")), "workload"),
        (with("/workload", json!({})), "workload.source"),
        (with("/workload", json!({ "source": "ftp" })), "workload.source"),
        (with("/workload/items", json!("REMOVE")), "workload.items"),
        (with("/workload/items", json!("")), "workload.items"),
        (with("/workload/items", json!("\n\n")), "workload.items"),
        (with("/workload/items", json!([])), "workload.items"),
        (with("/workload/items", json!(["a", 2])), "workload.items.1"),
        (with("/workload/items", json!(["a\nb"])), "workload.items.0"),
        (with("/workload/items", json!(5)), "workload.items"),
        (with("/workload/url", json!("http://127.0.0.1/")), "workload.url"),
        (with("/workload", json!({ "source": "url", "url": "" })), "workload.url"),
        (with("/workload", json!({ "source": "url", "url": "items.txt" })), "workload.url"),
        (with("/workload", json!({ "source": "url", "url": "file:///etc/passwd" })), "workload.url"),
        (with("/workload", json!({ "source": "url", "url": "http://169.254.169.254/latest" })), "workload.url"),
        (with("/workload", json!({ "source": "url", "url": "http://[fe80::1]/" })), "workload.url"),
        (with("/workload", json!({ "source": "upload", "upload": "../../etc/passwd" })), "workload.upload"),
        (with("/workload", json!({ "source": "upload", "upload": "01ARZ3NDEKTSV4RRFFQ69G5FAV" })), "workload.upload"),
        (with("/objective", json!("REMOVE")), "objective.deadline_s"),
        (with("/objective/deadline_s", json!("REMOVE")), "objective.deadline_s"),
        (with("/objective/deadline_s", json!(0)), "objective.deadline_s"),
        (with("/objective/deadline_s", json!(-60)), "objective.deadline_s"),
        (with("/objective/deadline_s", json!("NaN")), "objective.deadline_s"),
        (with("/objective/deadline_s", json!("inf")), "objective.deadline_s"),
        (with("/objective/deadline_s", json!("tomorrow")), "objective.deadline_s"),
        (with("/objective/deadline_s", json!(1e12)), "objective.deadline_s"),
        (with("/objective/budget", json!(1)), "objective.budget"),
        (with("/replicas/min", json!(0)), "replicas.min"),
        (with("/replicas/min", json!(9)), "replicas.min"),
        (with("/replicas/max", json!(100_000)), "replicas.max"),
        (with("/replicas/max", json!(1.5)), "replicas.max"),
        (with("/replicas/initial", json!(5)), "replicas.initial"),
        (with("/replicas/initial", json!(true)), "replicas.initial"),
        (with("/monitors", json!("progress")), "monitors"),
        (with("/monitors", json!(many)), "monitors"),
        (with("/monitors/0", json!({ "kind": "astrology" })), "monitors.0.kind"),
        (with("/monitors/1", json!({ "kind": "progress" })), "monitors.1.kind"),
        (with("/monitors/1", json!({ "kind": "cpu", "params": { "smoothing_s": 1000 } })), "monitors.1.params.smoothing_s"),
        (with("/loops", json!({})), "loops"),
        (with("/loops/0", json!("pid")), "loops.0"),
        (with("/loops/0/name", json!("a b")), "loops.0.name"),
        (with("/loops/0/metric", json!("happiness")), "loops.0.metric"),
        (with("/loops/0/interval_s", json!(0)), "loops.0.interval_s"),
        (with("/loops/0/controller", json!("REMOVE")), "loops.0.controller"),
        (with("/loops/0/controller/kind", json!("magic")), "loops.0.controller.kind"),
        (with("/loops/0/controller/params", json!({ "proportional_gain": "NaN" })), "loops.0.controller.params.proportional_gain"),
        (with("/loops/0/controller/params", json!({ "nonsense": 1 })), "loops.0.controller.params.nonsense"),
        (with("/loops/0/actuator", json!({ "kind": "k8s" })), "loops.0.actuator.kind"),
        (with("/loops/0/actuator/params", json!({ "drain_s": -1 })), "loops.0.actuator.params.drain_s"),
        (with("/queue/max_attempts", json!(0)), "queue.max_attempts"),
        (with("/queue/order", json!("random")), "queue.order"),
        (with("/queue/priority", json!(1)), "queue.priority"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_submissions_name_their_field_and_create_nothing() {
    let server = Server::start().await;
    let cases = bad();
    assert!(cases.len() >= 60);
    for (body, field) in cases {
        let (status, answer) = server.post("/api/v1/jobs", &body).await;
        assert_eq!(status, 422, "{body}\n{answer}");
        let errors = answer["errors"].as_array().unwrap();
        let named =
            errors.iter().any(|error| error["field"] == field && error["message"].as_str().is_some_and(|message| message.len() > 8));
        assert!(named, "expected a problem at \"{field}\", got {answer}");
    }
    assert_eq!(server.get("/api/v1/jobs").await, json!([]), "nothing was created");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_problems_come_at_once() {
    let server = Server::start().await;
    let body = json!({
        "name": "", "platform": { "kind": "local", "params": { "command": [], "grace_s": -1 } },
        "workload": { "source": "inline" }, "objective": { "deadline_s": -1 }, "replicas": { "min": 4, "max": 2, "initial": 9 },
        "loops": [{ "name": "pace", "metric": "x", "controller": { "kind": "pid", "params": { "bogus": 1 } } }], "queue": { "max_attempts": 0 },
    });
    let (status, answer) = server.post("/api/v1/jobs", &body).await;
    assert_eq!(status, 422);
    let fields: Vec<&str> = answer["errors"].as_array().unwrap().iter().filter_map(|error| error["field"].as_str()).collect();
    for field in [
        "name",
        "platform.params.command",
        "platform.params.grace_s",
        "workload.items",
        "objective.deadline_s",
        "replicas.min",
        "replicas.initial",
        "loops.0.metric",
        "loops.0.controller.params.bogus",
        "queue.max_attempts",
    ] {
        assert!(fields.contains(&field), "{field} is missing in {fields:?}");
    }
}

/// The form as a browser posts it when everything is right.
const FORM: &[(&str, &str)] = &[
    ("name", "typed name"),
    ("platform.kind", "local"),
    ("platform.local.command", "true"),
    ("workload.source", "inline"),
    ("workload.items", "first line\nsecond line"),
    ("objective.deadline_s", "60"),
    ("replicas.min", "1"),
    ("replicas.max", "2"),
    ("replicas.initial", "1"),
    ("queue.max_attempts", "3"),
    ("loops.0.name", "pace"),
    ("loops.0.metric", "progress_error"),
    ("loops.0.interval_s", "1"),
    ("loops.0.controller.kind", "pid"),
    ("loops.0.actuator.kind", "local_replicas"),
    ("monitors.progress.on", "on"),
    ("monitors.cpu.on", "on"),
];

/// Every number of the form.
const NUMBERS: &[&str] = &[
    "objective.deadline_s",
    "replicas.min",
    "replicas.max",
    "replicas.initial",
    "queue.max_attempts",
    "loops.0.interval_s",
    "loops.0.controller.pid.proportional_gain",
    "loops.0.controller.pid.integral_gain",
    "loops.0.controller.pid.derivative_gain",
    "loops.0.actuator.local_replicas.drain_s",
    "monitors.cpu.smoothing_s",
    "platform.local.grace_s",
    "platform.local.log_limit_kib",
    "platform.local.nice",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_form_is_checked_like_json_and_keeps_what_was_typed() {
    let server = Server::start().await;
    let cookie = session(&server).await;
    let mut cases: Vec<(&str, &str)> = Vec::new();
    for number in NUMBERS {
        cases.extend([(*number, "NaN"), (*number, "soon"), (*number, "-1"), (*number, "1e99")]);
    }
    cases.extend([
        ("name", ""),
        ("platform.local.command", ""),
        ("platform.local.command", "no-such-program-anywhere"),
        ("platform.local.working_dir", "/no/such/folder"),
        ("loops.0.name", "a b"),
        ("loops.0.metric", "happiness"),
    ]);
    assert!(60 <= cases.len());
    for (name, value) in cases {
        let mut fields = FORM.to_vec();
        fields.retain(|(known, _)| *known != name);
        fields.push((name, value));
        let answer = post_form(&server, &cookie, &fields).await;
        assert_eq!(answer.status().as_u16(), 422, "{name}={value}");
        let page = answer.text().await.unwrap();
        assert!(page.contains("second line"), "{name}={value}: what was typed is lost");
        let tag = tag_of(&page, name).unwrap_or_else(|| panic!("{name} is not in the page"));
        assert!(tag.contains("aria-invalid=\"true\""), "{name}={value}: no error at its field: {tag}");
    }
    assert_eq!(server.get("/api/v1/jobs").await, json!([]), "nothing was created");
    let answer = post_form(&server, &cookie, FORM).await;
    assert!(answer.url().path().starts_with("/jobs/kj-"), "the same form without a fault is a job: {}", answer.url());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_a_redis_url_is_not_sent_back() {
    let server = Server::start().await;
    let cookie = session(&server).await;
    for quote in [None, Some(("quote", "on"))] {
        let mut fields = FORM.to_vec();
        fields.extend([("queue.backend", "redis"), ("queue.url", "redis://:s3cret@127.0.0.1:1/0")]);
        fields.extend(quote);
        let page = post_form(&server, &cookie, &fields).await.text().await.unwrap();
        let tag = tag_of(&page, "queue.url").unwrap();
        assert!(tag.contains("redis://127.0.0.1:1/0") && !page.contains("s3cret"), "{tag}");
        if quote.is_none() {
            assert!(tag.contains("aria-invalid=\"true\"") && page.contains("nothing listens there"), "{tag}");
        }
    }
}

/// The opening tag of the input with this name.
fn tag_of<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    let at = page.find(&format!(" name=\"{name}\""))?;
    let (from, to) = (page[..at].rfind('<')?, at + page[at..].find('>')?);
    Some(&page[from..=to])
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused() {
    let server = Server::start().await;
    let cookie = session(&server).await;
    let url = server.url("/api/v1/jobs");
    let get = |header: &'static str, value: String| server.client.get(&url).header(header, value).send();
    assert_eq!(get("accept", "application/json".to_owned()).await.unwrap().status(), 401, "no session");
    assert_eq!(get("authorization", "Bearer wrong".to_owned()).await.unwrap().status(), 401, "a wrong token");
    assert_eq!(get("cookie", cookie.clone()).await.unwrap().status(), 200, "a session");
    let rebound = server.client.get(&url).header("cookie", &cookie).header("host", "evil.example:1500").send().await.unwrap();
    assert_eq!(rebound.status(), 421, "a rebound name");
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        let answer = server.client.post(&url).header("cookie", &cookie).header("origin", origin).body("{}").send().await.unwrap();
        assert_eq!(answer.status(), 403, "a change from {origin}");
    }
    let silent = server.client.post(&url).header("cookie", &cookie).body("{}").send().await.unwrap();
    assert_eq!(silent.status(), 403, "a change that says nothing of where it comes from");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_of_the_api_has_one_form() {
    let server = Server::start().await;
    let job = server.submit(&good()).await;
    let ask = |method: &str, path: &str| {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        server.client.request(method, server.url(&path.replace("JOB", &job))).bearer_auth(server.token())
    };
    let json = |request: reqwest::RequestBuilder| request.header("content-type", "application/json").body("{");
    let asked = [
        (ask("GET", "/api/v1/jobs?limit=many"), 400, "limit"),
        (ask("GET", "/api/v1/jobs/JOB/items?state=lost"), 400, "state"),
        (ask("GET", "/api/v1/jobs/JOB/items?after=-1"), 400, "after"),
        (ask("PUT", "/api/v1/jobs"), 405, "PUT is not possible"),
        (ask("GET", "/api/v1/jobs/JOB/stop"), 405, "GET is not possible"),
        (ask("GET", "/live/jobs/kj-0"), 404, "kj-0"),
        (ask("GET", "/api/v1/nothing"), 404, "/api/v1/nothing"),
        (ask("POST", "/api/v2/jobs"), 404, "/api/v2/jobs"),
        (ask("GET", "/api/v1/jobs/kj-0"), 404, "kj-0"),
        (ask("POST", "/api/v1/jobs/JOB/explode"), 404, "explode"),
        (ask("POST", "/api/v1/jobs").body("name=x"), 415, "application/json"),
        (ask("POST", "/api/v1/jobs/JOB/items/retry").body("[]"), 415, "application/json"),
        (json(ask("POST", "/api/v1/jobs")), 400, "JSON"),
        (ask("POST", "/api/v1/uploads"), 422, "empty"),
    ];
    for (request, status, word) in asked {
        let (client, request) = request.build_split();
        let request = request.unwrap();
        let what = format!("{} {}", request.method(), request.url());
        let answer = client.execute(request).await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{what}");
        assert_eq!(answer.headers().contains_key("allow"), status == 405, "{what}");
        let text = answer.text().await.unwrap();
        let said: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{what} was answered {text}"));
        let message = said["errors"][0]["message"].as_str().unwrap_or_else(|| panic!("{what}: {said}"));
        assert!(message.contains(word) && said["errors"][0]["field"] == "", "{what}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_session_has_ended_reads_that_it_must_sign_in() {
    let server = Server::start().await;
    let post = server.client.post(server.url("/api/fn/command")).header("origin", server.url("")).header("accept", "application/json");
    let post = post.header("content-type", "application/x-www-form-urlencoded");
    let answer = post.body("id=kj-0&command=suspend").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 401);
    assert_eq!(answer.text().await.unwrap(), "\"unauthorized\"");
}
