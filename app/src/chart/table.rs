//! Below a chart: its values as a real table, for those who cannot see it, and the files to take along.

use leptos::prelude::*;

use super::{columns::columns, kinds::ChartKind};
use crate::{
    live::JobLive,
    ui::{erase::Erase, words},
};

/// Rows shown; every value is in the CSV.
const ROWS: usize = 30;

/// Newest first, opened by its summary. It follows the job only while it is open.
#[component]
pub fn ChartTable(kind: ChartKind) -> impl IntoView {
    let live: JobLive = expect_context();
    let open = RwSignal::new(false);
    let rows = Memo::new(move |_| {
        if open.get() {
            live.series.track();
            live.zone.track();
        }
        rows(live, kind)
    });
    let head = Memo::new(move |_| rows.read().0.clone());
    let id = live.id.get_value();
    let file = move |end: &str| format!("{id}-{}.{end}", kind.word());
    let csv = format!("/jobs/{}/series.csv?chart={}", live.id.get_value(), kind.word());
    // Labelled in the reader's own zone, as on the page.
    let svg = move || format!("/jobs/{}/chart/{}.svg?theme=light&title=true&zone={}", live.id.get_value(), kind.word(), live.zone.get());
    view! {
        <p class="chart-files">
            <a href=svg rel="external" download=file("svg") aria-label=format!("{} as SVG", kind.title())>"SVG"</a>
            <a href=csv rel="external" download=file("csv") aria-label=format!("{} as CSV", kind.title())>"CSV"</a>
        </p>
        <details class="chart-table" on:toggle=move |_| open.update(|open| *open = !*open)>
            <summary>"Table"</summary>
            <div class="scroll">
                <table>
                    <caption class="hidden">{format!("{}, newest first", kind.title())}</caption>
                    <thead><tr><th scope="col">"Time"</th>{move || head.get().into_iter().map(|label| {
                        view! { <th scope="col" class="num">{label}</th> }.erase()
                    }).collect::<Vec<_>>()}</tr></thead>
                    <tbody>
                        {move || rows.get().1.into_iter().map(|row| {
                            let cells: Vec<_> = row.1.into_iter().map(|cell| view! { <td class="num">{cell}</td> }.erase()).collect();
                            view! { <tr><td>{row.0}</td>{cells}</tr> }.erase()
                        }).collect::<Vec<_>>()}
                    </tbody>
                </table>
            </div>
        </details>
    }
    .erase()
}

/// The words above the columns, and the rows: a time with its cells.
type Rows = (Vec<String>, Vec<(String, Vec<String>)>);

fn rows(live: JobLive, kind: ChartKind) -> Rows {
    live.with_facts(|facts| {
        let columns = columns(kind, facts.spec, facts.series);
        let lead = columns.first().and_then(|lead| facts.series.get(&lead.series)).map_or(&[][..], Vec::as_slice);
        let cell = |said: Option<String>| said.unwrap_or_else(|| "–".to_owned());
        let rows = lead.iter().rev().take(ROWS).map(|point| {
            let cells = columns.iter().map(|column| cell(column.says(kind, facts, point.at))).collect();
            (words::clock(point.at, facts.zone), cells)
        });
        let rows = rows.collect();
        (columns.into_iter().map(|column| column.label).collect(), rows)
    })
}
