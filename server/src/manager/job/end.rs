//! How a job ends: everything is done or dead, it is told to be over, and its replicas go.

use std::path::{Path, PathBuf};
use std::time::Duration;

use control::job::Phase;

use super::{BRIEFLY_MS, FAREWELL, FAREWELL_MS, JobError, Task};
use crate::actuator::Scalable as _;
use crate::clock::now_ms;
use crate::manager::{Shared, experience, platform_of};
use crate::words::{self, chain};

/// Is there while a job that is over has replicas on their way out: should the server be killed, the next one looks
/// after them.
const LINGERS: &str = "replicas-go";
/// What could not be swept away is tried again after this.
const AGAIN: Duration = Duration::from_secs(5);

impl Task {
    /// Everything is done or dead: replicas see it by themselves, those that do not are ended.
    pub(super) async fn finish(&mut self) -> Result<(), JobError> {
        if self.over_since.is_none() {
            self.before_end = self.replicas.wanted();
        }
        let since = *self.over_since.get_or_insert_with(now_ms);
        self.replicas.want(0, 0.0);
        let patience = if self.replicas.linger() { BRIEFLY_MS } else { FAREWELL_MS };
        if !self.replicas.none_left() && now_ms() - since < patience {
            return Ok(());
        }
        if !self.replicas.linger() {
            self.replicas.end_all(FAREWELL).await?;
        }
        let items = self.queue.counts();
        // What is told to be over is kept as such.
        if items.left() > 0 || self.queue.behind() {
            return Ok(());
        }
        if self.replicas.linger() {
            // Without the note they would only be left behind if the server were killed now.
            let note = note(&self.shared, &self.row.id);
            if let Some(folder) = note.parent()
                && let Err(error) = async {
                    tokio::fs::create_dir_all(folder).await?;
                    tokio::fs::write(&note, "").await
                }
                .await
            {
                tracing::warn!("job {}: {} could not be written: {error}", self.row.id, note.display());
            }
            self.lingering = true;
        }
        if items.done == 0 {
            let reason = words::all_dead(items.dead, self.row.spec.queue.max_attempts);
            self.enter_at(since, Phase::Failed, Some(reason)).await
        } else {
            let finish_ms = since - self.row.started_at.unwrap_or(since);
            if let Some(lesson) = experience::lesson(&self.queue.newest_services(u64::MAX), finish_ms as f64, self.at_half) {
                self.shared.store.learn(&self.row.id, experience::template(&self.row.spec), lesson).await?;
            }
            let reason = (items.dead > 0).then(|| words::some_dead(items.dead, items.total));
            self.enter_at(since, Phase::Completed, reason).await
        }
    }

    /// The job is over: its replicas go, and nothing is left behind.
    pub(super) async fn farewell(&mut self) -> Result<(), JobError> {
        let since = self.over_since.unwrap_or_default();
        if !self.replicas.none_left() && now_ms() - since < FAREWELL_MS {
            return Ok(());
        }
        self.replicas.end_all(FAREWELL).await?;
        self.lingering = false;
        forget(&note(&self.shared, &self.row.id)).await;
        // The last frame carries the last counts.
        self.tick().await
    }
}

fn note(shared: &Shared, job: &str) -> PathBuf {
    shared.settings.data.join("jobs").join(job).join(LINGERS)
}

async fn forget(note: &Path) {
    if let Err(error) = tokio::fs::remove_file(note).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!("{} could not be removed: {error}", note.display());
    }
}

/// Jobs that were over while replicas of theirs were still on their way out, when the server ended.
pub async fn lingering(shared: &Shared) -> std::io::Result<Vec<String>> {
    let mut folders = match tokio::fs::read_dir(shared.settings.data.join("jobs")).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        folders => folders?,
    };
    let mut jobs = Vec::new();
    while let Some(folder) = folders.next_entry().await? {
        if tokio::fs::try_exists(folder.path().join(LINGERS)).await? {
            jobs.push(folder.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(jobs)
}

/// Looks for their replicas until none is left.
pub async fn sweep_ended(shared: &Shared, mut jobs: Vec<String>) {
    while !jobs.is_empty() {
        let mut again = Vec::new();
        for id in jobs {
            match sweep(shared, &id).await {
                Ok(()) => forget(&note(shared, &id)).await,
                Err(why) => {
                    tracing::warn!("job {id}: its replicas are still there: {why}; they are looked for again");
                    again.push(id);
                }
            }
        }
        jobs = again;
        if !jobs.is_empty() {
            tokio::time::sleep(AGAIN).await;
        }
    }
}

async fn sweep(shared: &Shared, id: &str) -> Result<(), String> {
    let row = shared.store.job(id).await.map_err(|error| chain(&error))?;
    // One that goes on looks after its replicas itself.
    let Some(row) = row.filter(|row| row.phase.ended()) else { return Ok(()) };
    let platform = platform_of(shared, &row.spec.platform)?;
    platform.sweep(id, &row.spec.platform.params).await.map_err(|error| chain(&error))?;
    for mut replica in shared.store.replicas(id, true).await.map_err(|error| chain(&error))? {
        (replica.ended_at, replica.ended) = (Some(now_ms()), Some("ended with its job".to_owned()));
        "ended".clone_into(&mut replica.state);
        shared.store.put_replica(&replica).await.map_err(|error| chain(&error))?;
    }
    Ok(())
}
