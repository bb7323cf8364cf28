//! What needs a person: failed and late jobs, dead items. Worst first, a few lines, each leading to its job.

use control::live::{Foretold, JobSummary};
use leptos::prelude::*;

use super::live::JobsLive;
use crate::{
    job::verdict::{LIKELY_LATE, needs, verdict},
    ui::{
        chip::Tone,
        erase::{Erase, When},
        words::{about, percent},
    },
};

/// Lines shown; the rest are counted.
const SHOWN: usize = 6;
/// Failures older than this are history, not news: a day, in milliseconds.
const NEWS_MS: i64 = 86_400_000;

/// What a line says.
#[derive(Debug, Clone, PartialEq)]
struct Line {
    id: String,
    name: String,
    tone: Tone,
    word: &'static str,
    sentence: String,
    href: String,
    action: &'static str,
}

/// Whether a job belongs into the card.
pub fn needed(job: &JobSummary, now: i64) -> bool {
    needs(job, now).is_some() && job.ended_at.is_none_or(|end| now - end <= NEWS_MS)
}

fn line(job: &JobSummary, now: i64) -> Option<Line> {
    let (tone, word) = needs(job, now).filter(|_| needed(job, now))?;
    let sentence = match job.foretold {
        Some(foretold) if word == LIKELY_LATE => likely_late(job, foretold),
        _ => {
            let said = verdict(job, now);
            format!("{} {}", said.lead, said.rest)
        }
    };
    let (tab, action) = match word {
        "dead items" => ("items&state=dead", "See dead items"),
        "failed" | "failing" => ("logs&stream=stderr", "See output"),
        _ => ("live", "Tune"),
    };
    Some(Line { id: job.id.clone(), name: job.name.clone(), tone, word, sentence, href: format!("/jobs/{}?tab={tab}", job.id), action })
}

fn likely_late(job: &JobSummary, foretold: Foretold) -> String {
    let late = (foretold.at - job.deadline_at) as f64 / 1000.0;
    let when = if late > 0.0 { format!("Done about {} after its deadline", about(late)) } else { "Done near its deadline".to_owned() };
    format!("{when}; in time with {}.", percent(foretold.p_meet))
}

/// The card; nothing when nobody is needed.
#[component]
pub fn Needs() -> impl IntoView {
    let live: JobsLive = expect_context();
    let lines = Memo::new(move |_| {
        let now = live.now.get();
        let mut lines = live.pick(|job| line(job, now).map(|line| (line.tone != Tone::Bad, -job.submitted_at, line)));
        lines.sort_unstable_by_key(|(mild, age, _)| (*mild, *age));
        lines.into_iter().map(|(_, _, line)| line).collect::<Vec<_>>()
    });
    let more = move || lines.read().len().saturating_sub(SHOWN);
    view! {
        <When on=move || !lines.read().is_empty()>
            <section class="card needs">
                <header><h2>"Needs a person"</h2><span class="muted">{move || lines.read().len()}</span></header>
                <ul class="body">
                    {move || lines.get().into_iter().take(SHOWN).map(|line| view! {
                        <li>
                            <span class="chip" data-tone=line.tone.word()>
                                <span aria-hidden="true">{if line.tone == Tone::Bad { "✕" } else { "!" }}</span> {line.word}
                            </span>
                            <a class="name" href=format!("/jobs/{}", line.id)>{line.name}</a>
                            <span class="grow">{line.sentence}</span>
                            <a class="button" href=line.href>{line.action}</a>
                        </li>
                    }.erase()).collect::<Vec<_>>()}
                </ul>
                <When on=move || more() != 0><p class="body muted">{move || format!("and {} more", more())}</p></When>
            </section>
        </When>
    }
    .erase()
}

#[cfg(test)]
mod tests {
    use control::job::Phase;

    use super::*;
    use crate::job::verdict::tests::job;

    #[test]
    fn old_failures_are_history() {
        let mut failed = job(Phase::Failed, 0, 0);
        failed.ended_at = Some(1_050_000);
        assert_eq!(line(&failed, 1_060_000).map(|line| line.word), Some("failed"));
        assert_eq!(line(&failed, 1_060_000 + 2 * NEWS_MS), None);
    }

    #[test]
    fn who_will_be_late_by_his_own_forecast_needs_a_person_though_he_is_on_plan() {
        let mut running = job(Phase::Running, 60, 0);
        let foretell = |at, p_meet| Some(Foretold { at, p_meet });
        running.foretold = foretell(running.deadline_at + 720_000, 0.03);
        let line = |job: &JobSummary| line(job, 1_060_000).map(|line| (line.word, line.sentence.replace('\u{202f}', " ")));
        let said = "Done about 12 min after its deadline; in time with 3 %.".to_owned();
        assert_eq!(line(&running), Some((LIKELY_LATE, said)));
        running.foretold = foretell(running.deadline_at - 1000, 0.98);
        assert_eq!(line(&running), None);
    }

    #[test]
    fn who_is_behind_an_even_pace_but_will_be_in_time_needs_nobody() {
        let mut running = job(Phase::Running, 30, 0);
        assert_eq!(line(&running, 1_060_000).map(|line| line.word), Some("behind"));
        running.foretold = Some(Foretold { at: running.deadline_at - 1000, p_meet: 0.99 });
        assert_eq!(line(&running, 1_060_000), None);
    }
}
