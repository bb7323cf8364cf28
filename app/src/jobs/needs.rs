//! What needs a person: failed and late jobs, dead items. Worst first, a few lines, each leading to its job.

use control::live::{Foretold, JobSummary};
use leptos::{prelude::*, server_fn::ServerFn};

use super::live::JobsLive;
use crate::{
    api::jobs::Command,
    job::verdict::{LIKELY_LATE, STUCK, needs, verdict},
    ui::{
        chip::Tone,
        erase::{Erase, When},
        post::{Post, PostForm},
        words::{about, percent},
    },
};

/// Lines shown; the rest are counted, and shown when asked for.
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
    /// It is over: who has seen it may say so.
    ended: bool,
}

/// Most urgent first: what goes wrong now, what may go wrong, what went wrong.
fn rank(job: &JobSummary, word: &str, tone: Tone) -> u8 {
    match word {
        "failed" => 5,
        _ if job.phase.ended() => 6,
        "failing" => 0,
        STUCK => 1,
        LIKELY_LATE => 3,
        _ if tone == Tone::Bad => 2,
        _ => 4,
    }
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
        "failed" | "failing" | STUCK if job.has_output => ("logs&stream=stderr", "See output"),
        "failed" | "failing" | STUCK => ("decisions", "See what was tried"),
        _ => ("live", "Tune"),
    };
    let href = format!("/jobs/{}?tab={tab}", job.id);
    Some(Line { id: job.id.clone(), name: job.name.clone(), tone, word, sentence, href, action, ended: job.phase.ended() })
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
        let place = |job: &JobSummary, line: &Line| (rank(job, line.word, line.tone), -job.ended_at.unwrap_or(job.submitted_at));
        let mut lines = live.pick(|job| line(job, now).map(|line| (place(job, &line), line)));
        lines.sort_unstable_by_key(|(place, _)| *place);
        lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>()
    });
    let (shown, all) = live.search.with_value(|search| (if search.all_needs { usize::MAX } else { SHOWN }, search.needs()));
    let all = StoredValue::new(all);
    let more = move || lines.read().len().saturating_sub(shown);
    let post = Post::default();
    view! {
        <When on=move || !lines.read().is_empty()>
            <section class="card needs">
                <header><h2>"Needs a person"</h2><span class="muted">{move || lines.read().len()}</span></header>
                <ul class="body">
                    {move || lines.get().into_iter().take(shown).map(|line| view! {
                        <li>
                            <span class="chip" data-tone=line.tone.word()>
                                <span aria-hidden="true">{if line.tone == Tone::Bad { "✕" } else { "!" }}</span> {line.word}
                            </span>
                            <a class="name" href=format!("/jobs/{}", line.id)>{line.name.clone()}</a>
                            <span class="grow">{line.sentence}</span>
                            <a class="button" href=line.href>{line.action}</a>
                            {line.ended.then(|| view! {
                                <PostForm post to=Command::PATH>
                                    <input type="hidden" name="id" value=line.id/>
                                    <input type="hidden" name="command" value="dismiss"/>
                                    <button class="button" type="submit" aria-label=format!("Dismiss {}", line.name)>"Dismiss"</button>
                                </PostForm>
                            }.erase())}
                        </li>
                    }.erase()).collect::<Vec<_>>()}
                </ul>
                {move || post.refused()}
                <When on=move || more() != 0><p class="body"><a href=all.get_value()>{move || format!("and {} more", more())}</a></p></When>
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
    fn what_can_still_be_mended_comes_first() {
        let mut jobs = [job(Phase::Failed, 0, 0), job(Phase::Completed, 97, 3), job(Phase::Running, 60, 1), job(Phase::Running, 50, 0)];
        jobs[3].reason = Some("The worker crashes.".to_owned());
        let words = |jobs: &[JobSummary]| {
            let mut all: Vec<_> =
                jobs.iter().filter_map(|job| line(job, 1_060_000).map(|line| (rank(job, line.word, line.tone), line))).collect();
            all.sort_by_key(|(rank, _)| *rank);
            all.into_iter().map(|(_, line)| (line.word, line.action, line.ended)).collect::<Vec<_>>()
        };
        let said = [
            ("failing", "See what was tried", false),
            ("dead items", "See dead items", false),
            ("failed", "See what was tried", true),
            ("dead items", "See dead items", true),
        ];
        assert_eq!(words(&jobs), said);
        jobs[3].has_output = true;
        assert_eq!(words(&jobs)[0].1, "See output");
    }

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
