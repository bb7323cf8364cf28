//! The frame of every page: document, rail, and the routes.

use leptos::prelude::*;
use leptos_meta::{MetaTags, Title, provide_meta_context};
use leptos_router::{
    SsrMode, StaticSegment,
    components::{Route, Router, Routes},
    hooks::use_location,
    path,
};

use crate::{
    api::ask::{Answer, Question},
    pages::{job::Job, jobs::Jobs, not_found::NotFound, submit::Submit},
    ui::{erase::Erase, loaded::loaded, time::provide_zone},
};

/// The whole document, for the server.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <link rel="icon" href="/favicon.ico" sizes="any"/>
                <link rel="stylesheet" href="/pkg/asperathos.css"/>
                <HydrationScripts options/>
                <MetaTags/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
    .erase()
}

/// All pages. They are sent only when their data is there, so they are whole without WebAssembly.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    provide_zone();
    view! {
        <Title formatter=|title: String| if title.is_empty() { "Asperathos".to_owned() } else { format!("{title} · Asperathos") }/>
        <Router>
            <a class="skip" href="#main">"Skip to the page"</a>
            <div class="frame">
                <Rail/>
                <main id="main" tabindex="-1">
                    <Routes fallback=|| view! { <NotFound/> }.erase()>
                        <Route path=StaticSegment("") view=Jobs ssr=SsrMode::Async/>
                        <Route path=path!("/jobs") view=Jobs ssr=SsrMode::Async/>
                        <Route path=path!("/submit") view=Submit ssr=SsrMode::Async/>
                        <Route path=path!("/jobs/:id") view=Job ssr=SsrMode::Async/>
                    </Routes>
                </main>
            </div>
        </Router>
    }
    .erase()
}

#[component]
fn Rail() -> impl IntoView {
    let path = use_location().pathname;
    let at_jobs = move || {
        let here = path.get();
        (here == "/" || here.starts_with("/jobs")).then_some("page")
    };
    let at_submit = move || path.get().starts_with("/submit").then_some("page");
    view! {
        <nav class="rail" aria-label="Main">
            {brand()}
            <a class="rail-link" href="/jobs" aria-current=at_jobs>"Jobs"</a>
            <a class="rail-link" href="/submit" aria-current=at_submit>"Submit"</a>
            <a class="rail-link" href="/clusters" rel="external">"Clusters"</a>
            <Person/>
        </nav>
    }
    .erase()
}

/// On top of the rail of every page.
pub(crate) fn brand() -> AnyView {
    view! {
        <a class="brand" href="/">
            <svg width="22" height="22" viewBox="0 0 22 22" aria-hidden="true">
                <path class="brand-line" d="M3 17 L9 9 L13 13 L19 4"/>
                <path class="brand-base" d="M3 19.5 H19"/>
            </svg>
            <span>"Asperathos"</span>
        </a>
    }
    .erase()
}

#[component]
fn Person() -> impl IntoView {
    loaded(
        || Question::Who,
        |answer| match answer {
            Answer::Who(Some(viewer)) => view! {
                <form class="person" method="post" action="/sign-out">
                    <span class="person-name">{viewer.name}</span>
                    <button class="button" data-look="small" type="submit">"Sign out"</button>
                </form>
            }
            .erase(),
            _ => ().into_any(),
        },
    )
}
