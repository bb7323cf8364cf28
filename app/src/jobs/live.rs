//! The jobs of the list, kept fresh by the stream of changes. Each row has its own signal: one change redraws one row.

use std::collections::HashMap;

use control::live::JobSummary;
use leptos::prelude::*;

use super::search::{JobsPage, Search};
use crate::{
    api::{ask::Question, error::ApiError},
    live::follow,
};

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
    /// Why nothing comes any more: the person has signed out.
    pub cut: RwSignal<Option<ApiError>>,
    pub search: StoredValue<Search>,
    /// How many jobs there are, known here or not.
    pub total: RwSignal<usize>,
    /// Of the jobs that fit, those that are not known here.
    unseen: RwSignal<usize>,
    /// When the page was made: jobs submitted later are new.
    made_at: i64,
    seq: i64,
}

impl JobsLive {
    pub fn new(page: JobsPage) -> Self {
        let known = page.jobs.iter().filter(|job| page.search.fits(job)).count();
        let rows = page.jobs.into_iter().map(|job| (job.id.clone(), ArcRwSignal::new(job))).collect();
        Self {
            rows: RwSignal::new(rows),
            shape: RwSignal::new(0),
            now: RwSignal::new(page.now),
            age: RwSignal::new(None),
            cut: RwSignal::new(None),
            search: StoredValue::new(page.search),
            total: RwSignal::new(page.total),
            unseen: RwSignal::new(page.found.saturating_sub(known)),
            made_at: page.now,
            seq: page.seq,
        }
    }

    /// Takes changes in: known jobs change their row, others join.
    pub fn apply(&self, changes: Vec<JobSummary>) {
        let mut reshaped = false;
        for job in changes {
            let known = self.rows.read_untracked().get(&job.id).cloned();
            match known {
                Some(row) => {
                    let before = row.read_untracked().clone();
                    reshaped |= before.phase != job.phase || before.dismissed != job.dismissed || before.items.dead != job.items.dead;
                    if before != job {
                        row.set(job);
                    }
                }
                None => {
                    if self.made_at <= job.submitted_at {
                        self.total.update(|total| *total += 1);
                    } else if self.search.with_value(|search| search.fits(&job)) {
                        self.unseen.update(|unseen| *unseen = unseen.saturating_sub(1));
                    }
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

    /// What `pick` makes of each job, in no order; tracks the shape of the list, not each number in it.
    pub fn pick<T>(&self, pick: impl Fn(&JobSummary) -> Option<T>) -> Vec<T> {
        self.shape.track();
        self.rows.read().values().filter_map(|row| pick(&row.read_untracked())).collect()
    }

    /// The ids of the known jobs that fit, those that go on first, then newest first, and how many fit in all.
    pub fn found(&self) -> (Vec<String>, usize) {
        let fits = |job: &JobSummary| {
            self.search.with_value(|search| search.fits(job)).then(|| (!job.phase.ended(), job.submitted_at, job.id.clone()))
        };
        let mut found = self.pick(fits);
        found.sort_unstable_by(|a, b| b.cmp(a));
        let count = found.len() + self.unseen.get();
        (found.into_iter().map(|(_, _, id)| id).collect(), count)
    }

    /// Follows the stream until the page goes.
    pub fn follow(self) {
        // Changes do not say when they were: the browser's clock goes on from the server's.
        let ahead = StoredValue::new(None);
        follow(
            move || format!("/live/jobs?after={}", self.seq),
            move |changes| self.apply(changes),
            move |age, _| {
                self.age.set(age);
                let (before, clock) = (self.now.get_untracked(), js_sys::Date::now() as i64);
                let now = clock + ahead.get_value().unwrap_or(before - clock);
                ahead.set_value(Some(now - clock));
                if 1000 <= now - before {
                    self.now.set(now);
                }
                0.0
            },
            || false,
            self.cut,
            || Question::Who,
        );
    }
}
