//! The submit page's parts below the application: items, replicas, loops, monitors, queue.

use control::{
    form::Field,
    plugin::{Catalog, KindInfo},
};
use leptos::prelude::*;

use crate::ui::erase::Erase;

use super::{
    field::{Row, TextRow, escaped},
    plugin::{KindFields, PluginChoice, rows},
    submitted::Filled,
};

/// Where the items come from; CSS hides the sources that are not chosen.
#[component]
pub fn WorkloadSource(filled: Filled) -> impl IntoView {
    let chosen = filled.value("workload.source", "inline");
    let upload = filled.value("workload.upload", "");
    let kept = (!upload.is_empty()).then(|| format!("A file is already uploaded ({upload}); choose another to replace it."));
    let radio = |value: &'static str, label: &'static str| {
        let id = if value == "inline" { "workload.source".to_owned() } else { format!("workload.source.{value}") };
        view! {
            <label class="radio">
                <input type="radio" id=id name="workload.source" value=value checked=chosen == value/>
                {label}
            </label>
        }
        .erase()
    };
    let error = filled.error("workload.source");
    let wrong = |name: &str| filled.error(name).is_some().then_some("true");
    let (no_items, no_file) = (wrong("workload.items"), wrong("workload.upload"));
    let typed = escaped(&filled.value("workload.items", ""));
    view! {
        <section class="card sources">
            <header><h2>"Items"</h2></header>
            <div class="body">
                <fieldset class="plain">
                    <legend>"Where they come from"</legend>
                    {radio("inline", "Typed here")} {radio("upload", "A file")} {radio("url", "An address")}
                </fieldset>
                {error.map(|error| view! { <p class="error">{error}</p> }.erase())}
                <div class="source" data-source="inline">
                    <Row name="workload.items" label="Items" help="One a line. A worker takes each as it is written here; empty lines are left out."
                        error=filled.error("workload.items")>
                        <textarea
                            id="workload.items" name="workload.items" rows="5" spellcheck="false" class="mono"
                            aria-invalid=no_items aria-describedby="workload.items-help workload.items-error" inner_html=typed
                        ></textarea>
                    </Row>
                </div>
                <div class="source" data-source="upload">
                    <Row name="workload.upload" label="File" help=kept.unwrap_or_else(|| "Text with one item a line.".to_owned())
                        error=filled.error("workload.upload")>
                        <input type="file" id="workload.upload" name="workload.file" aria-invalid=no_file aria-describedby="workload.upload-help workload.upload-error"/>
                        <input type="hidden" name="workload.upload" value=upload/>
                    </Row>
                </div>
                <div class="source" data-source="url">
                    <TextRow
                        name="workload.url" label="Address" kind="url" value=filled.value("workload.url", "")
                        help="Fetched once; one item a line." error=filled.error("workload.url")
                    />
                </div>
            </div>
        </section>
    }
    .erase()
}

/// Bounds and start.
#[component]
pub fn Replicas(filled: Filled) -> impl IntoView {
    let number = |name: &'static str, label: &'static str, default: &'static str| {
        view! { <TextRow name label kind="number" value=filled.value(name, default) error=filled.error(name)/> }.erase()
    };
    view! {
        {number("replicas.min", "Fewest replicas", "1")}
        {number("replicas.max", "Most replicas", "8")}
        {number("replicas.initial", "Replicas at the start", "1")}
    }
    .erase()
}

