//! The submit page's parts below the application: items, replicas, loops, monitors, queue.

use control::plugin::{Catalog, KindInfo};
use leptos::prelude::*;

use crate::ui::erase::Erase;

use super::{
    field::{Row, TextRow, escaped},
    plugin::{KindFields, PluginChoice},
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
                    <Row name="workload.items" label="Items" help="One a line. A worker takes each as it is written here."
                        error=filled.error("workload.items")>
                        <textarea
                            id="workload.items" name="workload.items" rows="5" spellcheck="false" class="mono"
                            aria-describedby="workload.items-help workload.items-error" inner_html=typed
                        ></textarea>
                    </Row>
                </div>
                <div class="source" data-source="upload">
                    <Row name="workload.upload" label="File" help=kept.unwrap_or_else(|| "Text with one item a line.".to_owned())
                        error=filled.error("workload.upload")>
                        <input type="file" id="workload.upload" name="workload.file" aria-describedby="workload.upload-help workload.upload-error"/>
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

/// One control loop. The second is off until its box is ticked.
#[component]
pub fn Loop(place: usize, catalog: Catalog, filled: Filled) -> impl IntoView {
    let at = move |part: &str| format!("loops.{place}.{part}");
    let (on, first) = (at("on"), place == 0);
    let switch = (!first).then(|| {
        view! {
            <label class="check">
                <input type="checkbox" class="switch" id=on.clone() name=on.clone() checked=filled.checked(&on, false)/>
                "Use a second loop"
            </label>
        }
        .erase()
    });
    let row = |part: &str, label: &'static str, default: &'static str, help: &'static str, kind: &'static str| {
        let name = at(part);
        view! { <TextRow name=name.clone() label kind value=filled.value(&name, default) help error=filled.error(&name)/> }.erase()
    };
    view! {
        <section class="card" class:optional=!first>
            <header><h2>{if first { "Controller" } else { "Second controller" }}</h2></header>
            <div class="body">
                {switch}
                <div class="optional-body">
                    <PluginChoice
                        at=at("controller") label="Law" kinds=catalog.controllers
                        prefer=if first { "deadline" } else { "threshold" } filled=filled.clone()
                    />
                    <div class="fields">
                        {row("name", "Name of the loop", if first { "main" } else { "second" }, "Names its line on the charts.", "text")}
                        {row("metric", "Metric it reads", "progress_error", "Such as progress_error or cpu.", "text")}
                        {row("interval_s", "Seconds between decisions", "1", "", "number")}
                    </div>
                    <PluginChoice at=at("actuator") label="What it moves" kinds=catalog.actuators filled=filled.clone()/>
                </div>
            </div>
        </section>
    }
    .erase()
}

/// Any number of monitors; those that need nothing from the user are on at first.
#[component]
pub fn Monitors(monitors: Vec<KindInfo>, filled: Filled) -> impl IntoView {
    let list: Vec<_> = monitors
        .into_iter()
        .map(|info| {
            let name = format!("monitors.{}.on", info.kind);
            let needs_nothing = info.fields.iter().all(|field| !super::names::text(&field.default).is_empty());
            let error = filled.error(&name);
            view! {
                <div class="optional">
                    <label class="check">
                        <input type="checkbox" class="switch" id=name.clone() name=name.clone() checked=filled.checked(&name, needs_nothing)/>
                        {info.title.clone()}
                    </label>
                    {error.map(|error| view! { <p class="error">{error}</p> }.erase())}
                    <div class="optional-body">
                        <KindFields at=format!("monitors.{}", info.kind) info filled=filled.clone()/>
                    </div>
                </div>
            }
            .erase()
        })
        .collect();
    view! {
        <section class="card">
            <header><h2>"Monitors"</h2></header>
            <div class="body">{list}</div>
        </section>
    }
    .erase()
}

/// How items are handed out.
#[component]
pub fn Queue(filled: Filled) -> impl IntoView {
    let order = filled.value("queue.order", "fifo");
    view! {
        <section class="card">
            <header><h2>"Queue"</h2></header>
            <div class="body fields">
                <TextRow
                    name="queue.max_attempts" label="Attempts for each item" kind="number"
                    value=filled.value("queue.max_attempts", "3") error=filled.error("queue.max_attempts")
                    help="An item that was given out this many times without being completed is dead; it can be retried."
                />
                <Row name="queue.order" label="Order" error=filled.error("queue.order")>
                    <select id="queue.order" name="queue.order">
                        <option value="fifo" selected=order == "fifo">"first line first"</option>
                        <option value="lifo" selected=order == "lifo">"last line first"</option>
                    </select>
                </Row>
            </div>
        </section>
    }
    .erase()
}
