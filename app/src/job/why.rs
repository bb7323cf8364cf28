//! Why the job runs as it does: the newest decisions, tunings and failures as sentences.

use leptos::prelude::*;

use crate::{
    chart::marks::{look, name, told, worth_showing},
    live::JobLive,
    ui::{
        erase::{Erase, When, each},
        time::Moment,
    },
};

/// Sentences shown beside the charts.
const SHOWN: usize = 8;

/// Newest first.
#[component]
pub fn Why() -> impl IntoView {
    let live: JobLive = expect_context();
    let newest =
        Memo::new(move |_| live.marks.read().iter().rev().filter(|mark| worth_showing(mark)).take(SHOWN).cloned().collect::<Vec<_>>());
    let all = format!("/jobs/{}?tab=decisions", live.id.get_value());
    view! {
        <section class="card">
            <header><h2>"Why"</h2><a href=all>"All decisions"</a></header>
            <div class="body">
                <When on=move || newest.read().is_empty()>
                    <p class="muted">"Nothing was moved yet. Each decision will be explained here."</p>
                </When>
                <ol class="feed">
                    {each(newest, name, move |mark| {
                        let (shape, word) = look(mark.kind);
                        let (lead, rest) = told(live, &mark);
                        view! {
                            <li data-kind=word>
                                <Moment at=mark.at/>
                                <span class="mark-shape" role="img" aria-label=word>{shape}</span>
                                <span><b>{lead}</b> " " {rest}</span>
                            </li>
                        }
                        .erase()
                    })}
                </ol>
            </div>
        </section>
    }
    .erase()
}
