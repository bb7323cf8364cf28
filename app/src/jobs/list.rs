//! The table of jobs: those that the search found, each row live by itself.

use control::{
    job::Phase,
    live::{Foretold, JobSummary},
};
use leptos::prelude::*;

use super::{live::JobsLive, search::SHOWN};
use crate::job::verdict::unknown;
use crate::ui::{
    chip::PhaseChip,
    erase::{Erase, When, each},
    search::Search,
    time::zone,
    words::{about, clock_short, count, date, duration, percent, rfc3339, share},
};

const PHASES: [Phase; 8] =
    [Phase::Running, Phase::Created, Phase::Suspended, Phase::Stopping, Phase::Completed, Phase::Failed, Phase::Stopped, Phase::Terminated];

/// A job that takes longer is foretold with its date, milliseconds.
const DAY_MS: i64 = 86_400_000;

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
                        <th scope="col">"Deadline"</th><th scope="col" class="num">"Replicas"</th><th scope="col">"Finish"</th>
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
    let stand = Signal::derive(move || job.with(|job| (job.phase, job.items.dead)));
    let href = format!("/jobs/{id}");
    Some(
        view! {
            <tr>
                <th scope="row">
                    <a href=href>{move || job.read().name.clone()}</a> " " <span class="mono faint id">{id}</span>
                </th>
                <td class="phase-cell"><PhaseChip stand/></td>
                <td class="progress-cell">
                    <progress max="1" value=move || format!("{:.4}", done()) aria-label="Share done"></progress>
                    <span class="muted">{move || job.with(words)}</span>
                </td>
                <td data-label="Deadline">{move || job.with(|job| deadline(job, live.now.get()))}</td>
                <td class="num" data-label="Replicas">{move || job.with(|job| job.replicas.running)}</td>
                <td data-label="Finish"><Finish job/></td>
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
        // An end does not move any more: as exactly as its own page says it.
        Phase::Completed if left >= 0.0 => format!("{} to spare", duration(left)),
        Phase::Completed => format!("{} late", duration(left)),
        phase if phase.ended() => "not reached".to_owned(),
        _ if left >= 0.0 => format!("in {}", about(left)),
        _ => format!("{} ago", about(left)),
    }
}

/// When it ended, or when it will be done and how surely that is in time.
#[component]
fn Finish(job: RwSignal<JobSummary>) -> impl IntoView {
    let zone = zone();
    let ended = Memo::new(move |_| job.read().ended_at);
    let foretold = Memo::new(move |_| {
        job.with(|job| match job.foretold {
            Some(foretold) => Some(said(job, foretold, zone.get())),
            None => unknown(job).then(|| "too early to say".to_owned()),
        })
    });
    move || match (ended.get(), foretold.get()) {
        (Some(at), _) => view! { <time datetime=rfc3339(at)>{date(at, zone.get())}</time> }.erase(),
        (None, said) => view! { <span class="muted">{said}</span> }.erase(),
    }
}

/// `about 17:53, in time with 99 %`.
fn said(job: &JobSummary, foretold: Foretold, zone: i32) -> String {
    let clock = if foretold.at - job.submitted_at < DAY_MS { clock_short(foretold.at, zone) } else { date(foretold.at, zone) };
    format!("about {clock}, in time with {}", percent(foretold.p_meet))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::verdict::tests::job;

    #[test]
    fn a_forecast_is_a_clock_time_and_far_away_a_date() {
        let running = job(Phase::Running, 60, 0);
        let said = |at| said(&running, Foretold { at, p_meet: 0.994 }, 0).replace('\u{202f}', " ");
        assert_eq!(said(1_100_000), "about 00:18, in time with 99.4 %");
        assert_eq!(said(3 * DAY_MS), "about 1970-01-04 00:00:00, in time with 99.4 %");
    }
}
