//! A server that has nothing to do: how soon it answers, what it holds, what it burns.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use procfs::process::Process;

use super::{Report, median};
use crate::server::{Server, free_port};

/// How long it is watched.
const WATCHED: Duration = Duration::from_secs(10);

pub fn measure(repeat: usize) -> Result<Report> {
    let (mut starts, mut memories, mut shares) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..repeat {
        let data = tempfile::tempdir()?;
        let begun = Instant::now();
        let mut server = Server::start(free_port()?, data.path())?;
        starts.push(begun.elapsed().as_secs_f64() * 1000.0);
        // The first moments are start-up, not idling.
        thread::sleep(Duration::from_secs(2));
        let process = Process::new(i32::try_from(server.pid())?)?;
        let ticks = |process: &Process| -> Result<u64> {
            let stat = process.stat()?;
            Ok(stat.utime + stat.stime)
        };
        let before = ticks(&process)?;
        thread::sleep(WATCHED);
        let used = ticks(&process)? - before;
        shares.push(used as f64 / procfs::ticks_per_second() as f64 / WATCHED.as_secs_f64() * 100.0);
        memories.push(process.status()?.vmrss.unwrap_or_default() as f64 / 1024.0);
        server.stop(None)?;
    }
    let table = format!(
        "| What | median | designed for |\n| --- | ---: | ---: |\n| from the start to the first answer, ms | {:.0} | 1000 |\n| resident memory after {} s, MiB | {:.1} | 50 |\n| processor, percent of one core | {:.2} | |\n",
        median(starts),
        WATCHED.as_secs() + 2,
        median(memories),
        median(shares)
    );
    Ok(Report {
        title: "An idle server",
        method: format!(
            "A release server on a fresh data folder, without jobs and without open pages, watched for {} seconds by /proc.\n{repeat} starts; medians.",
            WATCHED.as_secs()
        ),
        table,
    })
}
