//! Everything that pages read: one question, one answer, through one door. Each further server function
//! would bring its own copy of the way to the server and back into the browser part; a question costs nearly nothing.

use std::collections::BTreeMap;

use control::live::{ItemState, ItemView};
use leptos::{prelude::*, server_fn::codec::Json};
use serde::{Deserialize, Serialize};

use crate::{
    api::{
        error::ApiError,
        jobs::JobPage,
        logs::{LogChunk, LogStream},
        results::ResultsPage,
        submission::SubmitPage,
        what_if::WhatIfPage,
    },
    jobs::search::{JobsPage, Search},
    viewer::Viewer,
};

/// What a page may ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Who looks at the page?
    Who,
    /// The newest jobs that fit, and those that need a person.
    Jobs(Search),
    /// One job with all that its page shows at first.
    Job { id: String },
    /// What the submit page is drawn from; `from` is the job whose submission fills it.
    Submission { from: Option<String> },
    /// Some items in workload order.
    Items { id: String, state: Option<ItemState>, offset: u64, limit: u32 },
    /// What workers made, some in workload order.
    Results { id: String, from: u64 },
    /// What a replica printed from a byte offset on; without one, the last 64 KiB.
    Log { id: String, replica: Option<String>, stream: Option<LogStream>, from: Option<u64> },
    /// What would have been; the fields of the page's form by name, none of them needed.
    WhatIf { id: String, asked: BTreeMap<String, String> },
}

/// The answer to the question of the same name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// `None` before signing in.
    Who(Option<Viewer>),
    Jobs(JobsPage),
    Job(Box<JobPage>),
    Submission(Box<SubmitPage>),
    Items(Vec<ItemView>),
    Results(ResultsPage),
    /// `None` when there is no replica to ask about.
    Log(Option<(LogStream, LogChunk)>),
    WhatIf(Box<WhatIfPage>),
}

#[server(prefix = "/api/fn", endpoint = "ask", input = Json)]
pub async fn ask(question: Question) -> Result<Answer, ApiError> {
    use crate::backend::{answer, log};
    let (backend, viewer) = match crate::backend::signed_in() {
        Err(_) if question == Question::Who => return Ok(Answer::Who(None)),
        signed_in => signed_in?,
    };
    match question {
        Question::Who => Ok(Answer::Who(Some(viewer))),
        Question::Jobs(search) => {
            let now = crate::backend::clock();
            let (seq, all) = answer(backend.jobs(crate::api::jobs::LOOKED).await)?;
            Ok(Answer::Jobs(JobsPage::cut(search, all, seq, now)))
        }
        Question::Job { id } => {
            let detail = answer(backend.job(&id, crate::api::jobs::WIDTH).await)?;
            let mut laws = backend.catalog().controllers;
            laws.retain(|info| detail.loops.iter().any(|one| one.kind == info.kind));
            Ok(Answer::Job(Box::new(JobPage { now: crate::backend::clock(), detail, laws, refused: crate::backend::refused() })))
        }
        Question::Submission { from } => {
            let refused = use_context::<crate::form::submitted::SubmitForm>();
            let job = match from.filter(|_| refused.is_none()) {
                Some(id) => Some(answer(backend.job(&id, 50).await)?),
                None => None,
            };
            Ok(Answer::Submission(Box::new(crate::form::again::page(backend.catalog(), backend.metrics(), refused, job.as_ref()))))
        }
        Question::Items { id, state, offset, limit } => answer(backend.items(&id, state, offset, limit).await).map(Answer::Items),
        Question::Results { id, from } => answer(backend.results(&id, from).await).map(Answer::Results),
        Question::WhatIf { id, asked } => answer(backend.what_if(&id, asked).await).map(|page| Answer::WhatIf(Box::new(page))),
        Question::Log { replica: None, .. } => Ok(Answer::Log(None)),
        Question::Log { id, replica: Some(replica), stream, from } => {
            answer(log(&*backend, &id, &replica, stream, from).await).map(|said| Answer::Log(Some(said)))
        }
    }
}
