//! The life of a job on a real server with real processes: run, tune, suspend, stop, terminate, crash, recover.

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::{Server, echo_job, processes_with};

fn done_once(items: &[Value]) {
    for item in items {
        assert_eq!(item["state"], "done", "{item}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_item_is_done_once_and_results_stand_by_their_items() {
    let server = Server::start().await;
    let job = server.submit(&echo_job(40, 0.02)).await;
    let detail = server.wait(&job, &["completed"]).await;
    assert_eq!(detail["summary"]["items"], json!({ "total": 40, "waiting": 0, "processing": 0, "done": 40, "dead": 0 }));
    done_once(&server.items(&job).await);
    for index in [0, 17, 39] {
        let result = server.bytes(&format!("/jobs/{job}/results/{index}")).await;
        assert_eq!(String::from_utf8(result).unwrap(), format!("done item {index}\n"));
    }
    assert_eq!(processes_with(&job), Vec::<i32>::new(), "nothing is left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_a_table_with_text_in_the_line_and_a_path_for_bytes() {
    let server = Server::start().await;
    let mut body = echo_job(4, 0.0);
    let script = r#"case "$ASPERATHOS_INDEX" in 1) printf '\211PNG\000';; 2) echo no >&2; exit 1;; *) printf 'a\tb\nc\n';; esac"#;
    body["platform"]["params"]["command"] = json!(["asperathos", "worker", "--", "sh", "-c", script]);
    body["queue"] = json!({ "max_attempts": 1 });
    let job = server.submit(&body).await;
    server.wait(&job, &["completed"]).await;
    let table = String::from_utf8(server.bytes(&format!("/jobs/{job}/results.tsv")).await).unwrap();
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines[0], ["index", "state", "item", "result", "path"]);
    assert_eq!(lines[1], ["0", "done", "item 0", "a b c", ""]);
    let path = format!("/jobs/{job}/results/1");
    assert_eq!(lines[2], ["1", "done", "item 1", "5 bytes", &path]);
    assert_eq!(server.bytes(&path).await, b"\x89PNG\0");
    assert_eq!(lines[3], ["2", "dead", "item 2", "exit code 1: no", ""]);
    assert_eq!(lines.len(), 5);
    let page = server.get(&format!("/api/v1/jobs/{job}/items?state=done&after=1&limit=9")).await;
    assert_eq!(page.as_array().unwrap().len(), 1, "{page}");
    assert_eq!(page[0]["index"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_killed_again_and_again_and_everything_goes_on() {
    let mut server = Server::start().await;
    let job = server.submit(&echo_job(150, 0.1)).await;
    for round in 0..5 {
        tokio::time::sleep(Duration::from_millis(400 + 170 * round)).await;
        server.kill();
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.launch().await;
    }
    let detail = server.wait(&job, &["completed"]).await;
    assert_eq!(detail["summary"]["items"]["done"], 150);
    done_once(&server.items(&job).await);
    assert_eq!(processes_with(&job), Vec::<i32>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_replica_gives_its_item_back_and_another_takes_over() {
    let server = Server::start().await;
    let job = server.submit(&echo_job(12, 0.5)).await;
    let pid = loop {
        let detail = server.get(&format!("/api/v1/jobs/{job}")).await;
        let busy = |replica: &&Value| replica["state"] == "busy" && replica["place"].is_string();
        if let Some(replica) = detail["replicas"].as_array().unwrap().iter().find(busy) {
            break replica["place"].as_str().unwrap().strip_prefix("process ").unwrap().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    std::process::Command::new("kill").args(["-9", &pid]).status().unwrap();
    let detail = server.wait(&job, &["completed"]).await;
    assert_eq!(detail["summary"]["items"]["done"], 12);
    let marks = detail["marks"].to_string();
    assert!(marks.contains("signal 9"), "{marks}");
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_items_are_dead_with_their_error_and_can_be_retried() {
    let server = Server::start().await;
    let mut body = echo_job(5, 0.05);
    body["platform"]["params"]["command"] = json!([
        "asperathos",
        "worker",
        "--",
        "sh",
        "-c",
        "case \"$ASPERATHOS_ITEM\" in *3) if [ ! -e \"$FLAG\" ]; then echo no good >&2; exit 7; fi;; *4) sleep 3;; esac; echo ok"
    ]);
    let flag = server.data.path().join("flag");
    body["platform"]["params"]["env"] = json!({ "FLAG": flag.display().to_string() });
    let job = server.submit(&body).await;
    let dead = loop {
        let items = server.items(&job).await;
        if let Some(dead) = items.iter().find(|item| item["state"] == "dead") {
            break dead.clone();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(dead["attempts"], 3);
    let error = dead["error"].as_str().unwrap();
    assert!(error.contains("exit code 7") && error.contains("no good"), "{error}");
    std::fs::write(&flag, "").unwrap();
    let (status, answer) = server.post(&format!("/api/v1/jobs/{job}/items/retry"), &json!({})).await;
    assert_eq!((status, &answer["retried"]), (200, &json!(1)), "{answer}");
    let detail = server.wait(&job, &["completed"]).await;
    assert_eq!(detail["summary"]["items"]["done"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_ended_with_dead_items_goes_on_when_they_are_retried() {
    let server = Server::start().await;
    let mut body = echo_job(4, 0.0);
    let flag = server.data.path().join("flag");
    body["platform"]["params"]["command"] =
        json!(["asperathos", "worker", "--", "sh", "-c", "case \"$ASPERATHOS_ITEM\" in *2) [ -e \"$FLAG\" ] || exit 7;; esac; echo ok"]);
    body["platform"]["params"]["env"] = json!({ "FLAG": flag.display().to_string() });
    body["queue"] = json!({ "max_attempts": 1 });
    let job = server.submit(&body).await;
    let detail = server.wait(&job, &["completed"]).await;
    assert_eq!(detail["summary"]["items"]["dead"], 1, "{}", detail["summary"]);
    std::fs::write(&flag, "").unwrap();
    let retried = loop {
        let (status, answer) = server.post(&format!("/api/v1/jobs/{job}/items/retry"), &json!({ "indexes": [2] })).await;
        if status == 200 {
            break answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(retried["retried"], 1);
    loop {
        let detail = server.wait(&job, &["completed"]).await;
        if detail["summary"]["items"]["done"] == 4 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(processes_with(&job), Vec::<i32>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tuning_is_used_by_the_next_decision_and_a_stale_one_is_refused() {
    let server = Server::start().await;
    let mut body = echo_job(400, 0.2);
    body["objective"]["deadline_s"] = json!(4000);
    body["loops"] =
        json!([{ "name": "pace", "controller": { "kind": "threshold", "params": { "trigger_up": 0.9, "trigger_down": 0.9 } } }]);
    let job = server.submit(&body).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let path = format!("/api/v1/jobs/{job}/loops/pace/tunings");
    let (status, answer) = server
        .post(&path, &json!({ "base_revision": 1, "params": { "trigger_up": 0.9, "trigger_down": 0.0001, "actuation_size": 1 } }))
        .await;
    assert_eq!((status, &answer["revision"]), (202, &json!(2)), "{answer}");
    let (status, answer) = server.post(&path, &json!({ "base_revision": 1, "params": {} })).await;
    assert_eq!(status, 409, "{answer}");
    let (status, answer) = server.post(&path, &json!({ "base_revision": 2, "params": { "trigger_up": -3, "nonsense": 1 } })).await;
    assert_eq!((status, answer["errors"].as_array().unwrap().len()), (422, 2), "{answer}");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let detail = server.get(&format!("/api/v1/jobs/{job}")).await;
    let decided = detail["marks"].as_array().unwrap().iter().any(|mark| mark["decision"]["revision"] == 2);
    assert!(decided, "the loop did not decide by the new revision: {}", detail["marks"]);
    server.post(&format!("/api/v1/jobs/{job}/terminate"), &json!({})).await;
    server.wait(&job, &["terminated"]).await;
    assert_eq!(processes_with(&job), Vec::<i32>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_suspended_resumed_and_stopped_without_losing_an_item() {
    let server = Server::start().await;
    let job = server.submit(&echo_job(200, 0.1)).await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    server.post(&format!("/api/v1/jobs/{job}/suspend"), &json!({})).await;
    server.wait(&job, &["suspended"]).await;
    // Suspended at once; replicas finish what they hold.
    let detail = loop {
        let detail = server.get(&format!("/api/v1/jobs/{job}")).await;
        if detail["summary"]["replicas"]["draining"] == 0 && detail["summary"]["items"]["processing"] == 0 {
            break detail;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let items = &detail["summary"]["items"];
    assert_eq!(items["processing"], 0, "{items}");
    assert_eq!(items["waiting"].as_u64().unwrap() + items["done"].as_u64().unwrap(), 200, "{items}");
    assert!(server.items(&job).await.iter().all(|item| item["attempts"].as_u64().unwrap() <= 1), "a drained item is not done twice");
    server.post(&format!("/api/v1/jobs/{job}/resume"), &json!({})).await;
    server.wait(&job, &["running"]).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.post(&format!("/api/v1/jobs/{job}/stop"), &json!({})).await;
    let detail = server.wait(&job, &["stopped"]).await;
    assert_eq!(detail["summary"]["items"]["processing"], 0);
    assert_eq!(processes_with(&job), Vec::<i32>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_keeps_crashing_backs_off_and_says_why() {
    let mut server = Server::start().await;
    let mut body = echo_job(5, 0.0);
    body["platform"]["params"]["command"] = json!(["sh", "-c", "echo cannot find my model >&2; exit 3"]);
    let job = server.submit(&body).await;
    let times = |detail: &Value| {
        let reason = detail["summary"]["reason"].as_str()?;
        reason.split_once("ended ")?.1.split_once(" times in a row")?.0.parse::<u32>().ok()
    };
    let begun = std::time::Instant::now();
    let detail = loop {
        let detail = server.get(&format!("/api/v1/jobs/{job}")).await;
        if times(&detail).is_some_and(|times| 3 <= times) {
            break detail;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", detail["summary"]);
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(detail["summary"]["reason"].as_str().unwrap().contains("exit code 3"), "{}", detail["summary"]);
    assert!(detail["marks"].to_string().contains("cannot find my model"), "{}", detail["marks"]);
    let (started, seconds) = (detail["replicas"].as_array().unwrap().len(), begun.elapsed().as_secs_f64());
    assert!((started as f64) < 9.0 + seconds, "{started} replicas were started in {seconds:.1} s");
    let before = times(&detail).unwrap();
    server.kill();
    server.launch().await;
    let detail = server.get(&format!("/api/v1/jobs/{job}")).await;
    let shown = detail["replicas"].as_array().unwrap().len();
    assert!(started <= shown, "{started} replicas, with their output, were on the page before the restart, {shown} after it");
    let after = times(&detail);
    assert!(after.is_some_and(|after| before <= after), "{before} crashes are forgotten by a new life of the server: {after:?}");
    server.post(&format!("/api/v1/jobs/{job}/terminate"), &json!({})).await;
    server.wait(&job, &["terminated"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_cannot_be_met_is_said_once_among_the_decisions() {
    let server = Server::start().await;
    let mut body = echo_job(100, 1.0);
    body["objective"] = json!({ "deadline_s": 20, "service_s": 1.0 });
    body["replicas"] = json!({ "min": 1, "max": 1, "initial": 1 });
    let job = server.submit(&body).await;
    let late = |detail: &Value| {
        let marks = detail["marks"].as_array().unwrap().iter();
        marks.filter(|mark| mark["text"].as_str().unwrap().starts_with("Too late:")).count()
    };
    let begun = std::time::Instant::now();
    while late(&server.get(&format!("/api/v1/jobs/{job}")).await) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(15), "nothing was said");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let foretold = server.get(&format!("/api/v1/jobs/{job}")).await["summary"]["foretold"]["p_meet"].as_f64();
    assert!(foretold.is_some_and(|p_meet| p_meet < 0.05), "the list of jobs does not know: {foretold:?}");
    assert_eq!(late(&server.get(&format!("/api/v1/jobs/{job}")).await), 1);
    server.post(&format!("/api/v1/jobs/{job}/terminate"), &json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_loops_on_one_actuator_are_joined_by_the_greatest() {
    let server = Server::start().await;
    let mut body = echo_job(300, 0.1);
    body["objective"]["deadline_s"] = json!(3000);
    body["loops"] = json!([
        { "name": "down", "metric": "progress_error", "controller": { "kind": "threshold", "params": { "trigger_up": 0.5, "trigger_down": 0.0 } } },
        { "name": "up", "metric": "cpu", "controller": { "kind": "threshold", "params": { "trigger_up": 1.0, "trigger_down": 1.0 } } },
    ]);
    let job = server.submit(&body).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let detail = server.get(&format!("/api/v1/jobs/{job}")).await;
    let names: Vec<&str> = detail["series"].as_array().unwrap().iter().filter_map(|series| series["name"].as_str()).collect();
    assert!(names.contains(&"wish.down") && names.contains(&"wish.up"), "{names:?}");
    assert_eq!(detail["summary"]["replicas"]["wanted"], 2, "one loop holds what the other would give up: {}", detail["summary"]);
    // Each is named where its line is told: in the file of figures and in the picture.
    let figures = String::from_utf8(server.bytes(&format!("/jobs/{job}/series.csv?chart=replicas")).await).unwrap();
    assert!(figures.contains(",wish.down,") && figures.contains(",wish.up,"), "{figures}");
    let picture = String::from_utf8(server.bytes(&format!("/jobs/{job}/chart/replicas.svg?title=true")).await).unwrap();
    assert!(picture.contains(">wish of down<") && picture.contains(">wish of up<"), "{picture}");
    let figures = String::from_utf8(server.bytes(&format!("/jobs/{job}/series.csv?chart=progress")).await).unwrap();
    assert!(figures.contains(",done,") && figures.contains(",plan,"), "{figures}");
    server.post(&format!("/api/v1/jobs/{job}/terminate"), &json!({})).await;
}
