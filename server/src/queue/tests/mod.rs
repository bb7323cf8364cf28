//! The queue seen by its workers and by the server, over real sockets with a real client.

mod callers;
mod commands;
mod contract;
mod durability;
mod extension;
mod lifecycle;
mod model;
mod remote;

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use control::job::{Order, QueueSpec};
use control::live::{ItemState, ItemView};
use redis::{FromRedisValue, aio::MultiplexedConnection};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Addresses, Caller, Callers, Look, Queue, Queues, Start};

const JOB: &str = "kj-0123456789abcdef";

/// A sealed queue in a directory of its own.
struct Fixture {
    dir: tempfile::TempDir,
    queue: Arc<Queue>,
    queues: Arc<Queues>,
}

fn queue_of(order: Order, max_attempts: u32, items: &[&str]) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let queues = Queues::open(dir.path()).unwrap();
    let queue = queues.create(JOB, QueueSpec { max_attempts, order }).unwrap();
    queue.append(&items.iter().map(|item| Bytes::copy_from_slice(item.as_bytes())).collect::<Vec<_>>()).unwrap();
    queue.seal().unwrap();
    Fixture { dir, queue, queues }
}

/// A replica's connection; its listener lives as long as this does.
struct Worker {
    redis: MultiplexedConnection,
    address: std::net::SocketAddr,
    _stop: DropGuard,
}

impl Worker {
    async fn of(queue: &Arc<Queue>, replica: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let (queue, token, replica) = (queue.clone(), stop.clone(), replica.to_owned());
        tokio::spawn(async move { queue.serve(Callers::Only(replica), listener, token).await });
        Self { redis: connect(address, "").await, address, _stop: stop.drop_guard() }
    }

    /// Sends one command, its words separated by spaces.
    async fn say<T: FromRedisValue>(&mut self, words: &str) -> T {
        self.attempt(words).await.unwrap_or_else(|error| panic!("{words}: {error}"))
    }

    async fn attempt<T: FromRedisValue>(&mut self, words: &str) -> redis::RedisResult<T> {
        let mut words = words.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        for word in words {
            command.arg(word);
        }
        command.query_async(&mut self.redis).await
    }

    async fn refused(&mut self, words: &str) -> String {
        match self.attempt::<redis::Value>(words).await {
            Ok(value) => panic!("{words} was answered: {value:?}"),
            Err(error) => error.to_string(),
        }
    }

    async fn take(&mut self) -> Option<String> {
        self.say("RPOPLPUSH job job:processing").await
    }
}

async fn connect(address: std::net::SocketAddr, options: &str) -> MultiplexedConnection {
    let client = redis::Client::open(format!("redis://{address}/{options}")).unwrap();
    // Longer than any command waits in these tests.
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(std::time::Duration::from_secs(60)));
    client.get_multiplexed_async_connection_with_config(&config).await.unwrap()
}

impl Queue {
    /// A page of small items.
    fn items(&self, state: Option<ItemState>, skip: u64, limit: u32) -> Vec<ItemView> {
        self.look(Look { state, start: Start::Skip(skip), limit, text: usize::MAX, bytes: usize::MAX })
    }
}

/// Waiting, processing, done, dead.
fn counts(queue: &Queue) -> [u64; 4] {
    let counts = queue.counts();
    assert_eq!(counts.total, counts.waiting + counts.processing + counts.done + counts.dead);
    [counts.waiting, counts.processing, counts.done, counts.dead]
}

/// What would be found after `kill -9` at this moment: a copy of the files, opened anew.
fn after_a_kill(fixture: &Fixture) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    copy(fixture.dir.path(), dir.path());
    let queues = Queues::open(dir.path()).unwrap();
    let queue = queues.load(JOB).unwrap().unwrap();
    Fixture { dir, queue, queues }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
