//! Jobs: list, one job, and what a person can do to it.

use control::{job::Phase, live::JobDetail, plugin::KindInfo};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{api::error::ApiError, jobs::search::JobsPage};

/// Points of each series on the first paint; more than a chart has pixels on most screens.
pub const WIDTH: u32 = 900;

/// What a person can do to a running job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobCommand {
    /// No replicas, nothing lost.
    Suspend,
    Resume,
    /// Replicas finish what they hold.
    Stop,
    /// Replicas are killed; what they held goes back to the queue.
    Terminate,
}

/// One job and the server's clock in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobPage {
    pub now: i64,
    pub detail: JobDetail,
    /// What the laws of its loops declare, for the tuning panels.
    pub laws: Vec<KindInfo>,
}

/// The newest jobs that fit, at most `show` of them, and those that need a person.
#[server(prefix = "/api/fn", endpoint = "jobs")]
pub async fn jobs(#[server(default)] text: String, phase: Option<Phase>, show: usize) -> Result<JobsPage, ApiError> {
    let (backend, _) = crate::backend::signed_in()?;
    let now = crate::backend::clock();
    // How many are looked through; older ones are found by nobody.
    let (seq, all) = crate::backend::answer(backend.jobs(10_000).await)?;
    Ok(JobsPage::cut(crate::jobs::search::Search { text, phase, show }, all, seq, now))
}

/// One job with all that its page shows at first.
#[server(prefix = "/api/fn", endpoint = "job")]
pub async fn job(id: String) -> Result<JobPage, ApiError> {
    let (backend, _) = crate::backend::signed_in()?;
    let detail = crate::backend::answer(backend.job(&id, WIDTH).await)?;
    let used = |info: &KindInfo| detail.loops.iter().any(|one| one.kind == info.kind);
    let laws = backend.catalog().controllers.into_iter().filter(used).collect();
    Ok(JobPage { now: crate::backend::clock(), detail, laws })
}

/// Suspends, resumes, stops or terminates.
#[server(prefix = "/api/fn", endpoint = "command")]
pub async fn command(id: String, command: JobCommand) -> Result<(), ApiError> {
    let (backend, viewer) = crate::backend::signed_in()?;
    crate::backend::answer(backend.command(&id, command, &viewer.name).await)
}
