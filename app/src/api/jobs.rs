//! Jobs: what the pages of the list and of one job are drawn from, and what a person can do to a job.

use std::collections::BTreeMap;

use control::{live::JobDetail, plugin::KindInfo};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::api::error::ApiError;

/// How many jobs the list looks through; older ones are found by nobody.
pub const LOOKED: u32 = 10_000;
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
    /// How it ended was seen: the list need not tell it any more.
    Dismiss,
}

/// One job and the server's clock in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobPage {
    pub now: i64,
    pub detail: JobDetail,
    /// What the laws of its loops declare, for the tuning panels.
    pub laws: Vec<KindInfo>,
    /// What was sent without scripts and not taken.
    pub refused: Option<Refused>,
}

/// A form that was refused: its answer was the way back to the page, which then shows why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    /// Where it was sent to.
    pub path: String,
    pub error: ApiError,
    /// The loop whose tuning it was, and what was typed, by dotted name.
    pub loop_name: String,
    pub typed: BTreeMap<String, String>,
}

/// Suspends, resumes, stops or terminates, or notes that an end was seen.
#[server(prefix = "/api/fn", endpoint = "command")]
pub async fn command(id: String, command: JobCommand) -> Result<(), ApiError> {
    let (backend, viewer) = crate::backend::signed_in()?;
    crate::backend::answer_form(
        <Command as leptos::server_fn::ServerFn>::PATH,
        Default::default(),
        backend.command(&id, command, &viewer.name).await,
    )
}
