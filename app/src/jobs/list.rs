//! The table of all jobs: filtered by the address, cut at a few hundred rows, each row live by itself.

use control::job::Phase;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::live::JobsLive;
use crate::{
    job::verdict::pace,
    pages::jobs::matches,
    ui::{
        chip::PhaseChip,
        erase::{Erase, When, each},
        search::Search,
        time::zone,
        words::{count, date, duration, percent, rfc3339, share},
    },
};

/// Rows at first, and how many more each time.
const SHOWN: usize = 200;

const PHASES: [Phase; 8] =
    [Phase::Running, Phase::Created, Phase::Suspended, Phase::Stopping, Phase::Completed, Phase::Failed, Phase::Stopped, Phase::Terminated];

/// `?q=well&phase=running&show=400`.
#[component]
pub fn Table() -> impl IntoView {
    let live: JobsLive = expect_context();
    let query = use_query_map();
    let text = Memo::new(move |_| query.read().get("q").unwrap_or_default());
    let phase = Memo::new(move |_| query.read().get("phase").and_then(|word| Phase::from_word(&word)));
    let show = Memo::new(move |_| query.read().get("show").and_then(|n| n.parse::<usize>().ok()).unwrap_or(SHOWN));
    let found = Memo::new(move |_| {
        let (text, phase) = (text.get(), phase.get());
        let wanted = |job: &control::live::JobSummary| matches(job, &text) && phase.is_none_or(|phase| job.phase == phase);
        live.sorted().iter().filter(|job| wanted(job)).map(|job| job.id.clone()).collect::<Vec<_>>()
    });
    let shown = Memo::new(move |_| found.read().iter().take(show.get()).cloned().collect::<Vec<_>>());
    view! {
        <Filter text phase/>
        <section class="card scroll">
            <table class="jobs">
                <caption class="hidden">"Jobs, newest first"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Name"</th><th scope="col">"Phase"</th><th scope="col">"Progress"</th>
                        <th scope="col">"Deadline"</th><th scope="col" class="num">"Replicas"</th><th scope="col">"Finished"</th>
                    </tr>
                </thead>
                <tbody>{each(shown, String::clone, |id| view! { <Row id/> }.erase())}</tbody>
            </table>
            <When on=move || found.read().is_empty()><p class="body muted">"No job fits this filter."</p></When>
        </section>
        <More text phase show found=Signal::derive(move || found.read().len())/>
    }
    .erase()
}

#[component]
fn Filter(text: Memo<String>, phase: Memo<Option<Phase>>) -> impl IntoView {
    let options: Vec<_> = PHASES
        .into_iter()
        .map(|one| view! { <option value=one.word() selected=move || phase.get() == Some(one)>{one.word()}</option> }.erase())
        .collect();
    view! {
        <Search action="/jobs" role="search">
            <label for="q">"Find"</label>
            <input id="q" name="q" type="search" placeholder="name or id" value=move || text.get()/>
            <label for="phase">"Phase"</label>
            <select id="phase" name="phase">
                <option value="" selected=move || phase.get().is_none()>"any"</option>
                {options}
            </select>
            <button class="button" type="submit" name="show" value=SHOWN>"Show"</button>
        </Search>
    }
    .erase()
}

#[component]
fn More(text: Memo<String>, phase: Memo<Option<Phase>>, show: Memo<usize>, found: Signal<usize>) -> impl IntoView {
    let href = move || {
        let phase = phase.get().map_or("", Phase::word);
        format!("/jobs?q={}&phase={phase}&show={}", encoded(&text.get()), show.get() + SHOWN)
    };
    view! {
        <p class="pages">
            <span class="muted">{move || format!("{} of {}", count(found.get().min(show.get()) as u64), count(found.get() as u64))}</span>
            <When on=move || show.get() < found.get()><a class="button" href=href>"Show more"</a></When>
        </p>
    }
    .erase()
}

/// A text for a query: everything but letters and digits by its bytes.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

#[component]
fn Row(id: String) -> impl IntoView {
    let live: JobsLive = expect_context();
    let job = live.rows.read_untracked().get(&id).cloned()?;
    let job = RwSignal::from(job);
    let done = move || job.with(|job| share(job.items.done, job.items.total));
    let phase = Signal::derive(move || job.read().phase);
    let href = format!("/jobs/{id}");
    Some(
        view! {
            <tr>
                <th scope="row">
                    <a href=href>{move || job.read().name.clone()}</a> " " <span class="mono faint id">{id}</span>
                </th>
                <td><PhaseChip phase/></td>
                <td class="progress-cell">
                    <progress max="1" value=move || format!("{:.4}", done()) aria-label="Share done"></progress>
                    <span class="muted">{move || job.with(words)}</span>
                </td>
                <td>{move || job.with(|job| deadline(job, live.now.get()))}</td>
                <td class="num">{move || job.with(|job| job.replicas.running)}</td>
                <td><Finished job/></td>
            </tr>
        }
        .erase(),
    )
}

fn words(job: &control::live::JobSummary) -> String {
    let items = job.items;
    let dead = if items.dead > 0 { format!(", {} dead", count(items.dead)) } else { String::new() };
    format!("{} · {} of {}{dead}", percent(share(items.done, items.total)), count(items.done), count(items.total))
}

fn deadline(job: &control::live::JobSummary, now: i64) -> String {
    let left = (job.deadline_at - job.ended_at.unwrap_or(now)) as f64 / 1000.0;
    match (job.phase.ended(), pace(job, now) <= 1.0) {
        (true, _) if left >= 0.0 => format!("{} to spare", duration(left)),
        (true, _) => format!("{} late", duration(left)),
        (false, true) => format!("in {}", duration(left)),
        (false, false) => format!("{} ago", duration(left)),
    }
}

#[component]
fn Finished(job: RwSignal<control::live::JobSummary>) -> impl IntoView {
    let zone = zone();
    let ended = Memo::new(move |_| job.read().ended_at);
    move || ended.get().map(|at| view! { <time datetime=rfc3339(at)>{date(at, zone.get())}</time> }.erase())
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn any_filter_fits_into_an_address() {
        assert_eq!(encoded("a b&c=ä"), "a%20b%26c%3D%C3%A4");
    }
}
