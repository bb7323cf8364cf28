//! Writes down what a pod prints while it lives: with the pod its log is gone.

use std::{io, path::PathBuf, time::Duration};

use futures::AsyncBufReadExt;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::LogParams};
use tokio::io::AsyncWriteExt;

use super::{
    cluster::{Cluster, Kind, Trouble},
    template::CONTAINER,
};
use crate::platform::{LogStream, logs::Logs};

/// How often a log that cannot be read is asked for again.
const AGAIN: Duration = Duration::from_secs(1);
const TRIES: u32 = 10;

/// Copies the log of a pod's worker into the replica's folder, until the pod has ended. A server that comes later
/// goes on where its predecessor was. Kubernetes keeps one log for both streams.
pub async fn follow(cluster: Cluster, namespace: String, pod: String, folder: PathBuf, limit: u64) {
    let mut tries = 0;
    loop {
        match copy(&cluster, &namespace, &pod, &folder, limit).await {
            Ok(()) => return,
            // However long: a cluster that is not there ends no pods that anybody could know of.
            Err(trouble) if trouble.kind == Kind::Away => {}
            Err(trouble) if tries == TRIES => return tracing::warn!("the log of pod {pod} cannot be read: {}", trouble.words),
            Err(_) => tries += 1,
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn copy(cluster: &Cluster, namespace: &str, pod: &str, folder: &PathBuf, limit: u64) -> Result<(), Trouble> {
    let disk = |error: io::Error| Trouble { kind: Kind::Refused, words: error.to_string() };
    let pods = Api::<Pod>::namespaced(cluster.client().await?, namespace);
    tokio::fs::create_dir_all(folder).await.map_err(disk)?;
    let logs = Logs::create(folder, limit).map_err(disk)?;
    let file = logs.writer(LogStream::Stdout).map_err(disk)?;
    let mut known = file.metadata().map_err(disk)?.len();
    let mut file = tokio::fs::File::from_std(file);
    let how = LogParams { container: Some(CONTAINER.to_owned()), follow: true, ..LogParams::default() };
    let stream = pods.log_stream(pod, &how).await.map_err(|error| Trouble::from(&error))?;
    let mut stream = std::pin::pin!(stream);
    let mut since_trim = 0;
    loop {
        let bytes = stream.fill_buf().await.map_err(disk)?;
        if bytes.is_empty() {
            return file.flush().await.map_err(disk);
        }
        let length = bytes.len();
        // What was written by a server before, or before the connection broke.
        let skip = length.min(usize::try_from(known).unwrap_or(usize::MAX));
        known -= skip as u64;
        file.write_all(&bytes[skip..]).await.map_err(disk)?;
        stream.consume_unpin(length);
        since_trim += (length - skip) as u64;
        if limit < since_trim {
            file.flush().await.map_err(disk)?;
            logs.trim().map_err(disk)?;
            since_trim = 0;
        }
        file.flush().await.map_err(disk)?;
    }
}
