//! What the pages ask of the server: the app's `Backend`, answered by manager, store, queue and platform.

use std::collections::BTreeMap;

use app::api::error::ApiError;
use app::api::what_if::WhatIfPage;
use app::backend::{Backend, JobCommand, LogChunk, LogStream};
use async_trait::async_trait;
use control::controllers;
use control::job::Phase;
use control::live::{ItemState, ItemView, JobDetail, JobSummary, Series};
use control::plugin::Catalog;
use serde_json::Value;

use crate::clock::now_ms;
use crate::manager::{Manager, failed, internal, submission};
use crate::queue::{Look, Start};
use crate::{actuator, monitor, platform, recorder};

/// Marks that a page gets at once; older ones stay in the store.
const MARKS_SHOWN: u32 = 500;
/// Rows of one page of items, how much of each text is shown, and how much of all.
const ITEMS_SHOWN: u32 = 5000;
const TEXT_SHOWN: usize = 1 << 10;
const TEXTS_SHOWN: usize = 8 << 20;

/// How much of a text result is shown beside its item.
const EXCERPT_LINES: usize = 3;
const EXCERPT_CHARS: usize = 240;

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
        queue: submission::queue_fields(),
    }
}

impl Server {
    /// Series of a job between two moments, decimated to `width` points with minima and maxima kept.
    pub async fn series(&self, id: &str, from: i64, to: i64, width: u32) -> Result<Vec<Series>, ApiError> {
        self.manager.shared.store.series(id, &[], from, to, width).await.map_err(|error| internal(&error))
    }

    /// Some items of a job, living or ended.
    pub async fn look(&self, id: &str, look: Look) -> Result<Vec<ItemView>, ApiError> {
        let row = self.manager.row(id).await?;
        match self.manager.queue(&row).await {
            // Accepted a moment ago: its queue is being made.
            Err(ApiError::NotFound { .. }) if row.phase == Phase::Created => Ok(Vec::new()),
            queue => Ok(queue?.look(look)),
        }
    }
}

/// The first lines of a text, with `…` where it goes on.
fn excerpt(bytes: &[u8]) -> Option<String> {
    let whole = std::str::from_utf8(bytes).ok()?.trim_end();
    let end = whole.match_indices('\n').nth(EXCERPT_LINES - 1).map_or(whole.len(), |(at, _)| at);
    let text: String = whole[..end].chars().take(EXCERPT_CHARS).collect();
    Some(if text.len() < whole.len() { format!("{text} …") } else { text })
}

#[async_trait]
impl Backend for Server {
    fn catalog(&self) -> Catalog {
        catalog()
    }

    fn metrics(&self) -> Vec<(String, Vec<String>)> {
        let names = |entry: &monitor::Entry| entry.metrics.iter().map(|name| (*name).to_owned()).collect();
        monitor::catalog().iter().map(|entry| (entry.kind.to_owned(), names(entry))).collect()
    }

    async fn jobs(&self, limit: u32) -> Result<(i64, Vec<JobSummary>), ApiError> {
        // Read first: what changes meanwhile is then told once more, and never missed.
        let seq = *self.manager.shared.store.seq().borrow();
        Ok((seq, self.manager.shared.store.jobs(limit).await.map_err(|error| internal(&error))?))
    }

    async fn job(&self, id: &str, width: u32) -> Result<JobDetail, ApiError> {
        let row = self.manager.row(id).await?;
        let from = row.started_at.unwrap_or(row.submitted_at);
        let to = row.ended_at.unwrap_or_else(now_ms).max(from + 1000);
        let detail = self.manager.shared.store.detail(id, from, to, width.clamp(50, 4000), MARKS_SHOWN);
        let mut detail = detail.await.map_err(|error| internal(&error))?.ok_or_else(|| ApiError::NotFound { what: format!("job {id}") })?;
        detail.record = self.manager.experience(&detail.spec).await?.record;
        Ok(detail)
    }

    async fn command(&self, id: &str, command: JobCommand, by: &str) -> Result<(), ApiError> {
        tracing::info!("job {id}: {command:?} by {by}");
        self.manager.command(id, command).await
    }

    async fn tune(&self, id: &str, loop_name: &str, base_revision: u32, params: Value, by: &str) -> Result<u32, ApiError> {
        self.manager.tune(id, loop_name, base_revision, params, by).await
    }

    async fn items(&self, id: &str, state: Option<ItemState>, offset: u64, limit: u32) -> Result<Vec<ItemView>, ApiError> {
        let limit = limit.min(ITEMS_SHOWN);
        self.look(id, Look { state, start: Start::Skip(offset), limit, text: TEXT_SHOWN, bytes: TEXTS_SHOWN }).await
    }

    async fn excerpts(&self, id: &str, indexes: &[u64]) -> Result<Vec<Option<String>>, ApiError> {
        let queue = self.manager.queue(&self.manager.row(id).await?).await?;
        let begin = |index: &u64| Ok(queue.result(*index).map_err(|error| failed(&error))?.and_then(|bytes| excerpt(&bytes)));
        indexes.iter().take(ITEMS_SHOWN as usize).map(begin).collect()
    }

    async fn what_if(&self, id: &str, asked: BTreeMap<String, String>) -> Result<WhatIfPage, ApiError> {
        let detail = self.job(id, 50).await?;
        let (page, otherwise) = recorder::page::asked(&detail, catalog().controllers, asked);
        let recording = self.manager.shared.store.recording(id, &page.loop_name).await.map_err(|error| internal(&error))?;
        let simulated = tokio::task::spawn_blocking(move || recorder::page::fill(page, &detail, &recording.lines, otherwise.as_ref()));
        simulated.await.map_err(|error| internal(&error))?
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
        let chunk = platform.log(replica, stream, from).await.map_err(|error| internal(&error))?;
        // Colours and cursor moves are for terminals.
        let text = anstream::adapter::strip_str(&chunk.text).to_string();
        Ok(LogChunk { from: chunk.from, next: chunk.next, text })
    }
}

#[cfg(test)]
mod tests {
    use control::form::FieldKind;
    use control::plugin::KindInfo;

    use super::{catalog, excerpt};

    #[test]
    fn a_result_is_shown_by_its_first_lines() {
        assert_eq!(excerpt(b"one line\n").as_deref(), Some("one line"));
        assert_eq!(excerpt(b"1\n2\n3\n4\n").as_deref(), Some("1\n2\n3 …"));
        assert_eq!(excerpt("ä".repeat(1000).as_bytes()).map(|text| text.chars().count()), Some(242));
        assert_eq!(excerpt(&[0xff, 0xfe]), None);
    }

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
