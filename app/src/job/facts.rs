//! The five facts under the verdict.

use control::job::Phase;
use leptos::prelude::*;

use crate::{
    live::JobLive,
    ui::{
        erase::Erase,
        words::{count, countdown, duration, number, percent, share},
    },
};

/// Done, deadline, replicas, item times, and what consumes or fails.
#[component]
pub fn Facts() -> impl IntoView {
    let live: JobLive = expect_context();
    let fact = |name: &'static str, read: fn(JobLive) -> (String, String)| {
        let said = Memo::new(move |_| read(live));
        view! {
            <div>
                <dt>{name}</dt>
                <dd class="v">{move || said.get().0} " " <small>{move || said.get().1}</small></dd>
            </div>
        }
        .erase()
    };
    view! {
        <dl class="card facts">
            {fact("Done", done)}
            {fact("Deadline", deadline)}
            {fact("Replicas", replicas)}
            {fact("Item takes", item_takes)}
            {fact("CPU", cpu)}
        </dl>
    }
    .erase()
}

fn done(live: JobLive) -> (String, String) {
    let items = live.summary.read().items;
    let dead = if items.dead > 0 { format!(" · {} dead", count(items.dead)) } else { String::new() };
    (count(items.done), format!("of {} · {}{dead}", count(items.total), percent(share(items.done, items.total))))
}

fn deadline(live: JobLive) -> (String, String) {
    let summary = live.summary.read();
    let until = summary.ended_at.unwrap_or_else(|| live.now.get());
    let left = (summary.deadline_at - until) as f64 / 1000.0;
    let ended = summary.phase.ended();
    match (left >= 0.0, summary.phase == Phase::Completed) {
        (true, true) => (duration(left), "to spare".to_owned()),
        (false, true) => (duration(left), "late".to_owned()),
        // Who did not get there has nothing to spare.
        (true, _) if ended => ("–".to_owned(), format!("ended {} before it", duration(left))),
        (false, _) if ended => ("–".to_owned(), format!("ended {} after it", duration(left))),
        (true, _) => (countdown(left), "left".to_owned()),
        (false, _) => (countdown(left), "over".to_owned()),
    }
}

fn replicas(live: JobLive) -> (String, String) {
    let counts = live.summary.read().replicas;
    let bounds = live.spec.with_value(|spec| spec.replicas);
    let mut said = format!("wanted {} · max {}", counts.wanted, bounds.max);
    for (number, word) in [(counts.starting, "starting"), (counts.draining, "draining")] {
        if number > 0 {
            said.push_str(&format!(" · {number} {word}"));
        }
    }
    (counts.running.to_string(), said)
}

fn item_takes(live: JobLive) -> (String, String) {
    let summary = live.summary.read();
    match (summary.service_p50_s, summary.service_p95_s) {
        (Some(p50), Some(p95)) => (duration(p50), format!("median · p95 {}", duration(p95))),
        (Some(p50), None) => (duration(p50), "median".to_owned()),
        _ if summary.phase.ended() => ("–".to_owned(), "nothing was done".to_owned()),
        _ => ("–".to_owned(), "nothing done yet".to_owned()),
    }
}

fn cpu(live: JobLive) -> (String, String) {
    let replicas = live.replicas.read();
    let lives: Vec<_> = replicas.iter().filter(|replica| replica.ended.is_none()).collect();
    let cores: f64 = lives.iter().map(|replica| replica.cpu).sum();
    let memory: u64 = lives.iter().map(|replica| replica.memory_bytes).sum();
    if lives.is_empty() {
        return ("–".to_owned(), "no replica runs".to_owned());
    }
    (number(cores, 1), format!("cores · {}", crate::ui::words::bytes(memory)))
}
