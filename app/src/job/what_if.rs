//! What would have been under another law, with other params, another deadline or other bounds.

use std::collections::BTreeMap;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::{
    api::{
        ask::{Answer, Question},
        what_if::{Course, WhatIfPage},
    },
    form::{field::TextRow, plugin::KindFields, submitted::Filled},
    live::JobLive,
    ui::{
        erase::Erase,
        loaded::loaded,
        search::Search,
        words::{duration, number},
    },
};

/// The fields of the form stand in the address.
#[component]
pub fn WhatIf() -> impl IntoView {
    let live: JobLive = expect_context();
    let query = use_query_map();
    let asked = move || query.read().clone().into_iter().map(|(name, value)| (name.into_owned(), value)).collect::<BTreeMap<_, _>>();
    loaded(
        move || Question::WhatIf { id: live.id.get_value(), asked: asked() },
        |answer| match answer {
            Answer::WhatIf(page) => view! { <Whole page=*page/> }.erase(),
            _ => ().into_any(),
        },
    )
}

#[component]
fn Whole(page: WhatIfPage) -> impl IntoView {
    let trouble = page.trouble.map(|why| view! { <p class="card body muted" role="status">{why}</p> }.erase());
    let pictures: Vec<_> = ["wide", "narrow"]
        .into_iter()
        .zip(page.pictures)
        .map(|(width, svg)| view! { <div class="what-if" data-width=width inner_html=svg></div> }.erase())
        .collect();
    let courses = page.courses;
    let shown = (!courses.is_empty()).then(|| {
        let legend: Vec<_> = courses
            .iter()
            .enumerate()
            .map(|(place, course)| {
                let (look, ink) = LOOKS[place.min(2)];
                view! { <span class="legend-entry"><i data-look=look style=format!("color:var({ink})") aria-hidden="true"></i>{course.name.clone()}</span> }.erase()
            })
            .collect();
        view! {
            <section class="card">
                <header><h2>"Progress and replicas"</h2><div class="legend">{legend}</div></header>
                {pictures}
                <Table courses/>
            </section>
        }
        .erase()
    });
    view! {
        <div class="stack">
            {trouble}
            {shown}
            <Form loops=page.loops loop_name=page.loop_name laws=page.laws filled=Filled::new(page.form)/>
        </div>
    }
    .erase()
}

/// In the order of the courses, as `what_if` of the server draws them.
const LOOKS: [(&str, &str); 3] = [("line", "--done"), ("dash", "--done"), ("line", "--wish")];

#[component]
fn Form(loops: Vec<String>, loop_name: String, laws: Vec<control::plugin::KindInfo>, filled: Filled) -> impl IntoView {
    let live: JobLive = expect_context();
    let kind = filled.value("controller.kind", "");
    let here = format!("/jobs/{}", live.id.get_value());
    let options: Vec<_> = laws
        .iter()
        .map(|law| view! { <option value=law.kind.clone() selected=law.kind == kind>{law.title.clone()}</option> }.erase())
        .collect();
    let which: Vec<_> =
        loops.iter().map(|name| view! { <option value=name.clone() selected=*name == loop_name>{name.clone()}</option> }.erase()).collect();
    let which = (loops.len() > 1).then(|| view! { <select name="loop" aria-label="Loop">{which}</select> }.erase());
    let fields = laws
        .into_iter()
        .find(|law| law.kind == kind)
        .map(|info| view! { <KindFields at=format!("controller.{kind}") info open=3 filled=filled.clone()/> }.erase());
    let row = |name: &'static str, label: &'static str, help: &'static str, unit: &'static str| {
        view! { <TextRow name label value=filled.value(name, "") kind="number" unit help error=filled.error(name)/> }.erase()
    };
    let goal = vec![
        row("deadline_s", "Deadline", "From the job's start. Empty: as it was.", "s"),
        row("max", "Most replicas", "Empty: as it was.", ""),
    ];
    view! {
        <section class="card">
            <header><h2>"What if"</h2></header>
            <div class="body">
                <p class="muted">
                    "The job is simulated again from its recording: its items take what they took, its replicas start as they did. \
                     With more replicas at once the machine may have been slower; that nobody saw."
                </p>
                <Search action=here.clone()>
                    <input type="hidden" name="tab" value="what-if"/>
                    {which}
                    <select name="controller.kind" aria-label="Law">{options}</select>
                    <button class="button" type="submit">"Choose this law"</button>
                </Search>
                <Search action=here>
                    <input type="hidden" name="tab" value="what-if"/>
                    <input type="hidden" name="loop" value=loop_name/>
                    <input type="hidden" name="controller.kind" value=kind.clone()/>
                    <div class="kinds">{fields}</div>
                    <div class="fields">{goal}</div>
                    <button class="button" data-look="primary" type="submit">"Simulate"</button>
                </Search>
            </div>
        </section>
    }
    .erase()
}

#[component]
fn Table(courses: Vec<Course>) -> impl IntoView {
    let live: JobLive = expect_context();
    let rows: Vec<_> = courses
        .into_iter()
        .map(|course| {
            let in_time = match (course.done_s, course.deadline_s) {
                (Some(done), Some(deadline)) if done <= deadline => "yes",
                // Of a job that runs the end is not known yet.
                (None, Some(_)) if !live.ended() => "",
                (_, Some(_)) => "no",
                _ => "",
            };
            view! {
                <tr>
                    <td>{course.name}</td>
                    <td class="num" data-label="Done after">{course.done_s.map_or_else(|| if live.ended() { "not done" } else { "not done so far" }.to_owned(), duration)}</td>
                    <td class="num" data-label="Deadline">{course.deadline_s.map(duration)}</td>
                    <td data-label="In time">{in_time}</td>
                    <td class="num" data-label="Replica-seconds">{number(course.replica_seconds, 1)}</td>
                    <td class="num" data-label="Most at once">{course.peak}</td>
                    <td class="num" data-label="Moves">{course.moves}</td>
                </tr>
            }
            .erase()
        })
        .collect();
    view! {
        <div class="scroll">
            <table class="cards">
                <caption class="hidden">"The courses in figures"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Course"</th><th scope="col" class="num">"Done after"</th><th scope="col" class="num">"Deadline"</th>
                        <th scope="col">"In time"</th><th scope="col" class="num">"Replica-seconds"</th>
                        <th scope="col" class="num">"Most at once"</th><th scope="col" class="num">"Moves"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .erase()
}
