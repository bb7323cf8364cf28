//! How a job stands, in words. Pure: the same sentence on both sides.

use control::{job::Phase, live::JobSummary};

use crate::{
    api::error::ApiError,
    chart::forecast::Band,
    ui::{
        chip::Tone,
        words::{about, clock, clock_short, count, duration, percent, plural, share},
    },
};

/// Within this share of the whole job, it is on plan.
const ON_PLAN: f64 = 0.05;

/// From this probability of being in time on, nobody need look.
const SURE: f64 = 0.9;

/// Moments of shorter jobs are told with their seconds.
const SHORT_MS: i64 = 3_600_000;

/// Workers need some time to start; after that without taking an item something is wrong. Milliseconds, and for
/// short jobs this share of the time to the deadline.
const UNTAKEN_MS: f64 = 120_000.0;
const UNTAKEN_SHARE: f64 = 0.25;

/// From this share of the time on it is no good sign that nothing is done.
const SILENT_SHARE: f64 = 0.25;

/// A few words that say it all, and a sentence of detail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub tone: Tone,
    pub lead: String,
    pub rest: String,
}

impl Verdict {
    fn new(tone: Tone, lead: impl Into<String>, rest: impl Into<String>) -> Self {
        Self { tone, lead: lead.into(), rest: rest.into() }
    }
}

/// Share of the time to the deadline that is over; above 1 after it.
pub fn pace(job: &JobSummary, now: i64) -> f64 {
    let whole = (job.deadline_at - job.submitted_at).max(1);
    (now - job.submitted_at).max(0) as f64 / whole as f64
}

/// The verdict on a job at a moment (milliseconds since 1970).
pub fn verdict(job: &JobSummary, now: i64) -> Verdict {
    let done = share(job.items.done, job.items.total);
    match job.phase {
        Phase::Created => Verdict::new(Tone::Quiet, "Getting ready.", "Its items are being loaded."),
        Phase::Running => running(job, done, now),
        Phase::Suspended => Verdict::new(
            Tone::Warn,
            "Suspended.",
            format!("{} done, no replica runs, nothing is lost.{} {}", percent(done), dead(job), clock_runs_on(job, now)),
        ),
        Phase::Stopping => Verdict::new(Tone::Warn, "Stopping.", "Replicas finish the items that they hold."),
        Phase::Completed => completed(job, now),
        Phase::Failed => Verdict::new(Tone::Bad, "Failed:", job.reason.clone().unwrap_or_else(|| "no reason was recorded.".to_owned())),
        Phase::Stopped | Phase::Terminated => {
            let lead = if job.phase == Phase::Stopped { "Stopped" } else { "Terminated" };
            let reason = job.reason.as_ref().map(|reason| format!("{reason}.")).unwrap_or_default();
            Verdict::new(Tone::Quiet, format!("{lead} with {} done.", percent(done)), reason.replace("..", "."))
        }
    }
}

/// The same for a job that runs with a forecast: when it will be done, and how surely that is in time.
pub fn expected(job: &JobSummary, band: Option<Band>, now: i64, zone: i32) -> Verdict {
    let plain = verdict(job, now);
    let (Phase::Running, Some(band)) = (job.phase, band) else { return plain };
    if job.reason.is_some() || untaken_s(job, now).is_some() {
        return plain;
    }
    let p = band.p_meet.unwrap_or(if band.p95 <= job.deadline_at { 1.0 } else { 0.0 });
    let (tone, lead) = match p {
        p if p >= SURE => (Tone::Good, "On course:"),
        p if p >= 0.5 => (Tone::Warn, "Tight:"),
        _ => (Tone::Bad, "Likely late:"),
    };
    let clock = |at| if job.deadline_at - job.submitted_at < SHORT_MS { clock(at, zone) } else { clock_short(at, zone) };
    let when = match (clock(band.p5.max(now)), clock(band.p95.max(now))) {
        (from, to) if from == to => format!("done at about {to}"),
        (from, to) => format!("done between {from} and {to}"),
    };
    if now > job.deadline_at {
        return Verdict { rest: format!("{} Likely {when}.", plain.rest), ..plain };
    }
    // The band is of the replicas there are, the probability of all that can be had.
    let with = if p >= 0.5 && job.deadline_at < band.p95 { "as it is now; if need be with more replicas in time" } else { "in time" };
    let said = format!("{when}, {with} with {}. {} done.{}", percent(p), percent(share(job.items.done, job.items.total)), dead(job));
    Verdict::new(tone, lead, said)
}

