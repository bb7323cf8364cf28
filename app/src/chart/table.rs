//! Below a chart: its values as a real table, for those who cannot see it, and the files to take along.

use leptos::prelude::*;

use super::kinds::ChartKind;
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
    let head: Vec<_> = kind.columns().iter().map(|(_, label)| view! { <th scope="col" class="num">{*label}</th> }.erase()).collect();
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
                    <thead><tr><th scope="col">"Time"</th>{head}</tr></thead>
                    <tbody>
                        {move || rows.get().into_iter().map(|row| {
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

fn rows(live: JobLive, kind: ChartKind) -> Vec<(String, Vec<String>)> {
    let series = live.series.read_untracked();
    let zone = live.zone.get_untracked();
    let columns = kind.columns();
    let Some(lead) = columns.first().and_then(|(name, _)| series.get(*name)) else { return Vec::new() };
    lead.iter()
        .rev()
        .take(ROWS)
        .map(|point| {
            let cells = columns
                .iter()
                .map(|(name, _)| {
                    let value = series.get(*name).and_then(|points| super::model::value_at(points, point.at));
                    value.map_or_else(|| "–".to_owned(), |value| kind.label(value))
                })
                .collect();
            (words::clock(point.at, zone), cells)
        })
        .collect()
}
