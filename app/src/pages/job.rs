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
    },
    live::JobLive,
    ui::loaded::loaded,
};

/// `/jobs/:id?tab=…`.
#[component]
pub fn Job() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.read().get("id").unwrap_or_default());
    loaded(
        move || Question::Job { id: id.get() },
        |answer| match answer {
            Answer::Job(page) => view! { <Whole page=*page/> }.into_any(),
            _ => ().into_any(),
        },
    )
}

#[component]
fn Whole(page: JobPage) -> impl IntoView {
    let live = JobLive::new(page);
    live.follow();
    provide_context(live);
    let query = use_query_map();
    let tab = Memo::new(move |_| Tab::from_word(query.read().get("tab").as_deref()));
    view! {
        <Title text=move || live.summary.read().name.clone()/>
        <Header/>
        <Facts/>
        <Tabs tab/>
        {move || match tab.get() {
            Tab::Live => view! { <LiveTab/> }.into_any(),
            Tab::Decisions => view! { <Decisions/> }.into_any(),
            Tab::Replicas => view! { <Replicas/> }.into_any(),
            Tab::Items => view! { <Items/> }.into_any(),
            Tab::Results => view! { <Results/> }.into_any(),
            Tab::Logs => view! { <Logs/> }.into_any(),
            Tab::Configuration => view! { <Configuration/> }.into_any(),
        }}
    }
    .into_any()
}
