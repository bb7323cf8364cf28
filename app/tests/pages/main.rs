//! Whole pages as the server sends them, against a fake backend: what is said, and with which status.

mod fake;

use std::collections::BTreeMap;

use app::{form::submitted::SubmitForm, viewer::Viewer};
use control::{job::Phase, plugin::FieldError};
use fake::{Fake, job, page};

#[tokio::test]
async fn without_jobs_the_list_says_how_to_begin() {
    let (status, html) = page("/", Fake::default(), Some(person()), None).await;
    assert_eq!(status, 200);
    assert!(html.contains("No jobs yet") && html.contains("href=\"/submit\""), "{html}");
}

#[tokio::test]
async fn the_list_shows_first_what_needs_a_person() {
    let mut failed = job("kj-000000000000000a", "Salt dome", Phase::Failed);
    failed.reason = Some("no such program: ./tile".to_owned());
    let fake = Fake { jobs: vec![failed, job("kj-000000000000000b", "Well 41", Phase::Running)] };
    let (_, html) = page("/jobs", fake, Some(person()), None).await;
    let needs = html.find("Needs a person").expect("a failed job needs a person");
    let table = html.find("Jobs, newest first").expect("the table is there");
    assert!(needs < table);
    assert!(html.contains("no such program: ./tile"));
    assert!(html.contains("/jobs/kj-000000000000000b"));
}

#[tokio::test]
async fn a_thousand_jobs_are_cut_and_filters_come_from_the_address() {
    let jobs = (0..1000).map(|n| job(&format!("kj-{n:016}"), &format!("Run {n}"), Phase::Completed)).collect();
    let fake = Fake { jobs };
    let (_, html) = page("/jobs", fake.clone(), Some(person()), None).await;
    assert_eq!(html.matches("<tr").count(), 101, "the head and 100 rows");
    assert!(html.contains("Show more"));
    let (_, html) = page("/jobs?q=Run%20777", fake, Some(person()), None).await;
    assert_eq!(html.matches("<tr").count(), 2);
}

