//! The processes of a cluster. Only those that are recorded here, by number and start time, are ever signalled.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use procfs::process::{ProcState, Process};
use rustix::process::{Pid, Signal, kill_process};

use super::parts::Part;
use super::place::Place;

/// After SIGTERM, before SIGKILL.
const GRACE: Duration = Duration::from_secs(10);
/// How often something is asked whether it is there.
const PAUSE: Duration = Duration::from_millis(100);
/// Of a log, when its process did not come up.
const LAST_LINES: usize = 12;

/// The start time of a process, in ticks of the kernel: with it, a number that was given anew is told apart.
fn born(pid: i32) -> Option<u64> {
    let stat = Process::new(pid).ok()?.stat().ok()?;
    // One that has ended and waits for its parent is no longer there.
    (stat.state().ok()? != ProcState::Zombie).then_some(stat.starttime)
}

/// The process of a part, if it runs.
pub fn alive(place: &Place, part: Part) -> Option<i32> {
    let text = fs::read_to_string(place.run().join(format!("{part}.pid"))).ok()?;
    let (pid, start) = text.trim().split_once(' ')?;
    let pid = pid.parse().ok()?;
    (born(pid)? == start.parse::<u64>().ok()?).then_some(pid)
}

/// Starts a part in a session of its own, so that it outlives this program and its terminal.
pub fn launch(place: &Place, part: Part, command: &Command) -> Result<()> {
    let path = place.logs().join(format!("{part}.log"));
    let log = File::options().create(true).append(true).open(&path).with_context(|| format!("could not open {}", path.display()))?;
    let child = Command::new("setsid")
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(place.run())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("could not start {part}"))?;
    let pid = i32::try_from(child.id()).context("a process number beyond the kernel's own")?;
    let start = born(pid).with_context(|| format!("{part} ended at once:\n{}", last_words(place, part)))?;
    fs::write(place.run().join(format!("{part}.pid")), format!("{pid} {start}\n")).with_context(|| format!("could not record {part}"))
}

/// Signals a part and waits until it is gone. One that does not run is no error: that is what was asked for.
pub fn end(place: &Place, part: Part, signal: Signal) -> Result<()> {
    let Some(pid) = alive(place, part) else { return Ok(()) };
    send(pid, signal).with_context(|| format!("could not end {part}"))?;
    let begun = Instant::now();
    while alive(place, part).is_some() && begun.elapsed() < GRACE {
        thread::sleep(PAUSE);
    }
    if let Some(pid) = alive(place, part) {
        send(pid, Signal::KILL).with_context(|| format!("could not kill {part}"))?;
    }
    Ok(())
}

/// One that is gone already is as good as signalled.
pub fn send(pid: i32, signal: Signal) -> Result<()> {
    match kill_process(Pid::from_raw(pid).context("not a process number")?, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Waits until `there` says yes.
///
/// # Errors
/// It did not in time, or a part that it depends on has ended; with that part's last words.
pub fn wait_for(place: &Place, what: &str, patience: Duration, needs: &[Part], mut there: impl FnMut() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !there() {
        if let Some(part) = needs.iter().find(|part| alive(place, **part).is_none()) {
            bail!("{part} has ended, and {what} needs it:\n{}", last_words(place, *part));
        }
        if patience < begun.elapsed() {
            let said: Vec<String> = needs.iter().map(|part| last_words(place, *part)).collect();
            bail!("{what}: not there after {} s\n{}", patience.as_secs(), said.join("\n"));
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// The end of a part's log.
fn last_words(place: &Place, part: Part) -> String {
    let path = place.logs().join(format!("{part}.log"));
    let text = fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    format!("{}:\n{}", path.display(), lines[lines.len().saturating_sub(LAST_LINES)..].join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_one_birth_and_none_after_its_end() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(born(own).is_some_and(|start| born(own) == Some(start)));
        let mut child = Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let begun = Instant::now();
        while born(pid).is_some() {
            assert!(begun.elapsed() < Duration::from_secs(10), "an ended process still counts as one");
            thread::sleep(PAUSE);
        }
        child.wait().unwrap();
    }
}
