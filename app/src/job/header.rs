//! The head of a job's page: where it is, what it is, how it stands, and how fresh that is.

use leptos::prelude::*;

use super::{actions::Actions, verdict::expected};
use crate::{
    chart::forecast::band,
    live::JobLive,
    ui::{badge::LiveBadge, chip::PhaseChip, erase::Erase},
};

/// Breadcrumb, name, verdict and actions.
#[component]
pub fn Header() -> impl IntoView {
    let live: JobLive = expect_context();
    let verdict = Memo::new(move |_| {
        let (summary, now) = (live.summary.read(), live.now.get());
        expected(&summary, band(&summary, &live.series.read(), now), now, live.zone.get())
    });
    let phase = Signal::derive(move || live.summary.read().phase);
    view! {
        <header class="head">
            <div class="grow">
                <p class="crumbs"><a href="/jobs">"Jobs"</a> <LiveBadge age=live.age ended=Signal::derive(move || live.ended())/></p>
                <h1>
                    <bdi>{move || live.summary.read().name.clone()}</bdi> " "
                    <span class="mono faint id">{live.id.get_value()}</span> " " <PhaseChip phase/>
                </h1>
                <p class="verdict" role="status" data-tone=move || verdict.get().tone.word()>
                    <b>{move || verdict.get().lead}</b> " " {move || verdict.get().rest}
                </p>
            </div>
            <Actions/>
        </header>
    }
    .erase()
}
