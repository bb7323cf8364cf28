//! One server process started by this program: from the free port to the last goodbye.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::tree::{command, path_with, programs, site};

/// From the start to the first answer of /healthz; far more than it needs.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// From SIGTERM to the end: replicas are given the time to finish.
const STOP_PATIENCE: Duration = Duration::from_secs(20);
/// A server that lived for less when it ended by itself is not started again: it would only do so again.
const SHORT_LIFE: Duration = Duration::from_secs(2);

pub struct Server {
    child: Child,
    begun: Instant,
    pub port: u16,
    pub data: PathBuf,
    log: PathBuf,
    program: PathBuf,
    /// Further arguments of `serve`.
    more: Vec<String>,
}

/// Says in one line when a port cannot be had, before anything is built for it.
pub fn must_be_free(port: u16) -> Result<()> {
    match TcpListener::bind(("127.0.0.1", port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            bail!("port {port} is taken by another program: end it, or choose another port with --port")
        }
        Err(error) => Err(error).with_context(|| format!("could not listen on 127.0.0.1:{port}")),
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

impl Server {
    /// Starts the release build and waits until it answers.
    pub fn start(port: u16, data: &Path) -> Result<Self> {
        Self::start_with(port, data, programs("release").join("asperathos"), Vec::new())
    }

    /// The same with another program and more arguments.
    pub fn start_with(port: u16, data: &Path, program: PathBuf, more: Vec<String>) -> Result<Self> {
        fs::create_dir_all(data).with_context(|| format!("could not make {}", data.display()))?;
        let log = data.join("server.log");
        let child = spawn(&program, port, data, &log, &more)?;
        let mut server = Self { child, begun: Instant::now(), port, data: data.to_owned(), log, program, more };
        server.wait_until_healthy()?;
        Ok(server)
    }

    /// `kill -9`: nothing is tidied up.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again where it was, and waits until it answers.
    pub fn launch(&mut self) -> Result<()> {
        self.child = spawn(&self.program, self.port, &self.data, &self.log, &self.more)?;
        self.begun = Instant::now();
        self.wait_until_healthy()
    }

    fn wait_until_healthy(&mut self) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < START_PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server did not start ({status}):\n{}", self.last_words());
            }
            if ureq::get(self.url("/healthz")).call().is_ok() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!("the server does not answer on port {}:\n{}", self.port, self.last_words())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// A sign-in address that works once.
    pub fn link(&self, next: &str) -> Result<String> {
        let output = command(programs("release").join("asperathos"))
            .args(["link", "--listen", &format!("127.0.0.1:{}", self.port), "--data"])
            .arg(&self.data)
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let link = text.split_whitespace().find(|word| word.starts_with("http"));
        let link = link.with_context(|| format!("`asperathos link` gave no address: {text}{}", String::from_utf8_lossy(&output.stderr)))?;
        Ok(format!("{link}{}next={next}", if link.contains('?') { '&' } else { '?' }))
    }

    /// Reads from the REST interface as admin.
    pub fn get(&self, path: &str) -> Result<Value> {
        let mut answer = ureq::get(self.url(path)).header("Authorization", self.bearer()?).call()?;
        Ok(answer.body_mut().read_json()?)
    }

    /// The recording of a job's loop: how many times the loop was told something, and the bytes that it takes in the store.
    pub fn recording(&self, job: &str, name: &str) -> Result<(u64, u64)> {
        let path = format!("/api/v1/jobs/{job}/loops/{name}/recording");
        let mut answer = ureq::get(self.url(&path)).header("Authorization", self.bearer()?).call()?;
        let stored = answer.headers().get("x-stored-bytes").and_then(|bytes| bytes.to_str().ok()?.parse().ok());
        let told = answer.body_mut().read_to_string()?.lines().filter(|line| line.starts_with("{\"told\"")).count();
        Ok((told as u64, stored.context("the server does not say how much it stored")?))
    }

    /// Posts to the REST interface as admin; an answer that is not a success is an error with its text.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let request = ureq::post(self.url(path)).header("Authorization", self.bearer()?);
        let mut answer = request.config().http_status_as_error(false).build().send_json(body)?;
        let text = answer.body_mut().read_to_string()?;
        if !answer.status().is_success() {
            bail!("POST {path} was answered {}: {text}", answer.status());
        }
        Ok(if text.trim().is_empty() { Value::Null } else { serde_json::from_str(&text)? })
    }

    /// What a script sends as `Authorization`.
    pub fn bearer(&self) -> Result<String> {
        let path = self.data.join("admin.token");
        let token = fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
        Ok(format!("Bearer {}", token.trim()))
    }

    fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Waits for Ctrl-C, then ends the server and all that it started. A server that was killed is started again:
    /// it goes on from what it had acknowledged.
    pub fn serve_until_asked(mut self, asked: &Receiver<()>) -> Result<()> {
        while let Err(RecvTimeoutError::Timeout) = asked.recv_timeout(Duration::from_millis(200)) {
            let Some(status) = self.child.try_wait()? else { continue };
            let ending = ending(status);
            if self.begun.elapsed() < SHORT_LIFE {
                bail!("the server ended by itself ({ending}) as soon as it was started:\n{}", self.last_words());
            }
            self.launch()?;
            eprintln!("the server ended by itself ({ending}); it is back, and goes on where it was");
        }
        eprintln!("\nending: unfinished jobs are suspended and go on at the next start; Ctrl-C again ends at once");
        self.stop(Some(asked))
    }

    /// Asks the server to end, and makes it end when it takes too long or `hurry` says so.
    pub fn stop(&mut self, hurry: Option<&Receiver<()>>) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("the server has no process id")?;
        // An error means that it has ended already.
        let _ = kill_process(pid, Signal::TERM);
        let begun = Instant::now();
        while begun.elapsed() < STOP_PATIENCE {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            if hurry.is_some_and(|asked| asked.try_recv().is_ok()) {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.child.kill()?;
        self.child.wait()?;
        bail!("the server did not end in time and was killed; see {}", self.log.display())
    }
}

/// A build of the server; what it says goes to `log`.
fn spawn(program: &Path, port: u16, data: &Path, log: &Path, more: &[String]) -> Result<Child> {
    let folder = program.parent().context("a program lies in a folder")?;
    let said = File::options().create(true).append(true).open(log)?;
    command(program)
        .args(["serve", "--on-exit", "suspend", "--listen", &format!("127.0.0.1:{port}")])
        .arg("--data")
        .arg(data)
        .arg("--site")
        .arg(site())
        .args(more)
        .env("PATH", path_with(folder))
        .stdin(Stdio::null())
        .stdout(said.try_clone()?)
        .stderr(said)
        // A group of its own: Ctrl-C reaches us, and the server hears of it once, from us.
        .process_group(0)
        .spawn()
        .with_context(|| format!("could not start {}", program.display()))
}

/// Whatever goes wrong here, no server is left behind.
impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.stop(None);
        }
    }
}

/// A message for every SIGINT, SIGTERM or SIGHUP from now on.
pub fn interrupts() -> Result<Receiver<()>> {
    let (send, receive) = channel();
    ctrlc::set_handler(move || {
        let _ = send.send(());
    })?;
    Ok(receive)
}

fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "for an unknown reason".to_owned(),
    }
}
