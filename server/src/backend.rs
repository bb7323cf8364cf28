//! What the pages ask of the server: the app's `Backend`, answered by manager, store, queue and platform.

use app::api::error::ApiError;
use app::backend::{Backend, JobCommand, LogChunk, LogStream};
use async_trait::async_trait;
use control::controllers;
use control::job::Phase;
use control::live::{ItemState, ItemView, JobDetail, JobSummary, Series};
use control::plugin::Catalog;
use serde_json::Value;

use crate::clock::now_ms;
use crate::manager::{Manager, internal};
use crate::{actuator, monitor, platform};

/// Marks that a page gets at once; older ones stay in the store.
const MARKS_SHOWN: u32 = 500;
/// Rows of one page of items.
const ITEMS_SHOWN: u32 = 5000;

pub struct Server {
    pub manager: Manager,
}

/// Everything that this server offers, from the declarations of the plugins alone.
pub fn catalog() -> Catalog {
    Catalog {
        controllers: controllers::describe(),
        monitors: monitor::catalog().iter().map(|entry| (entry.describe)()).collect(),
        actuators: actuator::catalog().iter().map(|entry| (entry.describe)()).collect(),
        platforms: platform::catalog(),
    }
}

impl Server {
    /// Series of a job between two moments, decimated to `width` points with minima and maxima kept.
    pub async fn series(&self, id: &str, from: i64, to: i64, width: u32) -> Result<Vec<Series>, ApiError> {
        self.manager.shared.store.series(id, &[], from, to, width).await.map_err(|error| internal(&error))
    }
}

#[async_trait]
impl Backend for Server {
    fn catalog(&self) -> Catalog {
        catalog()
    }

    async fn jobs(&self, limit: u32) -> Result<Vec<JobSummary>, ApiError> {
        self.manager.shared.store.jobs(limit).await.map_err(|error| internal(&error))
    }

    async fn job(&self, id: &str, width: u32) -> Result<JobDetail, ApiError> {
        let row = self.manager.row(id).await?;
        let from = row.started_at.unwrap_or(row.submitted_at);
        let to = row.ended_at.unwrap_or_else(now_ms).max(from + 1000);
        let detail = self.manager.shared.store.detail(id, from, to, width.clamp(50, 4000), MARKS_SHOWN);
        detail.await.map_err(|error| internal(&error))?.ok_or_else(|| ApiError::NotFound { what: format!("job {id}") })
    }

    async fn command(&self, id: &str, command: JobCommand, by: &str) -> Result<(), ApiError> {
        tracing::info!("job {id}: {command:?} by {by}");
        self.manager.command(id, command).await
    }

    async fn tune(&self, id: &str, loop_name: &str, base_revision: u32, params: Value, by: &str) -> Result<u32, ApiError> {
        self.manager.tune(id, loop_name, base_revision, params, by).await
    }

    async fn items(&self, id: &str, state: Option<ItemState>, offset: u64, limit: u32) -> Result<Vec<ItemView>, ApiError> {
        let row = self.manager.row(id).await?;
        match self.manager.queue(id) {
            // Accepted a moment ago: its queue is being made.
            Err(ApiError::NotFound { .. }) if row.phase == Phase::Created => Ok(Vec::new()),
            queue => Ok(queue?.items(state, offset, limit.min(ITEMS_SHOWN))),
        }
    }

    async fn retry_items(&self, id: &str, indexes: Vec<u64>) -> Result<u64, ApiError> {
        self.manager.retry(id, &indexes).await
    }

    async fn replica_log(&self, id: &str, replica: &str, stream: LogStream, from: Option<u64>) -> Result<LogChunk, ApiError> {
        let row = self.manager.row(id).await?;
        let unknown = || ApiError::NotFound { what: format!("replica {replica} of job {id}") };
        if !replica.starts_with(&format!("{id}-r")) || !replica[id.len() + 2..].bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(unknown());
        }
        let platform = self.manager.shared.platform(&row.spec.platform.kind).ok_or_else(unknown)?;
        let stream = match stream {
            LogStream::Stdout => platform::LogStream::Stdout,
            LogStream::Stderr => platform::LogStream::Stderr,
        };
        let chunk = platform.log(replica, stream, from).map_err(|error| internal(&error))?;
        Ok(LogChunk { from: chunk.from, next: chunk.next, text: chunk.text })
    }
}

#[cfg(test)]
mod tests {
    use control::form::FieldKind;
    use control::plugin::KindInfo;

    use super::catalog;

    /// One declaration serves check, schema, form, sliders and docs: then it has to be whole.
    #[test]
    fn every_field_of_every_plugin_declares_all_that_people_need() {
        let catalog = catalog();
        let all: Vec<&KindInfo> =
            [&catalog.controllers, &catalog.monitors, &catalog.actuators, &catalog.platforms].into_iter().flatten().collect();
        assert!(6 <= all.len(), "{}", all.len());
        for plugin in all {
            assert!(!plugin.title.is_empty() && !plugin.about.is_empty(), "{}", plugin.kind);
            for field in &plugin.fields {
                let name = format!("{}.{}", plugin.kind, field.name);
                assert!(!field.title.is_empty(), "{name} has no title");
                assert!(10 <= field.help.len(), "{name} has no help");
                if matches!(field.kind, FieldKind::Number | FieldKind::Integer) {
                    assert!(field.unit.is_some() || field.step == Some(1.0), "{name} has no unit");
                    assert!(field.min.is_some() && field.max.is_some() && field.step.is_some(), "{name} has no bounds or step");
                }
            }
        }
    }
}
