//! What was submitted, and the tuning that each loop runs now.

use leptos::prelude::*;

use crate::{
    live::JobLive,
    ui::{erase::Erase, time::Moment},
};

/// The submission as JSON, and every loop's parameters with revision and author.
#[component]
pub fn Configuration() -> impl IntoView {
    let live: JobLive = expect_context();
    let spec = live.spec.with_value(|spec| serde_json::to_string_pretty(spec).unwrap_or_default());
    view! {
        <div class="stack">
            <section class="card">
                <header><h2>"Tunings"</h2></header>
                <div class="body stack">
                    {move || live.loops.get().into_iter().map(|one| {
                        let running = serde_json::to_string_pretty(&one.params).unwrap_or_default();
                        let before = one.previous.as_ref().map(|before| serde_json::to_string_pretty(before).unwrap_or_default());
                        view! {
                            <article>
                                <h3>{one.name} " " <span class="chip">{one.kind}</span></h3>
                                <p class="muted">
                                    {format!("Reads {}, moves {}. Revision {}, set by {} at ", one.metric, one.actuator, one.revision, one.author)}
                                    <Moment at=one.tuned_at/>
                                </p>
                                <pre class="code" tabindex="0">{running}</pre>
                                {before.map(|before| view! {
                                    <details><summary>"What undo brings back"</summary><pre class="code">{before}</pre></details>
                                }.erase())}
                            </article>
                        }
                        .erase()
                    }).collect::<Vec<_>>()}
                </div>
            </section>
            <section class="card">
                <header><h2>"Submission"</h2></header>
                <div class="body"><pre class="code" tabindex="0">{spec}</pre></div>
            </section>
        </div>
    }
    .erase()
}
