//! Decisions and events on the time axis: ▲ more, ▼ fewer, ◆ tuned, ✕ failure; each says its sentence.

use control::live::{Mark, MarkKind};
use leptos::prelude::*;

use super::{
    kinds::{span, wishers},
    view::{Cursor, left_of},
};
use crate::{
    live::JobLive,
    ui::{
        erase::{Erase, each},
        words,
    },
};

/// Shape and word of a kind of mark.
pub fn look(kind: MarkKind) -> (&'static str, &'static str) {
    match kind {
        MarkKind::More => ("▲", "more"),
        MarkKind::Fewer => ("▼", "fewer"),
        MarkKind::Tuned => ("◆", "tuned"),
        MarkKind::Failure => ("✕", "failure"),
        MarkKind::Info => ("·", "info"),
    }
}

/// A mark that tells something: a decision that moved, a tuning, a failure.
pub fn worth_showing(mark: &Mark) -> bool {
    mark.kind != MarkKind::Info && mark.decision.as_ref().is_none_or(|decision| decision.from != decision.to)
}

/// The whole sentence: `10 → 9. Nine replicas finish in time.`
pub fn sentence(mark: &Mark) -> (String, String) {
    match &mark.decision {
        Some(decision) if decision.from != decision.to => {
            let lead = format!("{} → {}.", decision.from, decision.to);
            // The text may already open with the move; it is said once.
            let rest = mark.text.strip_prefix(&lead).unwrap_or(&mark.text).trim_start().to_owned();
            (lead, rest)
        }
        _ => (String::new(), mark.text.clone()),
    }
}

/// The same; with several loops also whose it is.
pub fn told(live: JobLive, mark: &Mark) -> (String, String) {
    let (lead, rest) = sentence(mark);
    let several = live.spec.with_value(|spec| !wishers(spec).is_empty());
    match &mark.loop_name {
        Some(name) if several => (format!("{name}: {lead}"), rest),
        _ => (lead, rest),
    }
}

/// By which a mark is told from others in a list.
pub fn name(mark: &Mark) -> String {
    format!("{} {} {} {}", mark.at, mark.kind as u8, mark.loop_name.as_deref().unwrap_or_default(), mark.text)
}

/// The row of marks below the charts, and the sentence of the chosen one.
#[component]
pub fn Marks() -> impl IntoView {
    let live: JobLive = expect_context();
    let Cursor(cursor) = expect_context();
    let chosen = RwSignal::new(None::<Mark>);
    let shown = Memo::new(move |_| live.marks.read().iter().filter(|mark| worth_showing(mark)).cloned().collect::<Vec<_>>());
    let one = move |mark: Mark| {
        let (at, kind) = (mark.at, mark.kind);
        let (lead, rest) = told(live, &mark);
        let said = move || format!("{} {}: {lead} {rest}", words::clock(at, live.zone.get()), look(kind).1);
        let said = Signal::derive(said);
        view! {
            <button
                type="button" class="mark" data-kind=look(kind).1 title=move || said.get() aria-label=move || said.get()
                style=move || left_of(span(&live.summary.read(), live.now.get()), at)
                on:click=move |_| { chosen.set(Some(mark.clone())); cursor.set(Some(at)); }
            >
                {look(kind).0}
            </button>
        }
        .erase()
    };
    let legend: Vec<_> = [MarkKind::More, MarkKind::Fewer, MarkKind::Tuned, MarkKind::Failure]
        .into_iter()
        .map(|kind| {
            let (shape, word) = look(kind);
            view! { <span class="legend-entry" data-kind=word><span class="mark-shape" aria-hidden="true">{shape}</span>{word}</span> }
                .erase()
        })
        .collect();
    view! {
        <section class="chart marks">
            <div class="chart-head"><h2>"Decisions and events"</h2><div class="legend">{legend}</div></div>
            <div class="marks-row">
                <i class="due" style=move || left_of(span(&live.summary.read(), live.now.get()), live.summary.read().deadline_at)></i>
                {each(shown, name, one)}
            </div>
            <p class="mark-said" role="status">
                {move || chosen.get().map(|mark| {
                    let (lead, rest) = told(live, &mark);
                    view! { <span>{words::clock(mark.at, live.zone.get())} " " <b>{lead}</b> " " {rest}</span> }.erase()
                })}
            </p>
        </section>
    }
    .erase()
}