/// No news comes any more: nothing is said about how the job stands.
pub fn cut_off(why: &ApiError) -> Verdict {
    match why {
        ApiError::Unauthorized => Verdict::new(
            Tone::Warn,
            "Signed out.",
            "What is shown here is from before. Sign in again by a link; asperathos link prints one.",
        ),
        _ => Verdict::new(Tone::Warn, "Deleted.", "This job is no longer there; what is shown here is from before."),
    }
}

fn running(job: &JobSummary, done: f64, now: i64) -> Verdict {
    // A reason while it runs is trouble: the worker crashes and is held back, or its platform cannot run it.
    if let Some(reason) = &job.reason {
        let lead = if reason.starts_with("The worker ") { "The worker does not work." } else { "Something is in the way." };
        return Verdict::new(Tone::Bad, lead, format!("{reason} {} done.{}", percent(done), dead(job)));
    }
    if let Some(untaken_s) = untaken_s(job, now) {
        let lead = format!("No worker has taken an item for {}.", about(untaken_s));
        return Verdict::new(Tone::Bad, lead, format!("{} done.{}", percent(done), dead(job)));
    }
    if now > job.deadline_at {
        let late = (now - job.deadline_at) as f64 / 1000.0;
        return Verdict::new(Tone::Bad, "Late.", format!("{} done, {} after the deadline.{}", percent(done), duration(late), dead(job)));
    }
    let pace = pace(job, now);
    if unknown(job) {
        let worked = about((now - job.started_at.unwrap_or(now)) as f64 / 1000.0);
        let said = format!("the first replicas have worked for {worked}.{}", dead(job));
        return if pace < SILENT_SHARE {
            Verdict::new(Tone::Quiet, "Too early to say:", format!("no item is done yet; {said}"))
        } else {
            Verdict::new(Tone::Warn, "No item is done yet:", format!("{} of the time is over; {said}", percent(pace)))
        };
    }
    let stands = format!("{} done at {} of the time.{}", percent(done), percent(pace), dead(job));
    match done - pace {
        ahead if ahead > ON_PLAN => Verdict::new(Tone::Good, format!("Ahead of plan by {}:", percent(ahead)), stands),
        behind if behind < -ON_PLAN => Verdict::new(Tone::Warn, format!("Behind plan by {}:", percent(-behind)), stands),
        _ => Verdict::new(Tone::Good, "On plan:", stands),
    }
}

/// For how many seconds replicas have been there without taking one of the waiting items, once that is too long.
pub fn untaken_s(job: &JobSummary, now: i64) -> Option<f64> {
    let for_ms = (now - job.untaken_since?) as f64;
    let long_ms = UNTAKEN_MS.min(UNTAKEN_SHARE * (job.deadline_at - job.submitted_at) as f64);
    (job.phase == Phase::Running && for_ms >= long_ms).then_some(for_ms / 1000.0)
}

/// Nothing is done, and nobody said how long an item takes: there is nothing to foretell from.
pub fn unknown(job: &JobSummary) -> bool {
    job.phase == Phase::Running && job.items.done == 0 && job.foretold.is_none()
}

fn completed(job: &JobSummary, now: i64) -> Verdict {
    let spare_s = (job.deadline_at - job.ended_at.unwrap_or(now)) as f64 / 1000.0;
    let took = job.ended_at.map(|end| format!("It took {}.", duration((end - job.submitted_at) as f64 / 1000.0)));
    let rest = took.unwrap_or_default();
    let side = if spare_s >= 0.0 { "before" } else { "after" };
    let when = format!("{} {side} the deadline.", duration(spare_s));
    match job.items.dead {
        0 => Verdict::new(if spare_s >= 0.0 { Tone::Good } else { Tone::Warn }, format!("Done {when}"), rest),
        dead => Verdict::new(Tone::Warn, format!("Completed, {} dead:", count(dead)), format!("{when} {rest}")),
    }
}

