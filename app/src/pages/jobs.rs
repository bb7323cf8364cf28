//! The jobs list: what needs a person first, then all jobs, live and filtered by the address.

use control::live::JobSummary;
use leptos::prelude::*;
use leptos_meta::Title;

use crate::{
    api::{
        ask::{Answer, Question},
        jobs::JobsPage,
    },
    jobs::{list::Table, live::JobsLive, needs::Needs},
    ui::{badge::LiveBadge, erase::Erase, loaded::loaded},
};

/// `/` and `/jobs`.
#[component]
pub fn Jobs() -> impl IntoView {
    view! {
        <Title text="Jobs"/>
        {loaded(
            || Question::Jobs,
            |answer| match answer {
                Answer::Jobs(page) => view! { <Whole page/> }.erase(),
                _ => ().into_any(),
            },
        )}
    }
    .erase()
}

#[component]
fn Whole(page: JobsPage) -> impl IntoView {
    let live = JobsLive::new(page);
    live.follow();
    provide_context(live);
    let none = Memo::new(move |_| live.rows.read().is_empty());
    view! {
        <header class="head">
            <div class="grow"><h1>"Jobs"</h1></div>
            <LiveBadge age=live.age ended=Signal::stored(false)/>
            <a class="button" data-look="primary" href="/submit">"Submit a job"</a>
        </header>
        {move || if none.get() { view! { <Empty/> }.erase() } else { view! { <Needs/> <Table/> }.erase() }}
    }
    .erase()
}

#[component]
fn Empty() -> impl IntoView {
    view! {
        <section class="card empty">
            <h2>"No jobs yet"</h2>
            <p>"A job is a program, a list of items and a deadline. Its replicas are moved so that the deadline is met."</p>
            <p><a class="button" data-look="primary" href="/submit">"Submit the first one"</a></p>
            <p class="muted">"Or see it at work: " <code>"cargo xtask demo"</code> " starts a job that draws a picture."</p>
        </section>
    }
    .erase()
}

/// Text that the name filter looks at.
pub(crate) fn matches(job: &JobSummary, text: &str) -> bool {
    let text = text.to_lowercase();
    job.name.to_lowercase().contains(&text) || job.id.contains(&text)
}
