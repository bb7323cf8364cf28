//! Clusters that an administrator adds: checked whole, kept encrypted, shown without what opens them, and named by jobs.
//! Here none of them answers; `kubernetes` has those that do.

#![expect(clippy::unwrap_used, reason = "a test fails where its helper fails")]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use support::{Server, programs};

/// No page, answer, log or file may hold it.
const TOKEN: &str = "s3cret-of-the-cluster";

/// Of a cluster that is not there.
fn kubeconfig(user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{{name: a, context: {{cluster: c, user: u, namespace: batch}}}}]\n\
         clusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:1'}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n"
    )
}

fn added(name: &str) -> Value {
    json!({ "name": name, "kubeconfig": kubeconfig(&format!("token: {TOKEN}")), "pods_listen": "10.0.0.5" })
}

fn job(cluster: &str) -> Value {
    json!({
        "name": "pods",
        "platform": { "kind": "kubejobs", "params": { "image": "a:1", "cluster": cluster } },
        "workload": { "source": "inline", "items": ["one"] },
        "objective": { "deadline_s": 60 },
    })
}

async fn remove(server: &Server, name: &str) -> (u16, String) {
    let request = server.client.delete(server.url(&format!("/api/v1/clusters/{name}"))).bearer_auth(server.token());
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

fn fields(answer: &Value) -> Vec<&str> {
    answer["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect()
}

/// Every file below a folder that holds the text.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if std::fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes())) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_kept_encrypted_and_shown_without_what_opens_it() {
    let mut server = Server::start().await;
    let (status, view) = server.post("/api/v1/clusters", &added("east")).await;
    assert_eq!(status, 201, "{view}");
    let shown = [&view["name"], &view["server"], &view["namespace"], &view["reachable"], &view["age_s"]];
    assert_eq!(shown, [&json!("east"), &json!("https://127.0.0.1:1"), &json!("batch"), &json!(false), &Value::Null]);
    assert!(view["says"].as_str().unwrap().contains("does not answer"), "{view}");
    assert_eq!(server.post("/api/v1/clusters", &added("east")).await.0, 409);

    server.kill();
    server.launch().await;
    let all = server.get("/api/v1/clusters").await;
    let names: Vec<&str> = all.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["default", "east"]);
    assert!(!all.to_string().contains(TOKEN) && all[1]["says"].as_str().unwrap().contains("does not answer"), "{all}");
    let page = String::from_utf8(server.bytes("/clusters").await).unwrap();
    assert!(page.contains("https://127.0.0.1:1") && page.contains("<h1>Clusters</h1>") && !page.contains(TOKEN), "{page}");
    assert_eq!(holding(server.data.path(), TOKEN), Vec::<String>::new(), "neither database nor log has it");
    let key = server.data.path().join("secrets/key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);

    // Without its key it is there, of no use, and says so; with it all is well again.
    server.kill();
    std::fs::rename(&key, key.with_extension("away")).unwrap();
    server.launch().await;
    let says = server.get("/api/v1/clusters/east").await["says"].clone();
    assert!(says.as_str().unwrap().contains("cannot be decrypted: no key file is there"), "{says}");
    server.kill();
    std::fs::rename(key.with_extension("away"), &key).unwrap();
    server.launch().await;
    assert!(server.get("/api/v1/clusters/east").await["says"].as_str().unwrap().contains("does not answer"));
    assert_eq!(remove(&server, "east").await.0, 204);
    assert_eq!(remove(&server, "east").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_at_once_and_never_quoted() {
    let server = Server::start().await;
    let bad = json!({
        "name": "Not A Name",
        "kubeconfig": kubeconfig(&format!("token: {TOKEN}, tokenFile: /etc/{TOKEN}, exec: {{command: {TOKEN}, apiVersion: a}}")),
        "namespace": "Upper",
        "pods_listen": "127.0.0.1",
    });
    let (status, answer) = server.post("/api/v1/clusters", &bad).await;
    assert_eq!((status, fields(&answer)), (422, vec!["name", "namespace", "pods_listen", "kubeconfig", "kubeconfig"]), "{answer}");
    let more = [
        json!({ "name": "a" }),
        json!({ "name": "a", "in_cluster": true }),
        json!({ "name": "default", "kubeconfig": kubeconfig("token: t") }),
        json!({ "name": "a", "kubeconfig": { "token": TOKEN } }),
        json!({ "name": "a", "kubeconfig": format!("users: [{TOKEN}\n") }),
    ];
    for (sent, field) in more.iter().zip(["kubeconfig", "in_cluster", "name", "kubeconfig", "kubeconfig"]) {
        let (status, told) = server.post("/api/v1/clusters", sent).await;
        assert!(status == 422 && fields(&told).contains(&field) && !told.to_string().contains(TOKEN), "{told}");
    }
    let form = [("name", "east"), ("kubeconfig", bad["kubeconfig"].as_str().unwrap()), ("namespace", "typed")];
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = server.client.post(server.url("/clusters")).bearer_auth(server.token());
    let answer = request.header("content-type", "application/x-www-form-urlencoded").body(body).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 422);
    let page = answer.text().await.unwrap();
    assert!(page.contains("embed the data") && page.contains("value=\"typed\"") && !page.contains(TOKEN), "{page}");
    assert!(!answer_of(&server, &[("authorization", "Bearer nobody")]).await.contains("127.0.0.1:1"));
    assert_eq!(holding(server.data.path(), TOKEN), Vec::<String>::new());
}

async fn answer_of(server: &Server, headers: &[(&str, &str)]) -> String {
    let mut request = server.client.get(server.url("/clusters")).header("accept", "text/html");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 401);
    answer.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_names_its_cluster_which_then_stays() {
    let mut server = Server::start().await;
    for name in ["east", "west"] {
        assert_eq!(server.post("/api/v1/clusters", &added(name)).await.0, 201);
    }
    let (status, told) = server.post("/api/v1/jobs", &job("north")).await;
    assert_eq!((status, fields(&told)), (422, vec!["platform.params.cluster"]), "{told}");
    assert!(told["errors"][0]["message"].as_str().unwrap().contains("known are east, west"), "{told}");

    let id = server.submit(&job("east")).await;
    server.wait(&id, &["running"]).await;
    for _ in 0..2 {
        let (status, said) = remove(&server, "east").await;
        assert!(status == 409 && said.contains(&id) && said.contains("Stop or terminate"), "{said}");
        server.kill();
        server.launch().await;
    }
    assert_eq!(server.get("/api/v1/clusters/east").await["jobs"], 1);
    assert_eq!(remove(&server, "west").await.0, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_adds_lists_and_removes() {
    let server = Server::start().await;
    let file = server.data.path().join("kubeconfig");
    std::fs::write(&file, kubeconfig("token: t")).unwrap();
    let asked = async |words: &[&str]| {
        let mut command = tokio::process::Command::new(programs().join("asperathos"));
        command.arg("cluster").args(words).arg("--data").arg(server.data.path()).args(["--server", &server.address]);
        let output = tokio::time::timeout(Duration::from_secs(30), command.output()).await.unwrap().unwrap();
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let file = file.to_str().unwrap();
    let (done, said) = asked(&["add", "east", "--kubeconfig", file, "--pods-listen", "10.0.0.5"]).await;
    assert!(done && said.starts_with("east  https://127.0.0.1:1  batch  -  0 jobs  never heard  The cluster does not answer"), "{said}");
    assert!(asked(&["update", "east", "--kubeconfig", file, "--namespace", "other"]).await.0);
    let (done, said) = asked(&["list"]).await;
    assert!(done && said.lines().count() == 2 && said.contains("east  https://127.0.0.1:1  other"), "{said}");
    let (done, said) = asked(&["test", "east"]).await;
    assert!(!done && said.contains("of no use now"), "{said}");
    assert!(asked(&["remove", "east"]).await.0);
    let (done, said) = asked(&["remove", "east"]).await;
    assert!(!done && said.contains("Not found: a cluster \"east\""), "{said}");
}
