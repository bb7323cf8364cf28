//! Runs the command for one item: its arguments, its streams, its time, its end.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::ResultFrom;
use super::client::Task;

/// What the queue keeps as one result at most.
const LARGEST_RESULT: u64 = 64 << 20;

/// How much of the end of standard error explains a failure, in bytes.
const TAIL: usize = 2048;

/// Longer items are not put into the environment, as the system refuses variables of 128 KiB.
const LONGEST_VARIABLE: usize = 64 << 10;

/// How long children that the command left behind may hold its streams open before they are killed.
const LEFTOVERS: Duration = Duration::from_secs(2);

/// What came of an item.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Done(Vec<u8>),
    /// Why, for people.
    Failed(String),
    /// A signal from elsewhere ended the command; which one, for people.
    Killed(String),
}

/// The command of a job, ready to be run for any of its items.
pub struct Runner {
    command: Vec<OsString>,
    timeout: Option<Duration>,
    result: ResultFrom,
    /// No `{item}` in the command: the item comes on standard input.
    feeds: bool,
}

/// Why there is no exit status.
enum Broken {
    Io(io::Error),
    TooLarge,
}

impl Runner {
    pub fn new(command: Vec<OsString>, timeout: Option<Duration>, result: ResultFrom) -> Self {
        let feeds = command.iter().all(|part| replace(part, b"{item}", b"") == *part);
        Self { command, timeout, result, feeds }
    }

    /// Runs the command to its end, whatever that is. Its standard error is passed through.
    pub async fn run(&self, task: &Task) -> Outcome {
        let file = ResultFile(std::env::temp_dir().join(format!("asperathos-{}-{}-{}", std::process::id(), task.index, task.attempt)));
        let mut child = match self.command(task, &file).spawn() {
            Ok(child) => child,
            Err(cause) => {
                let program = self.command.first().map(|program| program.to_string_lossy().into_owned());
                return Outcome::Failed(format!("could not start {}: {cause}", program.unwrap_or_default()));
            }
        };
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let mut output = Vec::new();
        let mut errors = Tail::default();

        let attended = attend(&mut child, &task.item, &mut output, &mut errors);
        let ended = match self.timeout {
            None => Some(attended.await),
            Some(limit) => tokio::time::timeout(limit, attended).await.ok(),
        };
        let mut outcome: fn(String) -> Outcome = Outcome::Failed;
        let why = match ended {
            Some(Ok((status, leftovers))) => {
                if leftovers {
                    kill(group);
                }
                if status.success() {
                    return self.collect(output, &file);
                }
                if status.signal().is_some() {
                    outcome = Outcome::Killed;
                }
                ending(status)
            }
            broken => {
                kill(group);
                // Killed: this reaps it, and cannot take long.
                let _ = child.wait().await;
                match broken {
                    Some(Err(Broken::TooLarge)) => {
                        format!("the result is larger than {} MiB", LARGEST_RESULT >> 20)
                    }
                    Some(Err(Broken::Io(cause))) => {
                        format!("could not read what the command writes: {cause}")
                    }
                    _ => format!("killed after {} s", self.timeout.unwrap_or_default().as_secs_f64()),
                }
            }
        };
        let tail = errors.text();
        outcome(if tail.is_empty() { why } else { format!("{why}: {tail}") })
    }

    fn command(&self, task: &Task, file: &ResultFile) -> Command {
        let mut parts = self.command.iter().map(|part| {
            // The item last: what it contains is never looked at again.
            let part = match self.result {
                ResultFrom::Stdout => part.clone(),
                ResultFrom::File => replace(part, b"{result}", file.0.as_os_str().as_bytes()),
            };
            replace(&part, b"{item}", &task.item)
        });
        let mut command = Command::new(parts.next().unwrap_or_default());
        command
            .args(parts)
            .env("ASPERATHOS_INDEX", task.index.to_string())
            .env("ASPERATHOS_ATTEMPT", task.attempt.to_string())
            .stdin(if self.feeds { Stdio::piped() } else { Stdio::null() })
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        match self.result {
            ResultFrom::Stdout => command.stdout(Stdio::piped()),
            ResultFrom::File => command.stdout(Stdio::inherit()).env("ASPERATHOS_RESULT", &file.0),
        };
        if task.item.len() <= LONGEST_VARIABLE && !task.item.contains(&0) {
            command.env("ASPERATHOS_ITEM", OsStr::from_bytes(&task.item));
        } else {
            command.env_remove("ASPERATHOS_ITEM");
        }
        command
    }