/// One control loop. The second is off until its box is ticked, and folded away as long as it is off.
#[component]
pub fn Loop(place: usize, catalog: Catalog, metrics: Vec<(String, Vec<String>)>, filled: Filled) -> impl IntoView {
    let at = move |part: &str| format!("loops.{place}.{part}");
    let (on, first) = (at("on"), place == 0);
    let ticked = filled.checked(&on, false);
    let row = |part: &str, label: &'static str, default: &'static str, help: &'static str, kind: &'static str| {
        let name = at(part);
        view! { <TextRow name=name.clone() label kind value=filled.value(&name, default) help error=filled.error(&name)/> }.erase()
    };
    let unusual = |part: &str, usual: &str| filled.typed(&at(part)).is_some_and(|typed| typed != usual);
    let wrong = ["name", "metric", "interval_s", "actuator"].into_iter().any(|part| filled.wrong(&at(part)));
    let wanted = wrong || unusual("metric", METRIC) || unusual("interval_s", "1");
    let fields = view! {
        <PluginChoice
            at=at("controller") label="Law" kinds=catalog.controllers open=0
            prefer=if first { "deadline" } else { "threshold" } filled=filled.clone()
        />
        <details class="guards" open=wanted>
            <summary>"What it reads and moves"</summary>
            <div class="fields">
                <Metric name=at("metric") metrics filled=filled.clone()/>
                {row("interval_s", "Seconds between decisions", "1", "", "number")}
                {row("name", "Name of the loop", if first { "main" } else { "second" }, "Names its line on the charts.", "text")}
            </div>
            <PluginChoice at=at("actuator") label="What it moves" kinds=catalog.actuators open=0 filled=filled.clone()/>
        </details>
    }
    .erase();
    if first {
        return view! { <section class="card"><header><h2>"Controller"</h2></header><div class="body">{fields}</div></section> }.erase();
    }
    view! {
        <Fold title="Second controller" about="none, unless you add one" open=ticked || filled.wrong(&format!("loops.{place}."))>
            <div class="optional">
                <label class="check">
                    <input type="checkbox" class="switch" id=on.clone() name=on checked=ticked/>
                    "Use a second loop"
                </label>
                <div class="optional-body">{fields}</div>
            </div>
        </Fold>
    }
    .erase()
}

/// What a loop reads when nothing is chosen.
const METRIC: &str = "progress_error";

/// The metrics that the monitors publish. What was typed before stays choosable, so that a refusal shows it.
#[component]
fn Metric(name: String, metrics: Vec<(String, Vec<String>)>, filled: Filled) -> impl IntoView {
    let chosen = filled.value(&name, METRIC);
    let error = filled.error(&name);
    let wrong = error.is_some().then_some("true");
    let known = metrics.iter().any(|(_, names)| names.contains(&chosen));
    let option = |one: String| view! { <option value=one.clone() selected=one == chosen>{one.clone()}</option> }.erase();
    let other = (!known).then(|| option(chosen.clone()));
    let options: Vec<_> = metrics.into_iter().flat_map(|(_, names)| names).map(option).collect();
    view! {
        <Row name=name.clone() label="Metric it reads" help="A monitor that publishes it must be on." error>
            <select id=name.clone() name=name aria-invalid=wrong>{other}{options}</select>
        </Row>
    }
    .erase()
}

/// A card that most people need not open: it says what holds without them.
#[component]
fn Fold(title: &'static str, about: &'static str, open: bool, children: Children) -> impl IntoView {
    view! {
        <details class="card fold" open=open>
            <summary><h2>{title}</h2> <span class="muted">{about}</span></summary>
            <div class="body">{children()}</div>
        </details>
    }
    .erase()
}

/// Monitors that are on at first: what makes sense of every job, wherever it runs.
const USUAL: [&str; 2] = ["progress", "cpu"];

/// Any number of monitors.
#[component]
pub fn Monitors(monitors: Vec<KindInfo>, filled: Filled) -> impl IntoView {
    let wrong = filled.wrong("monitors.");
    let list: Vec<_> = monitors
        .into_iter()
        .map(|info| {
            let name = format!("monitors.{}.on", info.kind);
            let usual = USUAL.contains(&&*info.kind);
            let error = filled.error(&name);
            view! {
                <div class="optional">
                    <label class="check">
                        <input type="checkbox" class="switch" id=name.clone() name=name.clone() checked=filled.checked(&name, usual)/>
                        {info.title.clone()}
                    </label>
                    {error.map(|error| view! { <p class="error">{error}</p> }.erase())}
                    <div class="optional-body">
                        <KindFields at=format!("monitors.{}", info.kind) info open=usize::MAX filled=filled.clone()/>
                    </div>
                </div>
            }
            .erase()
        })
        .collect();
    view! { <Fold title="Monitors" about="what is measured" open=wrong>{list}</Fold> }.erase()
}

/// How items are handed out, and where they are kept.
#[component]
pub fn Queue(fields: Vec<Field>, filled: Filled) -> impl IntoView {
    let wrong = filled.wrong("queue.");
    view! {
        <Fold title="Queue" about="attempts, order and storage" open=wrong>
            <div class="fields">{rows("queue", fields, &filled)}</div>
        </Fold>
    }
    .erase()
}
