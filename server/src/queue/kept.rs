//! Whether what a queue did is kept: on disk it is at once; in a Redis it will be, and until then nobody is told of it.

use super::{Queue, error::QueueError};

impl Queue {
    /// Waits until all that was done so far is kept, however long its Redis is away.
    ///
    /// # Errors
    /// `Lost`.
    pub async fn written(&self) -> Result<(), QueueError> {
        let ticket = self.lock().journal.ticket();
        self.written_to(ticket).await
    }

    pub(super) async fn written_to(&self, ticket: Option<u64>) -> Result<(), QueueError> {
        match (&self.writing, ticket) {
            (Some(writing), Some(ticket)) => writing.remote.written(ticket).await,
            _ => Ok(()),
        }
    }

    /// Waits until its Redis can be reached. What is asked of a queue meanwhile would be done in memory alone.
    ///
    /// # Errors
    /// `Lost`.
    pub(super) async fn present(&self) -> Result<(), QueueError> {
        match &self.writing {
            Some(writing) => writing.remote.present().await,
            None => Ok(()),
        }
    }

    /// Why it can take and give nothing now, if so: `Away`, which passes, or `Lost`, which does not.
    pub fn trouble(&self) -> Option<QueueError> {
        self.writing.as_ref()?.remote.trouble()
    }

    /// Whether something that was done is not kept yet.
    pub fn behind(&self) -> bool {
        self.writing.as_ref().is_some_and(|writing| writing.remote.behind())
    }

    /// Whether it was made in a Redis that loses what it confirmed when it is killed.
    pub fn forgetful(&self) -> bool {
        self.writing.as_ref().is_some_and(|writing| writing.forgetful)
    }
}
