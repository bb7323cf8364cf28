//! A worker for container images: takes items over the Redis protocol and does as they say, one after another.
//!
//! An item is `VERB:ARGUMENT:NAME`: `sleep:0.5:a` waits, `spin:0.5:b` keeps a core busy, `load:0.3:c` uses three tenths
//! of a core for a second, or what it is given, `exit:3:d` ends the worker.
//! When it is asked to end (TERM), it finishes its item first; with `ON_TERM=end` it ends at once, and with
//! `ON_TERM=ignore` it works on.
//! With an argument it takes nothing, works for so many seconds and ends: a pod of a Job that has no queue.

use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use signal_hook::consts::SIGTERM;

/// How long a queue may be away.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    if let Some(long) = env::args().nth(1) {
        thread::sleep(seconds(&long));
        return ExitCode::SUCCESS;
    }
    let ended = queue_address().and_then(|address| work(&address));
    ended.unwrap_or_else(|error| {
        eprintln!("pod-worker: {error}");
        ExitCode::FAILURE
    })
}

fn queue_address() -> io::Result<String> {
    let variable = |name: &str| env::var(name).map_err(|_| io::Error::other(format!("{name} is not set")));
    Ok(format!("{}:{}", variable("REDIS_HOST")?, variable("REDIS_PORT")?))
}

fn work(address: &str) -> io::Result<ExitCode> {
    let asked_to_end = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&asked_to_end);
    match env::var("ON_TERM").as_deref() {
        // The first process of a container ends by no signal that it does not handle.
        Ok("ignore") => {}
        Ok("end") => drop(signal_hook::flag::register_conditional_shutdown(SIGTERM, 0, Arc::new(AtomicBool::new(true)))?),
        _ => drop(signal_hook::flag::register(SIGTERM, asked)?),
    }
    let mut queue = Queue::connect(address)?;
    while !asked_to_end.load(Ordering::Relaxed) {
        let Some(item) = queue.ask(&["RPOPLPUSH", "job", "job:processing"])? else {
            let left = ["job", "job:processing"].map(|list| queue.ask(&["LLEN", list]));
            if left.into_iter().collect::<io::Result<Vec<_>>>()?.iter().all(|length| length.as_deref() == Some("0")) {
                say("nothing is left to do");
                return Ok(ExitCode::SUCCESS);
            }
            thread::sleep(Duration::from_millis(50));
            continue;
        };
        say(&format!("took {item}"));
        let mut parts = item.splitn(3, ':');
        let (verb, argument) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        match verb {
            "spin" => spin(seconds(argument)),
            "load" => load(argument.parse().unwrap_or(0.0))?,
            "exit" => return Ok(ExitCode::from(argument.parse::<u8>().unwrap_or(1))),
            _ => thread::sleep(seconds(argument)),
        }
        queue.ask(&["RPUSH", "job:results", &item])?;
        queue.ask(&["LREM", "job:processing", "1", &item])?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        say(&format!("did {item} at {:.3}", since.as_secs_f64()));
    }
    say("asked to end");
    Ok(ExitCode::SUCCESS)
}

fn seconds(text: &str) -> Duration {
    Duration::try_from_secs_f64(text.parse().unwrap_or(0.0)).unwrap_or_default()
}

fn spin(long: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < long {
        std::hint::spin_loop();
    }
}

/// A second in which so many cores are used in the mean, as far as there is so much CPU.
fn load(cores: f64) -> io::Result<()> {
    let (begun, before) = (Instant::now(), on_cpu()?);
    while begun.elapsed() < Duration::from_secs(1) {
        if (on_cpu()? - before).as_secs_f64() < cores * begun.elapsed().as_secs_f64() {
            spin(Duration::from_millis(1));
        } else {
            thread::sleep(Duration::from_millis(2));
        }
    }
    Ok(())
}

/// How long this thread was on a CPU so far.
fn on_cpu() -> io::Result<Duration> {
    let text = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds = text.split(' ').next().and_then(|number| number.parse().ok());
    nanoseconds.map(Duration::from_nanos).ok_or_else(|| io::Error::other("the kernel does not tell how long it was on a CPU"))
}

/// A line of the worker's log. Nobody may be reading it.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// As much of the Redis protocol as is needed here. A queue that hangs up is called again: its server may be
/// starting anew, and remembers what this worker holds.
struct Queue {
    address: String,
    reader: BufReader<TcpStream>,
}

impl Queue {
    fn connect(address: &str) -> io::Result<Self> {
        Ok(Self { address: address.to_owned(), reader: call(address)? })
    }

    /// One command; answers with the text or number of the reply, nothing for nil.
    fn ask(&mut self, words: &[&str]) -> io::Result<Option<String>> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.try_ask(words) {
                Err(error) if error.kind() != io::ErrorKind::Other && Instant::now() < until => {
                    thread::sleep(Duration::from_millis(100));
                    self.reader = call(&self.address)?;
                }
                answer => return answer,
            }
        }
    }

    fn try_ask(&mut self, words: &[&str]) -> io::Result<Option<String>> {
        let mut command = format!("*{}\r\n", words.len());
        for word in words {
            command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.reader.get_mut().write_all(command.as_bytes())?;
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        let (kind, rest) = line.split_at_checked(1).ok_or_else(|| io::Error::other("the queue answered nothing"))?;
        match kind {
            ":" | "+" => Ok(Some(rest.to_owned())),
            "$" if rest == "-1" => Ok(None),
            "$" => {
                let length: usize = rest.parse().map_err(io::Error::other)?;
                let mut text = vec![0; length + 2];
                self.reader.read_exact(&mut text)?;
                text.truncate(length);
                String::from_utf8(text).map(Some).map_err(io::Error::other)
            }
            _ => Err(io::Error::other(format!("the queue said: {line}"))),
        }
    }
}

/// The way to the queue may be a moment younger than its pod.
fn call(address: &str) -> io::Result<BufReader<TcpStream>> {
    let until = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(address) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(BufReader::new(stream));
            }
            Err(_) if Instant::now() < until => thread::sleep(Duration::from_millis(100)),
            Err(error) => return Err(error),
        }
    }
}
