//! The worker's dialogue with its queue. A queue that went away is waited for, and asked the same again:
//! its commands may be repeated without harm.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, RedisError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long the queue lets a take wait for an item, in seconds.
const TAKE_S: u32 = 2;

/// An answer that takes longer is as good as a lost connection. Far above `TAKE_S` and above the time
/// that a result of 64 MiB needs to be stored.
const ANSWER: Duration = Duration::from_secs(60);

const CONNECT: Duration = Duration::from_secs(5);

/// A server that was killed comes back at the same address; a replica without its queue for longer is of no use.
const PATIENCE: Duration = Duration::from_secs(600);

/// Pauses between two attempts to connect: doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// An item in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its line in the workload, from 0.
    pub index: u64,
    /// How often it was handed out, this time included.
    pub attempt: u64,
    pub item: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueState {
    /// There are, or may come, items for us.
    Open,
    /// We get no more items, as we are about to be removed.
    Draining,
    /// No item is left anywhere.
    Over,
}

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{host} is not the name of a queue")]
    Address {
        host: String,
        #[source]
        cause: RedisError,
    },
    #[error("the queue at {address} was away for {} minutes", PATIENCE.as_secs() / 60)]
    Gone {
        address: String,
        #[source]
        cause: RedisError,
    },
    #[error("the queue refused {command}")]
    Refused {
        command: &'static str,
        #[source]
        cause: RedisError,
    },
}

pub struct Client {
    host: String,
    port: u16,
    connection: Option<MultiplexedConnection>,
}

impl Client {
    /// Connects when first needed.
    pub fn new(host: String, port: u16) -> Self {
        Self { host, port, connection: None }
    }

    /// The next item; `None` when there is none for us now, or when `stop` came while the queue was away.
    pub async fn take(&mut self, stop: &CancellationToken) -> Result<Option<Task>, ClientError> {
        let mut command = redis::cmd("ASPERATHOS.TAKE");
        command.arg(TAKE_S);
        let taken: Option<Option<(u64, u64, Vec<u8>)>> = self.ask("ASPERATHOS.TAKE", &command, Some(stop)).await?;
        Ok(taken.flatten().map(|(index, attempt, item)| Task { index, attempt, item }))
    }

    /// How the job stands for us; `Over` when `stop` came while the queue was away.
    pub async fn state(&mut self, stop: &CancellationToken) -> Result<QueueState, ClientError> {
        let command = redis::cmd("ASPERATHOS.STATE");
        let word: Option<String> = self.ask("ASPERATHOS.STATE", &command, Some(stop)).await?;
        Ok(match word.as_deref() {
            None | Some("over") => QueueState::Over,
            Some("drain") => QueueState::Draining,
            Some(_) => QueueState::Open,
        })
    }

    /// Hands in a result. Nothing interrupts it: the work is done, and must not be lost.
    /// False when the queue no longer waits for this attempt.
    pub async fn done(&mut self, task: &Task, result: &[u8]) -> Result<bool, ClientError> {
        let mut command = redis::cmd("ASPERATHOS.DONE");
        command.arg(task.index).arg(task.attempt).arg(result);
        let accepted: Option<u8> = self.ask("ASPERATHOS.DONE", &command, None).await?;
        Ok(accepted == Some(1))
    }

    /// Says that the item failed, and why. False when the queue no longer waits for this attempt.
    pub async fn fail(&mut self, task: &Task, why: &str) -> Result<bool, ClientError> {
        let mut command = redis::cmd("ASPERATHOS.FAIL");
        command.arg(task.index).arg(task.attempt).arg(why);
        let accepted: Option<u8> = self.ask("ASPERATHOS.FAIL", &command, None).await?;
        Ok(accepted == Some(1))
    }

    /// Sends a command until it is answered. `None` only when `stop` came while the queue was away.
    async fn ask<T: FromRedisValue>(
        &mut self,
        name: &'static str,
        command: &Cmd,
        stop: Option<&CancellationToken>,
    ) -> Result<Option<T>, ClientError> {
        let mut away_since: Option<Instant> = None;
        let mut pause = FIRST_PAUSE;
        loop {
            let cause = match self.connected().await? {
                Ok(connection) => match command.query_async(connection).await {
                    Ok(answer) => return Ok(Some(answer)),
                    Err(cause) if !lost(&cause) => {
                        return Err(ClientError::Refused { command: name, cause });
                    }
                    Err(cause) => cause,
                },
                Err(cause) => cause,
            };
            self.connection = None;
            let since = *away_since.get_or_insert_with(|| {
                tracing::warn!("the queue at {}:{} is away: {cause}", self.host, self.port);
                Instant::now()
            });
            if PATIENCE <= since.elapsed() {
                return Err(ClientError::Gone { address: format!("{}:{}", self.host, self.port), cause });
            }
            match stop {
                None => tokio::time::sleep(pause).await,
                Some(stop) => tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stop.cancelled() => return Ok(None),
                },
            }
            pause = LAST_PAUSE.min(pause * 2);
        }
    }

    /// The open connection, or a new one. The outer error does not pass by waiting; the inner one may.
    async fn connected(&mut self) -> Result<Result<&mut MultiplexedConnection, RedisError>, ClientError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let client = redis::Client::open((self.host.as_str(), self.port))
                    .map_err(|cause| ClientError::Address { host: self.host.clone(), cause })?;
                let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(ANSWER));
                match client.get_multiplexed_async_connection_with_config(&config).await {
                    Ok(connection) => connection,
                    Err(cause) => return Ok(Err(cause)),
                }
            }
        };
        Ok(Ok(self.connection.insert(connection)))
    }
}

/// Whether asking again, over a new connection, may help.
fn lost(cause: &RedisError) -> bool {
    cause.is_io_error()
        || cause.is_timeout()
        || cause.is_connection_dropped()
        || cause.is_connection_refusal()
        || cause.is_unrecoverable_error()
}
