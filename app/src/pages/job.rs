//! A job's page: loads it once, follows it live, and shows the chosen tab.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};

use crate::{
    api::jobs::{JobPage, job},
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
    ui::trouble::Trouble,
};

/// `/jobs/:id?tab=…`.
#[component]
pub fn Job() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.read().get("id").unwrap_or_default());
    let page = Resource::new(move || id.get(), job);
    view! {
        <Suspense fallback=|| view! { <p class="muted">"Loading…"</p> }>
            {move || Suspend::new(async move {
                match page.await {
                    Ok(page) => view! { <Whole page/> }.into_any(),
                    Err(error) => view! { <Trouble error/> }.into_any(),
                }
            })}
        </Suspense>
    }
    .into_any()
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
