//! `asperathos queue`: a bare job queue on one address, for trying clients and for benches.

use std::net::SocketAddr;
use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use control::job::{Order, QueueSpec};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::queue::{Callers, QueueError, Queues};

#[derive(Debug, Args)]
pub struct QueueArgs {
    /// How many items to fill it with.
    #[arg(long, default_value_t = 0)]
    items: u64,
    /// Where it is kept.
    #[arg(long)]
    data: PathBuf,
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:6380")]
    listen: SocketAddr,
}

#[derive(Debug, thiserror::Error)]
pub enum QueueCommandError {
    #[error("the queue failed")]
    Queue(#[from] QueueError),
    #[error("could not listen on {listen}")]
    Listen {
        listen: SocketAddr,
        #[source]
        cause: std::io::Error,
    },
}

pub async fn run(args: QueueArgs) -> Result<(), QueueCommandError> {
    const LOT: u64 = 10_000;
    let queues = Queues::open(&args.data)?;
    let queue = match queues.load("kj-bare")? {
        Some(queue) => queue,
        None => queues.create("kj-bare", QueueSpec { max_attempts: 3, order: Order::Fifo })?,
    };
    if !queue.sealed() {
        queue.clear()?;
        for from in (0..args.items).step_by(LOT as usize) {
            let lot: Vec<Bytes> = (from..args.items.min(from + LOT)).map(|item| Bytes::from(format!("item-{item:010}"))).collect();
            queue.append(&lot)?;
        }
        queue.seal()?;
    }
    let listen = args.listen;
    let listener = TcpListener::bind(listen).await.map_err(|cause| QueueCommandError::Listen { listen, cause })?;
    tracing::info!("{} items wait on {listen}", queue.counts().waiting);
    let stop = CancellationToken::new();
    tokio::select! {
        () = queue.serve(Callers::Only("kj-bare-r1".to_owned()), listener, stop.clone()) => {}
        _ = tokio::signal::ctrl_c() => stop.cancel(),
    }
    Ok(())
}
