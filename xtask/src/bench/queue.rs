//! Items a second through the queue: take, result, complete, by an ordinary Redis client.
//! Redis itself runs beside it with the same promise: nothing acknowledged is older on disk than a second.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use redis::{Client, Connection, Pipeline, Value};

use super::{Report, median};
use crate::server::free_port;
use crate::tree::{command, programs};

const CLIENTS: usize = 32;
/// Pipeline depths with the items that each client works off; deeper ones are faster and need more to measure.
const DEPTHS: [(usize, usize); 3] = [(1, 2_000), (16, 8_000), (64, 12_000)];
/// A small result, about a line of text.
const RESULT: [u8; 64] = [b'r'; 64];

/// Which server is measured.
#[derive(Clone, Copy)]
enum Kind {
    Ours,
    Redis,
}

pub fn measure(repeat: usize) -> Result<Report> {
    let mut table = String::from(
        "| Pipeline depth | Asperathos, items/s | Redis, items/s | Asperathos, p99 of a round trip, ms | Redis, p99, ms |\n| ---: | ---: | ---: | ---: | ---: |\n",
    );
    for (depth, each) in DEPTHS {
        // Taken in turns, so that a disturbance of the machine meets both.
        let (mut ours, mut redis) = (Vec::new(), Vec::new());
        for _ in 0..repeat {
            ours.push(once(Kind::Ours, depth, each)?);
            redis.push(once(Kind::Redis, depth, each)?);
        }
        let middle = |rates: &[Rate], pick: fn(&Rate) -> f64| median(rates.iter().map(pick).collect());
        table.push_str(&format!(
            "| {depth} | {:.0} | {:.0} | {:.2} | {:.2} |\n",
            middle(&ours, |rate| rate.items_per_s),
            middle(&redis, |rate| rate.items_per_s),
            middle(&ours, |rate| rate.p99_ms),
            middle(&redis, |rate| rate.p99_ms)
        ));
    }
    Ok(Report {
        title: "The queue",
        method: format!(
            "{CLIENTS} clients on the same machine, in one process, each with one connection.\nAn item is three commands: `RPOPLPUSH job job:processing`, `RPUSH job:results` with 64 bytes, `LREM job:processing 0 item`.\nDepth 1 sends each command alone; depth N completes N items and takes N more in one pipeline.\nRedis runs with `--appendonly yes --appendfsync everysec`; ours commits each read of a pipeline to its journal and syncs it every second.\n{repeat} runs of each in turn, each on a fresh data folder; medians."
        ),
        table,
    })
}

struct Rate {
    items_per_s: f64,
    p99_ms: f64,
}

/// A server process that ends with its owner.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn once(kind: Kind, depth: usize, each: usize) -> Result<Rate> {
    let data = tempfile::tempdir()?;
    let port = free_port()?;
    let total = CLIENTS * each;
    let _server = start(kind, port, data.path(), total)?;
    let client = Client::open(("127.0.0.1", port))?;
    let mut first = connect(&client)?;
    if matches!(kind, Kind::Redis) {
        fill(&mut first, total)?;
    }
    let waiting: usize = redis::cmd("LLEN").arg("job").query(&mut first)?;
    if waiting != total {
        bail!("the queue has {waiting} items, not {total}");
    }

    let gate = Arc::new(Barrier::new(CLIENTS + 1));
    let workers: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (client, gate) = (client.clone(), Arc::clone(&gate));
            thread::spawn(move || -> Result<Vec<Duration>> {
                let connected = connect(&client);
                gate.wait();
                work(&mut connected?, depth)
            })
        })
        .collect();
    gate.wait();
    let begun = Instant::now();
    let mut trips = Vec::new();
    for worker in workers {
        trips.extend(worker.join().map_err(|_| anyhow!("a client panicked"))??);
    }
    let took = begun.elapsed();

    let left: usize = redis::cmd("LLEN").arg("job:processing").query(&mut first)?;
    if left != 0 {
        bail!("{left} items were taken and not completed");
    }
    trips.sort();
    let p99 = trips.get(trips.len() * 99 / 100).copied().unwrap_or_default();
    Ok(Rate { items_per_s: total as f64 / took.as_secs_f64(), p99_ms: p99.as_secs_f64() * 1000.0 })
}

fn start(kind: Kind, port: u16, data: &Path, items: usize) -> Result<Running> {
    let mut server = match kind {
        Kind::Ours => {
            let mut server = command(programs("release").join("asperathos"));
            server.args(["queue", "--items", &items.to_string(), "--listen", &format!("127.0.0.1:{port}"), "--data"]).arg(data);
            server
        }
        Kind::Redis => {
            let mut server = Command::new("redis-server");
            server
                .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""])
                .args(["--appendonly", "yes", "--appendfsync", "everysec", "--dir"])
                .arg(data);
            server
        }
    };
    let child = server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Ok(Running(child.context("could not start the server to measure")?))
}

/// The first connection waits for a server that is still starting.
fn connect(client: &Client) -> Result<Connection> {
    let begun = Instant::now();
    loop {
        match client.get_connection() {
            Ok(connection) => return Ok(connection),
            Err(error) if Duration::from_secs(30) < begun.elapsed() => return Err(error).context("the server does not answer"),
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn fill(connection: &mut Connection, total: usize) -> Result<()> {
    for from in (0..total).step_by(1_000) {
        let mut push = redis::cmd("RPUSH");
        push.arg("job");
        for index in from..total.min(from + 1_000) {
            push.arg(format!("item-{index:09}"));
        }
        let _: Value = push.query(connection)?;
    }
    Ok(())
}

/// One client's work until nothing is left; the time of every round trip.
fn work(connection: &mut Connection, depth: usize) -> Result<Vec<Duration>> {
    let mut trips = Vec::new();
    let mut trip = |connection: &mut Connection, pipeline: &Pipeline| -> Result<Vec<Value>> {
        let begun = Instant::now();
        let answers = pipeline.query(connection)?;
        trips.push(begun.elapsed());
        Ok(answers)
    };
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut pipeline = redis::pipe();
        for item in &held {
            if depth == 1 {
                trip(connection, redis::pipe().cmd("RPUSH").arg("job:results").arg(&RESULT[..]))?;
                trip(connection, redis::pipe().cmd("LREM").arg("job:processing").arg(0).arg(item))?;
            } else {
                pipeline.cmd("RPUSH").arg("job:results").arg(&RESULT[..]);
                pipeline.cmd("LREM").arg("job:processing").arg(0).arg(item);
            }
        }
        for _ in 0..depth {
            pipeline.cmd("RPOPLPUSH").arg("job").arg("job:processing");
        }
        let answers = trip(connection, &pipeline)?;
        held = answers
            .into_iter()
            .filter_map(|answer| match answer {
                Value::BulkString(item) => Some(item),
                _ => None,
            })
            .collect();
        if held.is_empty() {
            return Ok(trips);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_taken_and_completed() {
        for depth in [1, 16] {
            let rate = once(Kind::Redis, depth, 20).unwrap();
            assert!(0.0 < rate.items_per_s);
        }
    }
}
