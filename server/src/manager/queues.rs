//! Which queue a job has: one in the server's own folder, or one in a Redis, whose URL with its password is in a file
//! that only the server reads.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use app::api::error::ApiError;
use control::job::{JobQueue, Phase};
use control::plugin::FieldError;
use tokio::io::AsyncWriteExt as _;

use super::{Manager, Shared, internal, workload};
use crate::queue::{self, Address, Queue, QueueError};
use crate::store::JobRow;

/// How often a Redis that is away when its job begins is asked again.
const AGAIN: Duration = Duration::from_secs(1);

impl Shared {
    /// The queue of a job, living or ended; `None` when there is none.
    pub async fn queue(&self, row: &JobRow) -> Result<Option<Arc<Queue>>, QueueError> {
        match self.queues.opened(&row.id) {
            Some(queue) => Ok(Some(queue)),
            None => self.loaded(&row.id, self.address(row).await?.as_ref()).await,
        }
    }

    async fn loaded(&self, job: &str, address: Option<&Address>) -> Result<Option<Arc<Queue>>, QueueError> {
        match address {
            None => self.queues.load(job),
            Some(address) => self.queues.load_remote(job, address).await,
        }
    }

    /// The queue of a job that begins or goes on; a new job gets one. A Redis that is away is waited for.
    pub async fn queue_or_new(&self, row: &JobRow) -> Result<Arc<Queue>, QueueError> {
        let mut told = false;
        loop {
            match self.found_or_made(row).await {
                Err(error @ QueueError::Away { .. }) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!("job {}: {error}; it goes on when that is back", row.id);
                    }
                    tokio::time::sleep(AGAIN).await;
                }
                other => return other,
            }
        }
    }

    async fn found_or_made(&self, row: &JobRow) -> Result<Arc<Queue>, QueueError> {
        let new = row.phase == Phase::Created;
        let address = self.address(row).await?;
        match (self.loaded(&row.id, address.as_ref()).await, address) {
            (Ok(Some(queue)), _) => Ok(queue),
            (Ok(None), Some(address)) if !new => {
                Err(QueueError::Lost { at: address.to_string(), why: "it holds nothing of this job any more".to_owned() })
            }
            // The server died while it made the queue: nothing was handed out yet.
            (Err(QueueError::Corrupt { .. }), address) if new => self.made(row, address).await,
            (Ok(None), address) => self.made(row, address).await,
            (Err(error), _) => Err(error),
        }
    }

    async fn made(&self, row: &JobRow, address: Option<Address>) -> Result<Arc<Queue>, QueueError> {
        let rules = row.spec.queue.rules();
        match address {
            None => self.queues.create(&row.id, rules),
            Some(address) => self.queues.create_remote(&row.id, &address, rules).await,
        }
    }

    /// Removes the queue of an ended job. One whose Redis is away stays there, and who reads the log knows where:
    /// a Redis that never comes back must not keep its jobs here for ever.
    pub async fn forget_queue(&self, row: &JobRow) -> Result<(), QueueError> {
        let Some(address) = self.address(row).await? else { return self.queues.delete(&row.id) };
        match self.queues.delete_remote(&row.id, &address).await {
            Err(error @ QueueError::Away { .. }) => tracing::warn!("job {}: its items stay where they are: {error}", row.id),
            other => other?,
        }
        self.forget_secret(&row.id).await;
        Ok(())
    }

    pub(super) async fn forget_secret(&self, job: &str) {
        match tokio::fs::remove_file(self.secret(job)).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!("job {job}: the file with the URL of its Redis could not be removed: {error}");
            }
            _ => {}
        }
    }

    fn secret(&self, job: &str) -> PathBuf {
        self.settings.secrets().join(format!("{job}.redis-url"))
    }

    /// Where the Redis of a job is, if it has one. Without the file, as in a data folder that was copied in part, the URL
    /// has no password.
    async fn address(&self, row: &JobRow) -> Result<Option<Address>, QueueError> {
        if !row.spec.queue.in_redis() {
            return Ok(None);
        }
        let shown = row.spec.queue.url.clone().unwrap_or_default();
        let kept = tokio::fs::read_to_string(self.secret(&row.id)).await;
        match Address::parse(kept.as_ref().unwrap_or(&shown)) {
            Ok(address) => Ok(Some(address)),
            Err(why) => Err(QueueError::Lost { at: shown, why: format!("its URL {why}") }),
        }
    }

    async fn keep(&self, job: &str, address: &Address) -> std::io::Result<()> {
        tokio::fs::DirBuilder::new().recursive(true).mode(0o700).create(self.settings.secrets()).await?;
        let mut file = tokio::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.secret(job)).await?;
        file.write_all(address.secret().as_bytes()).await?;
        file.sync_all().await
    }
}

impl Manager {
    /// The queue of a job, living or ended.
    pub async fn queue(&self, row: &JobRow) -> Result<Arc<Queue>, ApiError> {
        let queue = self.shared.queue(row).await.map_err(|error| failed(&error))?;
        queue.ok_or_else(|| ApiError::NotFound { what: format!("the queue of job {}", row.id) })
    }

    /// The Redis that a new job is to have, once it is known to be of use. `None` for the server's own queue.
    pub(super) async fn reached(&self, queue: &JobQueue) -> Result<Option<Address>, ApiError> {
        let Some(url) = queue.url.as_deref() else { return Ok(None) };
        let invalid = |message: String| ApiError::Invalid { errors: vec![FieldError::new("queue.url", message)] };
        let address = Address::parse(url).map_err(invalid)?;
        let found: Vec<_> = tokio::net::lookup_host((address.host(), address.port()))
            .await
            .map(Iterator::collect)
            .map_err(|error| invalid(format!("cannot be used: its host {} cannot be found ({error})", address.host())))?;
        if found.iter().any(|one| workload::forbidden(one.ip())) {
            return Err(invalid("leads to an address that this server does not connect to".to_owned()));
        }
        queue::check(&address).await.map_err(invalid)?;
        Ok(Some(address))
    }

    /// Keeps what a job's URL must not show, before the job is stored without it.
    pub(super) async fn keep_apart(&self, job: &str, queue: &mut JobQueue, address: Option<&Address>) -> Result<(), ApiError> {
        let Some(address) = address else { return Ok(()) };
        queue.url = Some(address.to_string());
        let kept = self.shared.keep(job, address).await;
        kept.map_err(|error| ApiError::Internal { message: format!("the URL of the Redis could not be kept: {error}") })
    }
}

/// A Redis that is away is nothing that went wrong here.
pub fn failed(error: &QueueError) -> ApiError {
    match error {
        QueueError::Away { .. } | QueueError::Lost { .. } => ApiError::Conflict { message: error.to_string() },
        other => internal(other),
    }
}