    fn collect(&self, output: Vec<u8>, file: &ResultFile) -> Outcome {
        if self.result == ResultFrom::Stdout {
            return Outcome::Done(output);
        }
        let size = fs::metadata(&file.0).map(|about| about.len());
        match size.and_then(|size| if size <= LARGEST_RESULT { fs::read(&file.0).map(Some) } else { Ok(None) }) {
            Ok(Some(result)) => Outcome::Done(result),
            Ok(None) => Outcome::Failed(format!("the result is larger than {} MiB", LARGEST_RESULT >> 20)),
            Err(cause) => Outcome::Failed(format!("the command left no result file: {cause}")),
        }
    }
}

/// Feeds the command and reads it until it has ended and its streams are closed.
/// With the exit status comes whether children that it left behind still hold them.
async fn attend(child: &mut Child, item: &[u8], output: &mut Vec<u8>, errors: &mut Tail) -> Result<(ExitStatus, bool), Broken> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A command that does not read its item is free not to.
            let _ = stdin.write_all(item).await;
        }
        Ok(())
    };
    let read = async {
        let Some(stdout) = stdout else { return Ok(()) };
        let size = stdout.take(LARGEST_RESULT + 1).read_to_end(output).await.map_err(Broken::Io)?;
        if size as u64 <= LARGEST_RESULT { Ok(()) } else { Err(Broken::TooLarge) }
    };
    let pass = async {
        match stderr {
            Some(stderr) => errors.pass(stderr).await.map_err(Broken::Io),
            None => Ok(()),
        }
    };
    let mut streams = pin!(async { tokio::try_join!(feed, read, pass).map(drop) });
    tokio::select! {
        closed = &mut streams => {
            closed?;
            Ok((child.wait().await.map_err(Broken::Io)?, false))
        }
        status = child.wait() => {
            let status = status.map_err(Broken::Io)?;
            match tokio::time::timeout(LEFTOVERS, streams).await {
                Ok(closed) => closed.map(|()| (status, false)),
                Err(_) => Ok((status, true)),
            }
        }
    }
}

fn kill(group: Option<Pid>) {
    if let Some(group) = group {
        // It fails only when nobody is left in the group, which is what we want.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

fn replace(part: &OsStr, word: &[u8], by: &[u8]) -> OsString {
    let mut rest = part.as_bytes();
    let mut made = Vec::with_capacity(rest.len());
    while let Some(at) = rest.windows(word.len()).position(|here| here == word) {
        made.extend_from_slice(&rest[..at]);
        made.extend_from_slice(by);
        rest = &rest[at + word.len()..];
    }
    made.extend_from_slice(rest);
    OsString::from_vec(made)
}

/// Where a command may leave its result; removed when the item is over.
struct ResultFile(PathBuf);

impl Drop for ResultFile {
    fn drop(&mut self) {
        // Most commands never make it.
        let _ = fs::remove_file(&self.0);
    }
}

/// The last bytes of a stream.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    /// Copies a stream to our standard error, and keeps its end.
    async fn pass(&mut self, mut stream: impl AsyncRead + Unpin) -> io::Result<()> {
        let mut chunk = [0; 4096];
        let mut out = tokio::io::stderr();
        loop {
            let size = stream.read(&mut chunk).await?;
            if size == 0 {
                return Ok(());
            }
            // A closed standard error of our own must not stop the work.
            let _ = out.write_all(&chunk[..size]).await;
            let _ = out.flush().await;
            self.0.extend_from_slice(&chunk[..size]);
            let excess = self.0.len().saturating_sub(TAIL);
            self.0.drain(..excess);
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).trim().to_owned()
    }
}