#[tokio::test]
async fn a_refused_form_keeps_what_was_typed_and_names_each_problem_at_its_field() {
    let values: BTreeMap<String, String> = [
        ("name", "Well 41 <inversion>"),
        ("platform.kind", "local"),
        ("platform.local.command", ""),
        ("workload.source", "inline"),
        ("workload.items", "shot-1\nshot-2"),
        ("loops.0.controller.kind", "pid"),
        ("loops.0.controller.pid.kp", "-1"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    let errors = vec![
        FieldError::new("platform.params.command", "Say which program to run."),
        FieldError::new("loops.0.controller.params.kp", "Enter 0 or more."),
    ];
    let (_, html) = page("/submit", Fake::default(), Some(person()), Some(SubmitForm { values, errors, quoted: None })).await;
    assert!(html.contains("2 fields need a look"));
    assert!(html.contains(">command</a>") && html.contains(">Controller, kp</a>"), "by their labels: {html}");
    assert!(html.contains("href=\"#platform.local.command\""), "the summary leads to the field");
    assert!(html.contains("id=\"loops.0.controller.pid.kp-error\""));
    assert!(html.contains("Enter 0 or more."));
    assert!(html.contains("value=\"Well 41 &lt;inversion&gt;\""), "kept and escaped");
    assert!(html.contains("shot-1\nshot-2</textarea>"));
    assert!(html.contains("value=\"-1\""));
}

#[tokio::test]
async fn a_submission_can_be_sent_again_with_changes() {
    let fake = Fake { jobs: vec![job("kj-000000000000000b", "Well 41", Phase::Completed)] };
    let (_, html) = page("/jobs/kj-000000000000000b", fake.clone(), Some(person()), None).await;
    assert!(html.contains("href=\"/submit?from=kj-000000000000000b\""));
    assert!(html.contains("action=\"/jobs/kj-000000000000000b/delete\""));
    let (_, html) = page("/submit?from=kj-000000000000000b", fake, Some(person()), None).await;
    for value in ["value=\"Well 41\"", "value=\"./worker\"", "value=\"120\"", "value=\"12\""] {
        assert!(html.contains(value), "{value}: {html}");
    }
    assert!(html.contains("Filled with the submission of"));
}

#[tokio::test]
async fn a_filter_without_a_match_says_of_how_many() {
    let jobs = (0..7).map(|n| job(&format!("kj-{n:016}"), &format!("Run {n}"), Phase::Completed)).collect();
    let (_, html) = page("/jobs?q=well", Fake { jobs }, Some(person()), None).await;
    assert!(html.contains("No job fits this filter.") && html.contains("0 of 7"), "{html}");
}

#[tokio::test]
async fn a_fresh_form_is_plain_and_posts_itself() {
    let (_, html) = page("/submit", Fake::default(), Some(person()), None).await;
    assert!(html.contains("method=\"post\"") && html.contains("enctype=\"multipart/form-data\""));
    for name in ["name", "platform.local.command", "workload.file", "objective.deadline_s", "loops.1.on", "monitors.progress.on"] {
        assert!(html.contains(&format!("name=\"{name}\"")), "{name}");
    }
    assert!(!html.contains("role=\"alert\""));
}

#[tokio::test]
async fn a_jobs_page_is_whole_without_the_browsers_help_on_every_tab() {
    let fake = Fake { jobs: vec![job("kj-000000000000000b", "Well 41", Phase::Running)] };
    for (tab, says) in [
        ("live", "Apply as revision"),
        ("decisions", "Nine replicas are enough"),
        ("replicas", "kj-000000000000000b-r1"),
        ("items", "shot-0001"),
        ("results", "/jobs/kj-000000000000000b/results/0"),
        ("logs", "hello from the worker"),
        ("configuration", "deadline_s"),
    ] {
        let (status, html) = page(&format!("/jobs/kj-000000000000000b?tab={tab}"), fake.clone(), Some(person()), None).await;
        assert_eq!(status, 200, "{tab}");
        assert!(html.contains("done at"), "{tab}: the verdict");
        assert!(html.contains(says), "{tab}: {html}");
    }
}

#[tokio::test]
async fn a_table_below_each_chart_says_the_even_pace_too_and_the_deadline_goes_through_the_decisions() {
    let fake = Fake { jobs: vec![job("kj-000000000000000b", "Well 41", Phase::Running)] };
    let (_, html) = page("/jobs/kj-000000000000000b", fake, Some(person()), None).await;
    assert!(html.contains("even pace</th>"), "{html}");
    assert!(!html.contains("finish, 90 in 100"), "no law foretells, so there is no fan to name");
    assert!(html.contains("class=\"due\""));
}

#[tokio::test]
async fn a_tuning_panel_says_the_bounds_and_where_its_sliders_end() {
    let fake = Fake { jobs: vec![job("kj-000000000000000b", "Well 41", Phase::Running)] };
    let (_, html) = page("/jobs/kj-000000000000000b", fake, Some(person()), None).await;
    assert!(html.contains("Help for kp. From 0 to 100."), "{html}");
    assert!(html.contains("kp, slider to 10\"") && html.contains("The slider ends at 10; the number beside it takes up to 100."), "{html}");
    assert!(html.contains("Undo: kp back to 1.0<"), "{html}");
    let apply = html.split("Apply as revision").next().and_then(|before| before.rsplit("<button").next()).unwrap_or_default();
    assert!(!apply.contains("disabled"), "without scripts it can be applied: {apply}");
}

#[tokio::test]
async fn an_unknown_job_is_404_and_a_stranger_is_asked_to_sign_in() {
    let (status, html) = page("/jobs/kj-nothing", Fake::default(), Some(person()), None).await;
    assert_eq!(status, 404);
    assert!(html.contains("Not found: job kj-nothing."));
    let (_, html) = page("/jobs", Fake::default(), None, None).await;
    assert!(html.contains("Open the link that the server printed"));
}

#[tokio::test]
async fn what_was_refused_without_scripts_stands_at_the_panel_with_what_was_typed() {
    let fake = Fake { jobs: vec![job("kj-000000000000000b", "Well 41", Phase::Running)] };
    let refused = "%7B%22path%22%3A%22%2Fapi%2Ffn%2Ftune%22%2C%22error%22%3A%7B%22invalid%22%3A%7B%22errors%22%3A%5B%7B%22field%22%3A%22kp%22%2C\
        %22message%22%3A%22Enter%200%20or%20more.%22%7D%5D%7D%7D%2C%22loop_name%22%3A%22main%22%2C%22typed%22%3A%7B%22kp%22%3A%22-1%22%7D%7D";
    let (_, html) = page(&format!("/jobs/kj-000000000000000b?refused={refused}"), fake, Some(person()), None).await;
    assert!(html.contains("Not applied: look at the marked fields.") && html.contains("Enter 0 or more."), "{html}");
    assert!(html.contains("value=\"-1\""), "{html}");
}

#[tokio::test]
async fn a_completed_job_with_dead_items_is_not_green() {
    let fake = Fake { jobs: vec![job("kj-000000000000000b", "Well 41", Phase::Completed)] };
    for path in ["/jobs", "/jobs/kj-000000000000000b"] {
        let (_, html) = page(path, fake.clone(), Some(person()), None).await;
        assert!(html.contains("completed, 2 dead") && html.contains("Completed, 2 dead:"), "{path}: {html}");
    }
    let (_, html) = page("/jobs", fake, Some(person()), None).await;
    assert!(html.contains(">Dismiss</button>"), "{html}");
}

#[tokio::test]
async fn all_that_need_a_person_are_one_link_away() {
    let jobs = (0..9).map(|n| job(&format!("kj-{n:016}"), &format!("Run {n}"), Phase::Failed)).collect();
    let fake = Fake { jobs };
    let lines = |html: &str| html.matches("Dismiss Run").count();
    let (_, html) = page("/jobs", fake.clone(), Some(person()), None).await;
    assert!(html.contains("and 3 more</a>") && html.contains("&amp;needs=all\""), "{html}");
    assert_eq!(lines(&html), 6);
    let (_, html) = page("/jobs?needs=all", fake, Some(person()), None).await;
    assert_eq!(lines(&html), 9);
}

fn person() -> Viewer {
    Viewer { name: "Ada".to_owned() }
}
