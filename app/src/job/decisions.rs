//! Every decision with what was seen, what each term said, and which guards changed it.

use control::{decision::Decision, live::Mark};
use leptos::prelude::*;

use crate::{
    chart::marks::{look, name, sentence},
    live::JobLive,
    ui::{
        erase::{Erase, When, each},
        time::Moment,
        words::number,
    },
};

/// Newest first.
#[component]
pub fn Decisions() -> impl IntoView {
    let live: JobLive = expect_context();
    let newest = Memo::new(move |_| live.marks.read().iter().rev().cloned().collect::<Vec<_>>());
    let record = live.record;
    let record = (record.foretold != 0).then(|| {
        let said = format!(
            "Of {} jobs with this program that are done, {} finished within the band that was foretold at half of their items; it should be nine in ten.",
            record.foretold, record.held
        );
        view! { <p class="muted">{said}</p> }.erase()
    });
    view! {
        {record}
        <section class="card scroll">
            <table>
                <caption class="hidden">"Decisions and events, newest first"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Time"</th><th scope="col">"What"</th><th scope="col">"Loop"</th>
                        <th scope="col" class="num">"Seen"</th><th scope="col" class="num">"Wanted"</th>
                        <th scope="col">"Terms"</th><th scope="col">"Guards"</th><th scope="col" class="num">"Revision"</th>
                    </tr>
                </thead>
                <tbody>
                    {each(newest, name, |mark| view! { <Row mark/> }.erase())}
                </tbody>
            </table>
            <When on=move || newest.read().is_empty()>
                <p class="body muted">"No decisions yet."</p>
            </When>
        </section>
    }
    .erase()
}

#[component]
fn Row(mark: Mark) -> impl IntoView {
    let (shape, word) = look(mark.kind);
    let (lead, rest) = sentence(&mark);
    let decision = mark.decision.clone();
    let read = |pick: fn(&Decision) -> String| decision.as_ref().map(pick).unwrap_or_default();
    let terms = read(|d| d.terms.iter().map(|t| format!("{} {}", t.name, number(t.value, 3))).collect::<Vec<_>>().join(" · "));
    view! {
        <tr data-kind=word>
            <td><Moment at=mark.at/></td>
            <td><span class="mark-shape" role="img" aria-label=word>{shape}</span> " " <b>{lead}</b> " " {rest}</td>
            <td>{mark.loop_name}</td>
            <td class="num">{read(|d| number(d.seen, 4))}</td>
            <td class="num">{read(|d| number(d.wanted, 2))}</td>
            <td>{terms}</td>
            <td>{read(|d| d.guards.join(" → "))}</td>
            <td class="num">{read(|d| d.revision.to_string())}</td>
        </tr>
    }
    .erase()
}
