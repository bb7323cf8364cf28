//! The jobs list: what needs a person first, then all jobs, live and filtered by the address.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::{
    api::ask::{Answer, Question},
    jobs::{
        list::Table,
        live::JobsLive,
        needs::Needs,
        search::{JobsPage, Search},
    },
    ui::{badge::LiveBadge, erase::Erase, loaded::loaded},
};

/// `/` and `/jobs`.
#[component]
pub fn Jobs() -> impl IntoView {
    let query = use_query_map();
    view! {
        <Title text="Jobs"/>
        {loaded(
            move || Question::Jobs(Search::read(&query.read())),
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
    let none = Memo::new(move |_| live.total.get() == 0);
    view! {
        <header class="head">
            <div class="grow"><h1>"Jobs"</h1></div>
            <LiveBadge age=live.age ended=Signal::stored(false) cut=live.cut/>
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
