//! From a tick to every open page: how long a frame takes to arrive when many pages watch one job.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use super::Report;
use crate::server::{Server, free_port};

/// How long each number of pages is watched.
const WATCHED: Duration = Duration::from_secs(15);
const PAGES: [usize; 4] = [1, 50, 100, 1000];

pub fn measure() -> Result<Report> {
    allow_many_files();
    let data = tempfile::tempdir()?;
    let mut server = Server::start(free_port()?, data.path())?;
    let answer = server.post("/api/v1/jobs", &sleepers())?;
    let id = answer["job_id"].as_str().context("the server gave no job id")?.to_owned();

    let mut table =
        String::from("| Open pages | frames received | p50, ms | p95, ms | longest, ms |\n| ---: | ---: | ---: | ---: | ---: |\n");
    for pages in PAGES {
        let mut ages = watch(&server, &id, pages)?;
        if ages.len() < pages * 5 {
            bail!("{pages} pages received only {} frames", ages.len());
        }
        ages.sort_unstable();
        let at = |share: usize| ages[(ages.len() - 1) * share / 100];
        table.push_str(&format!("| {pages} | {} | {} | {} | {} |\n", ages.len(), at(50), at(95), at(100)));
    }
    server.stop(None)?;
    Ok(Report {
        title: "Live pages",
        method: format!(
            "One running job with one replica and one frame a second; so many streams of server-sent events are open for {} seconds.\nThe time is from the tick that the frame tells of, which reads monitors, decides and commits, to the arrival of the whole message in a client on the same machine.\nWhat a browser does with it is not in this number.\nEach stream's sequence numbers are checked to rise, without a frame twice.",
            WATCHED.as_secs()
        ),
        table,
    })
}

/// One worker that is busy for long, so that the job ticks and little else happens.
fn sleepers() -> serde_json::Value {
    json!({
        "name": "Sleepers",
        "platform": { "kind": "local", "params": { "command": ["asperathos", "worker", "--", "sleep", "{item}"] } },
        "workload": { "source": "inline", "items": vec!["1"; 600].join("\n") },
        "objective": { "deadline_s": 3600.0 },
        "replicas": { "min": 1, "max": 1, "initial": 1 },
        "monitors": [{ "kind": "progress", "params": {} }],
        "loops": [],
        "queue": { "max_attempts": 3, "order": "fifo" },
    })
}

/// Ages of all frames at their arrival, in milliseconds.
fn watch(server: &Server, id: &str, pages: usize) -> Result<Vec<i64>> {
    let seq = server.get(&format!("/api/v1/jobs/{id}"))?["seq"].as_i64().context("the job has no sequence number")?;
    let request = format!(
        "GET /live/jobs/{id}?after={seq} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: {}\r\nAccept: text/event-stream\r\n\r\n",
        server.port,
        server.bearer()?
    );
    let until = Instant::now() + WATCHED;
    let streams: Vec<_> = (0..pages)
        .map(|_| {
            let (request, port) = (request.clone(), server.port);
            // A reader needs little stack, and there are a thousand.
            thread::Builder::new().stack_size(256 * 1024).spawn(move || read_frames(port, &request, until))
        })
        .collect::<std::io::Result<_>>()?;
    let mut ages = Vec::new();
    for stream in streams {
        ages.extend(stream.join().map_err(|_| anyhow!("a reader panicked"))??);
    }
    Ok(ages)
}

fn read_frames(port: u16, request: &str, until: Instant) -> Result<Vec<i64>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).context("could not connect")?;
    // Longer than the time between two frames or keep-alives.
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(request.as_bytes())?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    let (mut ages, mut last) = (Vec::new(), 0);
    while Instant::now() < until {
        line.clear();
        if reader.read_line(&mut line).context("the stream was silent")? == 0 {
            bail!("the server ended a stream");
        }
        let Some(frame) = line.strip_prefix("data:") else { continue };
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let (seq, at) = (number(frame, "\"seq\":")?, number(frame, "\"at\":")?);
        if seq <= last {
            bail!("frame {seq} came after {last}");
        }
        last = seq;
        ages.push(i64::try_from(now.as_millis())? - at);
    }
    Ok(ages)
}

/// The first number after a name; a thousand readers need not parse whole frames.
fn number(frame: &str, name: &str) -> Result<i64> {
    let (_, rest) = frame.split_once(name).with_context(|| format!("a frame has no {name}"))?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    Ok(digits.parse()?)
}

/// A thousand streams are a thousand files, here and in the server, which inherits the limit.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        eprintln!("could not raise the limit of open files: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_tells_its_number_and_time() {
        let frame = r#" {"seq":41,"at":1790000000123,"summary":{"id":"kj-0","submitted_at":5}}"#;
        assert_eq!(number(frame, "\"seq\":").unwrap(), 41);
        assert_eq!(number(frame, "\"at\":").unwrap(), 1_790_000_000_123);
    }
}
