//! All jobs, kept fresh by the stream of changes. Each row has its own signal: one change redraws one row.

use std::collections::HashMap;

use control::live::JobSummary;
use leptos::prelude::*;

use crate::{api::jobs::JobsPage, live::follow};

/// Jobs by id, and the clock that all rows share.
#[derive(Clone, Copy)]
pub struct JobsLive {
    pub rows: RwSignal<HashMap<String, ArcRwSignal<JobSummary>>>,
    /// Rises when the list may look different: a new job, another phase.
    pub shape: RwSignal<u64>,
    /// The server's clock, milliseconds since 1970, moved once a second.
    pub now: RwSignal<i64>,
    /// Seconds since the newest change; `None` before the first.
    pub age: RwSignal<Option<f64>>,
}

impl JobsLive {
    pub fn new(page: JobsPage) -> Self {
        let rows = page.jobs.into_iter().map(|job| (job.id.clone(), ArcRwSignal::new(job))).collect();
        Self { rows: RwSignal::new(rows), shape: RwSignal::new(0), now: RwSignal::new(page.now), age: RwSignal::new(None) }
    }

    /// Takes changes in: known jobs change their row, others join the list.
    pub fn apply(&self, changes: Vec<JobSummary>) {
        let mut reshaped = false;
        for job in changes {
            let known = self.rows.read_untracked().get(&job.id).cloned();
            match known {
                Some(row) => {
                    let before = row.read_untracked().clone();
                    reshaped |= before.phase != job.phase || before.items.dead != job.items.dead;
                    if before != job {
                        row.set(job);
                    }
                }
                None => {
                    self.rows.update(|rows| {
                        rows.insert(job.id.clone(), ArcRwSignal::new(job));
                    });
                    reshaped = true;
                }
            }
        }
        if reshaped {
            self.shape.update(|n| *n += 1);
        }
    }

    /// All jobs, newest first; tracks the shape of the list, not each number in it.
    pub fn sorted(&self) -> Vec<JobSummary> {
        self.shape.track();
        let mut jobs: Vec<_> = self.rows.read().values().map(|row| row.read_untracked().clone()).collect();
        jobs.sort_by(|a, b| b.submitted_at.cmp(&a.submitted_at).then_with(|| b.id.cmp(&a.id)));
        jobs
    }

    /// Follows the stream until the page goes.
    pub fn follow(self) {
        follow(
            || "/live/jobs".to_owned(),
            move |changes| self.apply(changes),
            move |age, since_moved_ms| {
                self.age.set(age);
                if since_moved_ms >= 1000.0 {
                    self.now.update(|now| *now += since_moved_ms as i64);
                }
                since_moved_ms >= 1000.0
            },
            || false,
        );
    }
}
