//! A job's page: loads it once, follows it live, and shows the chosen tab.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};

use crate::{
    api::{
        ask::{Answer, Question},
        jobs::JobPage,
    },
    job::{
        configuration::Configuration,
        decisions::Decisions,
        facts::Facts,
        header::Header,
        items::Items,
        live_tab::LiveTab,
        logs::Logs,
        replicas::Replicas,
        results::Results,
        tabs::{Tab, Tabs},
        what_if::WhatIf,
    },
    live::JobLive,
    ui::{
        erase::Erase,
        loaded::{asking, loaded},
    },
};

/// `/jobs/:id?tab=…`.
#[component]
pub fn Job() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.read().get("id").unwrap_or_default());
    loaded(
        move || Question::Job { id: id.get() },
        |answer| match answer {
            Answer::Job(page) => view! { <Whole page=*page/> }.erase(),
            _ => ().into_any(),
        },
    )
}

#[component]
fn Whole(page: JobPage) -> impl IntoView {
    // A name does not change. As a closure the title would be asked for after a server's page is drawn and gone.
    let name = page.detail.summary.name.clone();
    let live = JobLive::new(page);
    live.follow();
    provide_context(live);
    let query = use_query_map();
    let tab = Memo::new(move |_| Tab::from_word(query.read().get("tab").as_deref()));
    view! {
        <Title text=name/>
        <Header/>
        <Facts/>
        <Tabs tab/>
        {asking(move || match tab.get() {
            Tab::Live => view! { <LiveTab/> }.erase(),
            Tab::Decisions => view! { <Decisions/> }.erase(),
            Tab::Replicas => view! { <Replicas/> }.erase(),
            Tab::Items => view! { <Items/> }.erase(),
            Tab::Results => view! { <Results/> }.erase(),
            Tab::Logs => view! { <Logs/> }.erase(),
            Tab::WhatIf => view! { <WhatIf/> }.erase(),
            Tab::Configuration => view! { <Configuration/> }.erase(),
        })}
    }
    .erase()
}
