//! A real server on a free port with a fresh data folder, and a client for it. It can be killed and started again.
#![expect(dead_code, reason = "each test file uses its own part of this")]
#![expect(clippy::unwrap_used, reason = "a test fails where its helper fails")]

pub mod browser;
pub mod redis_server;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub struct Server {
    child: Option<Child>,
    pub data: tempfile::TempDir,
    pub address: String,
    pub client: reqwest::Client,
    /// Further arguments of `serve`.
    arguments: Vec<String>,
}

/// The folder of the built programs, for workers that call `asperathos` by name.
pub fn programs() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_asperathos")).parent().unwrap().to_owned()
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub async fn start_with(arguments: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut server = Self {
            child: None,
            data: tempfile::tempdir().unwrap(),
            address: format!("127.0.0.1:{port}"),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        };
        server.launch().await;
        server
    }

    /// Starts the program on the same port and data as before.
    pub async fn launch(&mut self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.data.path().join("server.log")).unwrap();
        let path = format!("{}:{}", programs().display(), std::env::var("PATH").unwrap_or_default());
        let child = Command::new(env!("CARGO_BIN_EXE_asperathos"))
            .args(["serve", "--listen", &self.address, "--data"])
            .arg(self.data.path())
            .args(&self.arguments)
            .env("PATH", path)
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            if self.client.get(self.url("/healthz")).send().await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the server did not start:\n{}", self.log());
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data.path().join("server.log")).unwrap_or_default()
    }

    pub fn token(&self) -> String {
        std::fs::read_to_string(self.data.path().join("admin.token")).unwrap().trim().to_owned()
    }

    /// `kill -9`: nothing is tidied up.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self.client.post(self.url(path)).bearer_auth(self.token()).json_body(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), parsed(&answer.text().await.unwrap()))
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer = self.client.get(self.url(path)).bearer_auth(self.token()).send().await.unwrap();
        parsed(&answer.text().await.unwrap())
    }

    pub async fn bytes(&self, path: &str) -> Vec<u8> {
        self.client.get(self.url(path)).bearer_auth(self.token()).send().await.unwrap().bytes().await.unwrap().to_vec()
    }

    pub async fn submit(&self, body: &Value) -> String {
        let (status, answer) = self.post("/api/v1/jobs", body).await;
        assert_eq!(status, 202, "{answer}");
        answer["job_id"].as_str().unwrap().to_owned()
    }

    /// Waits until the job's phase is one of these; fails with the server's log when it takes too long.
    pub async fn wait(&self, job: &str, phases: &[&str]) -> Value {
        self.wait_for(job, phases, Duration::from_secs(120)).await
    }

    /// As `wait`, for jobs that take many minutes.
    pub async fn wait_long(&self, job: &str, phases: &[&str]) -> Value {
        self.wait_for(job, phases, Duration::from_secs(1200)).await
    }

    async fn wait_for(&self, job: &str, phases: &[&str], long: Duration) -> Value {
        let until = Instant::now() + long;
        loop {
            let detail = self.get(&format!("/api/v1/jobs/{job}")).await;
            let phase = detail["summary"]["phase"].as_str().unwrap_or_default().to_owned();
            if phases.contains(&phase.as_str()) {
                return detail;
            }
            assert!(Instant::now() < until, "job is {phase}: {}\n{}", detail["summary"], self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn items(&self, job: &str) -> Vec<Value> {
        self.get(&format!("/api/v1/jobs/{job}/items?limit=5000")).await.as_array().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        // Whatever a failing test left working goes with its server.
        for pid in processes_with(&self.data.path().display().to_string()) {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
    }
}

trait JsonBody {
    fn json_body(self, body: &Value) -> Self;
}

impl JsonBody for reqwest::RequestBuilder {
    fn json_body(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

/// Living processes whose environment or command line holds this text.
pub fn processes_with(text: &str) -> Vec<i32> {
    let own = std::process::id() as i32;
    let mut found = Vec::new();
    for process in procfs::process::all_processes().unwrap().flatten() {
        if process.pid == own || process.stat().is_ok_and(|stat| stat.state == 'Z') {
            continue;
        }
        let folder = PathBuf::from(format!("/proc/{}", process.pid));
        let holds = |file: &str| std::fs::read(folder.join(file)).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(text));
        if holds("environ") || holds("cmdline") {
            found.push(process.pid);
        }
    }
    found
}

/// A job whose worker echoes each item after a moment.
pub fn echo_job(items: usize, sleep_s: f64) -> Value {
    let items: Vec<String> = (0..items).map(|item| format!("item {item}")).collect();
    json!({
        "name": "echo",
        "platform": { "kind": "local", "params": { "command": ["asperathos", "worker", "--", "sh", "-c", format!("sleep {sleep_s}; echo \"done $ASPERATHOS_ITEM\"")] } },
        "workload": { "source": "inline", "items": items },
        "objective": { "deadline_s": 60 },
        "replicas": { "min": 1, "max": 4, "initial": 2 },
    })
}
