//! The table of jobs: those that the search found, each row live by itself.

use control::{job::Phase, live::JobSummary};
use leptos::prelude::*;

use super::{live::JobsLive, search::SHOWN};
use crate::ui::{
    chip::PhaseChip,
    erase::{Erase, When, each},
    search::Search,
    time::zone,
    words::{about, count, date, percent, rfc3339, share},
};

const PHASES: [Phase; 8] =
    [Phase::Running, Phase::Created, Phase::Suspended, Phase::Stopping, Phase::Completed, Phase::Failed, Phase::Stopped, Phase::Terminated];

/// Filter, rows, and the way to more of them.
#[component]
pub fn Table() -> impl IntoView {
    let live: JobsLive = expect_context();
    let show = live.search.with_value(|search| search.show);
    let found = Memo::new(move |_| live.found());
    let shown = Memo::new(move |_| found.read().0.iter().take(show).cloned().collect::<Vec<_>>());
    let none = move || shown.read().is_empty();
    view! {
        <Filter/>
        <section class="card scroll" hidden=none>
            <table class="jobs cards">
                <caption class="hidden">"Jobs, newest first"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Name"</th><th scope="col">"Phase"</th><th scope="col">"Progress"</th>
                        <th scope="col">"Deadline"</th><th scope="col" class="num">"Replicas"</th><th scope="col">"Finished"</th>
                    </tr>
                </thead>
                <tbody>{each(shown, String::clone, |id| view! { <Row id/> }.erase())}</tbody>
            </table>
        </section>
        <When on=none><p class="card body muted">"No job fits this filter."</p></When>
        <More shown=Signal::derive(move || shown.read().len()) found=Signal::derive(move || found.read().1)/>
    }
    .erase()
}

#[component]
fn Filter() -> impl IntoView {
    let live: JobsLive = expect_context();
    let search = live.search.get_value();
    let options: Vec<_> = PHASES
        .into_iter()
        .map(|one| view! { <option value=one.word() selected=search.phase == Some(one)>{one.word()}</option> }.erase())
        .collect();
    view! {
        <Search action="/jobs" role="search">
            <label for="q">"Find"</label>
            <input id="q" name="q" type="search" placeholder="name or id" value=search.text.clone()/>
            <label for="phase">"Phase"</label>
            <select id="phase" name="phase">
                <option value="" selected=search.phase.is_none()>"any"</option>
                {options}
            </select>
            <button class="button" type="submit" name="show" value=SHOWN>"Show"</button>
            {(!search.open()).then(|| view! { <a class="button" href="/jobs">"Show all"</a> }.erase())}
        </Search>
    }
    .erase()
}

/// `100 of 1 000`, and with a filter how many there are besides.
#[component]
fn More(shown: Signal<usize>, found: Signal<usize>) -> impl IntoView {
    let live: JobsLive = expect_context();
    let (open, more) = live.search.with_value(|search| (search.open(), search.more()));
    let number = |number: usize| count(number as u64);
    let said = move || {
        let (shown, found, total) = (shown.get(), found.get(), live.total.get());
        match (open, shown == found) {
            (true, _) => format!("{} of {}", number(shown), number(total)),
            (false, true) => format!("{} of {}", number(found), number(total)),
            (false, false) => format!("{} of {} that fit, {} in all", number(shown), number(found), number(total)),
        }
    };
    view! {
        <p class="pages">
            <span class="muted">{said}</span>
            {move || (shown.get() < found.get()).then(|| view! { <a class="button" href=more.clone() data-noscroll="">"Show more"</a> }.erase())}
        </p>
    }
    .erase()
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
                <td class="phase-cell"><PhaseChip phase/></td>
                <td class="progress-cell">
                    <progress max="1" value=move || format!("{:.4}", done()) aria-label="Share done"></progress>
                    <span class="muted">{move || job.with(words)}</span>
                </td>
                <td data-label="Deadline">{move || job.with(|job| deadline(job, live.now.get()))}</td>
                <td class="num" data-label="Replicas">{move || job.with(|job| job.replicas.running)}</td>
                <td data-label="Finished"><Finished job/></td>
            </tr>
        }
        .erase(),
    )
}

fn words(job: &JobSummary) -> String {
    let items = job.items;
    let dead = if items.dead > 0 { format!(", {} dead", count(items.dead)) } else { String::new() };
    format!("{} · {} of {}{dead}", percent(share(items.done, items.total)), count(items.done), count(items.total))
}

fn deadline(job: &JobSummary, now: i64) -> String {
    let left = (job.deadline_at - job.ended_at.unwrap_or(now)) as f64 / 1000.0;
    match job.phase {
        Phase::Completed if left >= 0.0 => format!("{} to spare", about(left)),
        Phase::Completed => format!("{} late", about(left)),
        phase if phase.ended() => "not reached".to_owned(),
        _ if left >= 0.0 => format!("in {}", about(left)),
        _ => format!("{} ago", about(left)),
    }
}

#[component]
fn Finished(job: RwSignal<JobSummary>) -> impl IntoView {
    let zone = zone();
    let ended = Memo::new(move |_| job.read().ended_at);
    move || ended.get().map(|at| view! { <time datetime=rfc3339(at)>{date(at, zone.get())}</time> }.erase())
}
