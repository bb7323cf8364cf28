//! The jobs list: what needs a person first, then all jobs, live and filtered by the address.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::{
    api::jobs::jobs,
    jobs::{
        list::Table,
        live::JobsLive,
        needs::Needs,
        search::{JobsPage, Search},
    },
    ui::{badge::LiveBadge, trouble::Trouble},
};

/// `/` and `/jobs`.
#[component]
pub fn Jobs() -> impl IntoView {
    let query = use_query_map();
    let page = Resource::new(move || Search::read(&query.read()), |search| jobs(search.text, search.phase, search.show));
    view! {
        <Title text="Jobs"/>
        <Transition fallback=|| view! { <p class="muted">"Loading…"</p> }>
            {move || Suspend::new(async move {
                match page.await {
                    Ok(page) => view! { <Whole page/> }.into_any(),
                    Err(error) => view! { <Trouble error/> }.into_any(),
                }
            })}
        </Transition>
    }
    .into_any()
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
            <LiveBadge age=live.age ended=Signal::stored(false)/>
            <a class="button" data-look="primary" href="/submit">"Submit a job"</a>
        </header>
        <Show when=move || !none.get() fallback=|| view! { <Empty/> }>
            <Needs/>
            <Table/>
        </Show>
    }
    .into_any()
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
    .into_any()
}
