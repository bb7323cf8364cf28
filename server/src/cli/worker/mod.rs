//! `asperathos worker -- COMMAND {item}`: makes any program a worker. Takes an item, runs the command,
//! reports its output as the result or its failure as the error, and takes the next.

mod client;
mod command;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use client::{Client, ClientError, QueueState};
use command::{Outcome, Runner};

/// How long an idle worker pauses between asking how the job stands and asking for an item again.
/// The take itself waits at the queue; this only keeps a queue that answers at once from being flooded.
const IDLE: Duration = Duration::from_millis(100);

/// How long after the end of our command the signal that ended it may take to reach us.
const SAME_SIGNAL: Duration = Duration::from_millis(200);

/// Takes items of a job one after another and runs a command for each.
///
/// `{item}` in any argument is replaced by the item; if it appears nowhere, the item comes on standard input.
/// The command finds ASPERATHOS_ITEM, ASPERATHOS_INDEX and ASPERATHOS_ATTEMPT in its environment.
/// What it writes to standard output is the result (at most 64 MiB); exit code 0 means done.
#[derive(Debug, Clone, clap::Args)]
pub struct WorkerArgs {
    /// Where the queue listens; set by Asperathos for its replicas.
    #[arg(long, env = "REDIS_HOST", default_value = "127.0.0.1")]
    pub host: String,
    /// The queue's port; set by Asperathos for its replicas.
    #[arg(long, env = "REDIS_PORT", default_value_t = 6379)]
    pub port: u16,
    /// Seconds after which the command, with all its children, is killed and the item has failed.
    #[arg(long, value_parser = seconds)]
    pub timeout_s: Option<Duration>,
    /// Where the result is found.
    #[arg(long, value_enum, default_value_t = ResultFrom::Stdout)]
    pub result: ResultFrom,
    /// The command and its arguments.
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}

/// Where the result of an item is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ResultFrom {
    /// What the command writes to standard output.
    Stdout,
    /// The file named by `{result}` and ASPERATHOS_RESULT; standard output is passed through.
    File,
}

/// Why a worker ends otherwise than by the end of its job.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    #[error("could not listen for signals")]
    Signals {
        #[source]
        cause: std::io::Error,
    },
    #[error("could not speak with the queue")]
    Queue {
        #[source]
        cause: ClientError,
    },
}

/// Works until the job is over, or until SIGTERM or SIGINT: then the current item is finished and reported first.
///
/// # Errors
/// The queue refuses to hand out items, or is away for more than ten minutes.
///
/// The command runs in a process group of its own, so that a signal to the worker's group does not interrupt an item.
/// A worker that is killed with SIGKILL cannot end its command: whoever kills it must end the whole tree,
/// as the platforms do.
pub async fn run(args: WorkerArgs) -> Result<ExitCode, WorkerError> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).map_err(|cause| WorkerError::Signals { cause })?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|cause| WorkerError::Signals { cause })?;
    let signals = tokio::spawn({
        let stop = stop.clone();
        async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("asked to end: finishing the current item");
            stop.cancel();
        }
    });
    let worked = work(args, &stop).await;
    signals.abort();
    worked.map_err(|cause| WorkerError::Queue { cause })?;
    Ok(ExitCode::SUCCESS)
}

async fn work(args: WorkerArgs, stop: &CancellationToken) -> Result<(), ClientError> {
    let mut client = Client::new(args.host, args.port);
    let runner = Runner::new(args.command, args.timeout_s, args.result);
    while !stop.is_cancelled() {
        if let Some(task) = client.take(stop).await? {
            let outcome = runner.run(&task).await;
            if unfinished(&outcome, stop).await {
                tracing::info!(item = task.index, "the command was ended with us: the item goes back");
                break;
            }
            let reported = match outcome {
                Outcome::Done(result) => client.done(&task, &result).await,
                Outcome::Failed(why) | Outcome::Killed(why) => client.fail(&task, &why).await,
            };
            // The queue knows best whether it still waits for this attempt; the next item may be welcome.
            match reported {
                Ok(true) => {}
                Ok(false) => tracing::warn!(item = task.index, "another replica has this item now"),
                Err(ClientError::Refused { cause, .. }) => {
                    tracing::warn!(item = task.index, "the queue refused what became of this item: {cause}");
                }
                Err(gone) => return Err(gone),
            }
            continue;
        }
        match client.state(stop).await? {
            QueueState::Over => break,
            // Starved before removal: the platform ends us, or the queue hands out again.
            QueueState::Draining | QueueState::Open => {
                tokio::select! { () = tokio::time::sleep(IDLE) => {} () = stop.cancelled() => {} }
            }
        }
    }
    Ok(())
}

/// Whoever asks us to end may ask our command too. What it then does is no failure of the item:
/// the queue hands it out again as soon as we are gone.
async fn unfinished(outcome: &Outcome, stop: &CancellationToken) -> bool {
    match outcome {
        Outcome::Done(_) => false,
        Outcome::Failed(_) => stop.is_cancelled(),
        Outcome::Killed(_) => tokio::time::timeout(SAME_SIGNAL, stop.cancelled()).await.is_ok(),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("must be more than 0 seconds".to_owned()),
    }
}
