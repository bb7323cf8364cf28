//! Visible progress: every step has a number, a name and a running time; nothing is silent for long.
//! Output of quiet steps is kept, and shown only when they fail.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write, stderr};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Enough to see a compiler's errors, little enough to read.
const KEPT_LINES: usize = 400;
/// How often a log (no terminal) is told that work goes on.
const LOG_EVERY: Duration = Duration::from_secs(20);

/// What is shown of a step while it runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// Only the moving line; everything else when it fails.
    Progress,
    /// As before; each line is the name of what it is at, as from `go build -v`.
    Names,
    /// Each line as it comes, but for cargo's "Compiling …".
    Output,
}

/// How a step ended.
pub struct Outcome {
    pub ok: bool,
    /// Everything it printed, progress lines left out.
    pub lines: Vec<String>,
}

pub struct Steps {
    total: usize,
    at: usize,
    begun: Instant,
    terminal: bool,
}

impl Steps {
    pub fn new(total: usize) -> Self {
        Self { total, at: 0, begun: Instant::now(), terminal: stderr().is_terminal() }
    }

    /// Runs a command that must succeed.
    pub fn must(&mut self, title: &str, command: &mut Command) -> Result<()> {
        if self.run(title, command, Show::Progress)?.ok { Ok(()) } else { bail!("{title}: failed") }
    }

    /// Runs a command and tells how it ended; its failure is the caller's to judge.
    ///
    /// # Errors
    /// Only when the command cannot be started.
    pub fn run(&mut self, title: &str, command: &mut Command, show: Show) -> Result<Outcome> {
        let running = Running::start(command)?;
        self.finish(title, running, show)
    }

    /// Shows a command that was started before as a step of its own, until it has ended.
    pub fn finish(&mut self, title: &str, mut running: Running, show: Show) -> Result<Outcome> {
        let line = Line { begun: running.begun, ..self.next(title) };
        let mut kept = VecDeque::new();
        let mut status = String::new();
        let mut told = Instant::now();
        loop {
            match running.lines.recv_timeout(Duration::from_millis(500)) {
                Ok(text) if is_progress(&text) => text.trim().clone_into(&mut status),
                Ok(text) => {
                    if show == Show::Output {
                        self.clear();
                        println!("{text}");
                    }
                    if show != Show::Output && kept.len() == KEPT_LINES {
                        kept.pop_front();
                    }
                    if show == Show::Names {
                        text.clone_into(&mut status);
                    }
                    kept.push_back(text);
                    if show != Show::Names {
                        continue;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.terminal || told.elapsed() >= LOG_EVERY {
                told = Instant::now();
                self.show(&format!("{} … {} so far  {status}", line.head, words(line.begun.elapsed())));
            }
        }
        let ok = running.child.wait().context("could not wait for a command")?.success();
        if !ok && show != Show::Output {
            self.clear();
            for text in &kept {
                eprintln!("{text}");
            }
        }
        self.end(&line, if ok { "done" } else { "FAILED" });
        Ok(Outcome { ok, lines: kept.into() })
    }

    /// A step that this program does itself.
    pub fn own<T>(&mut self, title: &str, work: impl FnOnce() -> Result<(T, String)>) -> Result<T> {
        let line = self.next(title);
        if self.terminal {
            self.show(&format!("{} …", line.head));
        }
        match work() {
            Ok((value, said)) => {
                self.end(&line, if said.is_empty() { "done" } else { &said });
                Ok(value)
            }
            Err(error) => {
                self.end(&line, "FAILED");
                Err(error)
            }
        }
    }

    pub fn took(&self) -> String {
        words(self.begun.elapsed())
    }

    fn next(&mut self, title: &str) -> Line {
        self.at += 1;
        let line = Line { head: format!("[{}/{}] {title}", self.at, self.total), begun: Instant::now() };
        if !self.terminal {
            eprintln!("{} …", line.head);
        }
        line
    }

    fn end(&self, line: &Line, said: &str) {
        self.clear();
        eprintln!("{}: {said}, {}", line.head, words(line.begun.elapsed()));
    }

    fn show(&self, text: &str) {
        if self.terminal {
            // One line of a common terminal; longer ones would wrap and could not be cleared.
            let text: String = text.chars().take(100).collect();
            eprint!("\r\x1b[2K{text}");
            let _ = stderr().flush();
        } else {
            eprintln!("{text}");
        }
    }

    fn clear(&self) {
        if self.terminal {
            eprint!("\r\x1b[2K");
        }
    }
}

/// A command under way; its output waits to be shown. Ended when it is dropped before its end.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    begun: Instant,
}

impl Running {
    /// # Errors
    /// The program cannot be started.
    pub fn start(command: &mut Command) -> Result<Self> {
        let begun = Instant::now();
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("could not start {program}"))?;
        let (send, lines) = channel();
        if let Some(out) = child.stdout.take() {
            forward(out, send.clone());
        }
        if let Some(err) = child.stderr.take() {
            forward(err, send);
        }
        Ok(Self { child, lines, begun })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

struct Line {
    head: String,
    begun: Instant,
}

fn forward(from: impl Read + Send + 'static, to: Sender<String>) {
    thread::spawn(move || {
        let mut reader = BufReader::new(from);
        let mut bytes = Vec::new();
        while matches!(reader.read_until(b'\n', &mut bytes), Ok(read) if 0 < read) {
            let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            bytes.clear();
            if to.send(text).is_err() {
                return;
            }
        }
    });
}

/// Lines by which cargo says what it is at.
fn is_progress(line: &str) -> bool {
    let words = ["Compiling", "Checking", "Downloaded", "Downloading", "Locking", "Updating", "Blocking", "Adding"];
    line.starts_with(' ') && line.split_whitespace().next().is_some_and(|first| words.contains(&first))
}

/// A duration for people: `4.2 s`, `1 min 12 s`.
pub fn words(duration: Duration) -> String {
    match duration.as_secs() {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        seconds @ 10..60 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_step_keeps_what_it_said() {
        let mut steps = Steps::new(1);
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo '   Compiling x'; echo err >&2; exit 3"]);
        let outcome = steps.run("a step", &mut command, Show::Progress).unwrap();
        assert!(!outcome.ok);
        let mut lines = outcome.lines;
        lines.sort();
        assert_eq!(lines, ["err", "out"]);
    }

    #[test]
    fn durations_read_well() {
        assert_eq!(words(Duration::from_millis(4_230)), "4.2 s");
        assert_eq!(words(Duration::from_secs(59)), "59 s");
        assert_eq!(words(Duration::from_secs(72)), "1 min 12 s");
    }
}
