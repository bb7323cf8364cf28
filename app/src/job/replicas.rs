//! The replicas: what each holds, uses and has done, and how it ended.

use control::live::{ReplicaState, ReplicaView};
use leptos::prelude::*;

use crate::{
    live::JobLive,
    ui::{
        erase::{Erase, When, each},
        time::Moment,
        words::{bytes, count, percent},
    },
};

/// A row for each replica, living ones first.
#[component]
pub fn Replicas() -> impl IntoView {
    let live: JobLive = expect_context();
    let ids = Memo::new(move |_| {
        let mut all: Vec<_> = live.replicas.read().iter().map(|r| (r.ended.is_some(), -r.started_at, r.id.clone())).collect();
        all.sort();
        all.into_iter().map(|(_, _, id)| id).collect::<Vec<_>>()
    });
    view! {
        <section class="card scroll">
            <table>
                <caption class="hidden">"Replicas"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Replica"</th><th scope="col">"State"</th><th scope="col">"Started"</th>
                        <th scope="col">"Holds"</th><th scope="col" class="num">"Items done"</th>
                        <th scope="col" class="num">"CPU"</th><th scope="col" class="num">"Memory"</th>
                        <th scope="col">"Where"</th><th scope="col">"Its queue"</th><th scope="col">"Output"</th>
                    </tr>
                </thead>
                <tbody>{each(ids, String::clone, |id| view! { <Row id/> }.erase())}</tbody>
            </table>
            <p class="body muted">"A queue speaks the Redis protocol: " <code>"redis-cli -h ADDRESS -p PORT LRANGE job 0 9"</code></p>
            <When on=move || ids.read().is_empty()><p class="body muted">"No replica was started yet."</p></When>
        </section>
    }
    .erase()
}

#[component]
fn Row(id: String) -> impl IntoView {
    let live: JobLive = expect_context();
    let log = format!("/jobs/{}?tab=logs&replica={id}", live.id.get_value());
    let label = id.clone();
    let me = Memo::new(move |_| live.replicas.read().iter().find(|replica| replica.id == id).cloned());
    let read = move |pick: fn(&ReplicaView) -> String| move || me.read().as_ref().map(pick).unwrap_or_default();
    let started = me.get_untracked().map(|replica| replica.started_at);
    view! {
        <tr>
            <th scope="row" class="mono">{label.clone()}</th>
            <td><span class="chip" data-tone=read(|r| tone(r.state).to_owned())>{read(state)}</span></td>
            <td>{started.map(|at| view! { <Moment at/> }.erase())}</td>
            <td class="mono">{read(|r| r.holds.join(", "))}</td>
            <td class="num">{read(|r| count(r.items_done))}</td>
            <td class="num">{read(|r| percent(r.cpu))}</td>
            <td class="num">{read(|r| bytes(r.memory_bytes))}</td>
            <td class="mono">{read(|r| r.place.clone().unwrap_or_default())}</td>
            <td class="mono">{read(|r| r.address.clone().unwrap_or_default())}</td>
            <td><a href=log aria-label=format!("Output of {label}")>"Log"</a></td>
        </tr>
    }
    .erase()
}

fn state(replica: &ReplicaView) -> String {
    match (&replica.ended, replica.state) {
        (Some(how), _) => format!("ended: {how}"),
        (None, ReplicaState::Starting) => "starting".to_owned(),
        (None, ReplicaState::Idle) => "idle".to_owned(),
        (None, ReplicaState::Busy) => "busy".to_owned(),
        (None, ReplicaState::Draining) => "draining".to_owned(),
        (None, ReplicaState::Ended) => "ended".to_owned(),
    }
}

fn tone(state: ReplicaState) -> &'static str {
    match state {
        ReplicaState::Busy => "good",
        ReplicaState::Draining => "warn",
        ReplicaState::Starting | ReplicaState::Idle | ReplicaState::Ended => "quiet",
    }
}