fn dead(job: &JobSummary) -> String {
    match job.items.dead {
        0 => String::new(),
        dead => format!(" {} dead.", plural(dead, "item is", "items are")),
    }
}

/// A deadline does not wait for a job that does.
fn clock_runs_on(job: &JobSummary, now: i64) -> String {
    let left = (job.deadline_at - now) as f64 / 1000.0;
    if left < 0.0 {
        "The deadline is over.".to_owned()
    } else {
        format!("Resume it to go on; the deadline stays, it is in {}.", about(left))
    }
}

/// It runs on plan or not, but will not be in time by its own forecast.
pub const LIKELY_LATE: &str = "likely late";

/// Its workers run and take nothing.
pub const STUCK: &str = "stuck";

/// Whether a person should look: a word for the chip and what to do about it.
pub fn needs(job: &JobSummary, now: i64) -> Option<(Tone, &'static str)> {
    let said = verdict(job, now);
    match job.phase {
        phase if phase.ended() && job.dismissed => None,
        Phase::Failed => Some((Tone::Bad, "failed")),
        Phase::Running if job.reason.is_some() => Some((Tone::Bad, "failing")),
        Phase::Running if untaken_s(job, now).is_some() => Some((Tone::Bad, STUCK)),
        Phase::Running if said.tone == Tone::Bad => Some((Tone::Bad, "late")),
        Phase::Running if job.foretold.is_some_and(|foretold| foretold.p_meet < 0.5) => Some((Tone::Bad, LIKELY_LATE)),
        _ if job.items.dead > 0 => Some((Tone::Warn, "dead items")),
        Phase::Running if said.tone == Tone::Warn && unknown(job) => Some((Tone::Warn, "nothing done")),
        // Who foretells knows better than an even pace.
        Phase::Running if said.tone == Tone::Warn && job.foretold.is_none() => Some((Tone::Warn, "behind")),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use control::{live::ReplicaCounts, observation::Items};

    use super::*;

    pub(crate) fn job(phase: Phase, done: u64, dead: u64) -> JobSummary {
        JobSummary {
            id: "kj-0123456789abcdef".to_owned(),
            name: "Well 41 inversion".to_owned(),
            phase,
            reason: None,
            submitted_at: 1_000_000,
            started_at: Some(1_000_000),
            ended_at: None,
            deadline_at: 1_100_000,
            items: Items { total: 100, waiting: 100 - done - dead, processing: 0, done, dead, ..Items::default() },
            replicas: ReplicaCounts { wanted: 9, running: 8, starting: 1, draining: 0 },
            service_p50_s: Some(10.4),
            service_p95_s: Some(31.0),
            foretold: None,
            untaken_since: None,
            has_output: false,
            dismissed: false,
        }
    }

    fn said(job: &JobSummary, now: i64) -> String {
        let verdict = verdict(job, now);
        format!("{} {}", verdict.lead, verdict.rest).replace('\u{202f}', " ")
    }

    #[test]
    fn a_forecast_says_when_and_how_surely() {
        let running = job(Phase::Running, 60, 0);
        let at = |p_meet: f64| Some(Band { p5: 1_080_000, p50: 1_085_000, p95: 1_090_000, p_meet: Some(p_meet) });
        let said = |p_meet| {
            let verdict = expected(&running, at(p_meet), 1_060_000, 0);
            format!("{} {}", verdict.lead, verdict.rest).replace('\u{202f}', " ")
        };
        assert_eq!(said(0.97), "On course: done between 00:18:00 and 00:18:10, in time with 97 %. 60 % done.");
        assert_eq!(said(0.7), "Tight: done between 00:18:00 and 00:18:10, in time with 70 %. 60 % done.");
        assert_eq!(said(0.1), "Likely late: done between 00:18:00 and 00:18:10, in time with 10 %. 60 % done.");
        assert_eq!(expected(&running, None, 1_060_000, 0), verdict(&running, 1_060_000));
        let slow = |now, p_meet| {
            let band = Band { p5: 1_200_000, p50: 1_250_000, p95: 1_300_000, p_meet: Some(p_meet) };
            expected(&running, Some(band), now, 0).rest.replace('\u{202f}', " ")
        };
        assert_eq!(
            slow(1_060_000, 0.97),
            "done between 00:20:00 and 00:21:40, as it is now; if need be with more replicas in time with 97 %. 60 % done."
        );
        assert_eq!(slow(1_160_000, 0.0), "60 % done, 1 min after the deadline. Likely done between 00:20:00 and 00:21:40.");
    }

    #[test]
    fn a_running_job_is_measured_against_even_pace() {
        assert_eq!(said(&job(Phase::Running, 63, 0), 1_060_000), "On plan: 63 % done at 60 % of the time.");
        assert_eq!(said(&job(Phase::Running, 51, 0), 1_060_000), "Behind plan by 9 %: 51 % done at 60 % of the time.");
        assert_eq!(said(&job(Phase::Running, 90, 0), 1_160_000), "Late. 90 % done, 1 min after the deadline.");
    }

    #[test]
    fn where_nothing_is_known_nothing_is_foretold() {
        let mut job = job(Phase::Running, 0, 0);
        assert_eq!(said(&job, 1_010_000), "Too early to say: no item is done yet; the first replicas have worked for 10 s.");
        assert_eq!((verdict(&job, 1_010_000).tone, needs(&job, 1_010_000)), (Tone::Quiet, None));
        assert_eq!(said(&job, 1_040_000), "No item is done yet: 40 % of the time is over; the first replicas have worked for 40 s.");
        assert_eq!(needs(&job, 1_040_000), Some((Tone::Warn, "nothing done")));
        job.untaken_since = Some(1_000_000);
        assert_eq!(untaken_s(&job, 1_020_000), None, "workers need time to start");
        let band = Band { p5: 1_080_000, p50: 1_085_000, p95: 1_090_000, p_meet: Some(0.97) };
        for verdict in [verdict(&job, 1_040_000), expected(&job, Some(band), 1_040_000, 0)] {
            assert_eq!((verdict.tone, verdict.lead.as_str()), (Tone::Bad, "No worker has taken an item for 40 s."));
        }
        assert_eq!(needs(&job, 1_040_000), Some((Tone::Bad, STUCK)));
        job.phase = Phase::Suspended;
        assert_eq!(untaken_s(&job, 1_040_000), None);
    }

    #[test]
    fn who_was_seen_to_end_needs_nobody() {
        let mut failed = job(Phase::Failed, 0, 0);
        failed.dismissed = true;
        assert_eq!(needs(&failed, 1_060_000), None);
    }

    #[test]
    fn a_suspended_job_says_what_waits_and_what_does_not() {
        assert_eq!(
            said(&job(Phase::Suspended, 40, 0), 1_060_000),
            "Suspended. 40 % done, no replica runs, nothing is lost. Resume it to go on; the deadline stays, it is in 40 s."
        );
        assert!(said(&job(Phase::Suspended, 40, 0), 1_200_000).ends_with("The deadline is over."));
    }

    #[test]
    fn an_ended_job_says_how_it_ended() {
        let mut done = job(Phase::Completed, 97, 3);
        done.ended_at = Some(1_076_000);
        assert_eq!(said(&done, 9_999_999), "Completed, 3 dead: 24 s before the deadline. It took 1 min 16 s.");
        let mut failed = job(Phase::Failed, 0, 0);
        failed.reason = Some("no such program: ./worker".to_owned());
        assert_eq!(said(&failed, 0), "Failed: no such program: ./worker");
    }

    #[test]
    fn people_are_asked_for_only_when_they_can_help() {
        assert_eq!(needs(&job(Phase::Running, 60, 0), 1_060_000), None);
        assert_eq!(needs(&job(Phase::Running, 60, 1), 1_060_000), Some((Tone::Warn, "dead items")));
        assert_eq!(needs(&job(Phase::Failed, 0, 0), 1_060_000), Some((Tone::Bad, "failed")));
        assert_eq!(needs(&job(Phase::Running, 60, 0), 1_200_000), Some((Tone::Bad, "late")));
    }
}
