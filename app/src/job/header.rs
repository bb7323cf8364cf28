//! The head of a job's page: where it is, what it is, how it stands, and how fresh that is.

use control::job::Phase;
use leptos::prelude::*;

use super::{
    actions::Actions,
    verdict::{cut_off, expected, untaken_s},
};
use crate::{
    chart::forecast::band,
    live::JobLive,
    ui::{
        badge::LiveBadge,
        chip::PhaseChip,
        erase::{Erase, When},
    },
};

/// Breadcrumb, name, verdict and actions.
#[component]
pub fn Header() -> impl IntoView {
    let live: JobLive = expect_context();
    let verdict = Memo::new(move |_| {
        let (summary, now) = (live.summary.read(), live.now.get());
        if let Some(why) = live.cut.get() {
            return cut_off(&why);
        }
        expected(&summary, band(&summary, &live.series.read(), now), now, live.zone.get())
    });
    let stand = Signal::derive(move || live.summary.with(|summary| (summary.phase, summary.items.dead)));
    // What a worker does that does not work stands in its output.
    let troubled = Memo::new(move |_| {
        let summary = live.summary.read();
        let stuck = summary.reason.is_some() && summary.phase == Phase::Running || untaken_s(&summary, live.now.get()).is_some();
        stuck && summary.has_output
    });
    let output = format!("/jobs/{}?tab=logs&stream=stderr", live.id.get_value());
    view! {
        <header class="head">
            <div class="grow">
                <p class="crumbs"><a href="/jobs">"Jobs"</a> <LiveBadge age=live.age ended=Signal::derive(move || live.ended()) cut=live.cut/></p>
                <h1>
                    <bdi>{move || live.summary.read().name.clone()}</bdi> " "
                    <span class="mono faint id">{live.id.get_value()}</span> " " <PhaseChip stand/>
                </h1>
                <p class="verdict" role="status" data-tone=move || verdict.get().tone.word()>
                    <b>{move || verdict.get().lead}</b> " " {move || verdict.get().rest} " "
                    <When on=move || troubled.get()><a href=output.clone()>"See its output"</a></When>
                </p>
            </div>
            <Actions/>
        </header>
    }
    .erase()
}
