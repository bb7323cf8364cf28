//! The submit page: one plain form drawn from the catalog; the server checks it and draws it again with what was wrong.

use control::plugin::Catalog;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::{
    api::{
        ask::{Answer, Question},
        submission::SubmitPage,
    },
    form::{
        field::TextRow,
        plugin::PluginChoice,
        quote::QuoteCard,
        sections::{Loop, Monitors, Queue, Replicas, WorkloadSource},
        submitted::Filled,
    },
    ui::{erase::Erase, loaded::loaded, words},
};

/// `/submit`.
#[component]
pub fn Submit() -> impl IntoView {
    let query = use_query_map();
    view! {
        <Title text="Submit a job"/>
        {loaded(
            move || Question::Submission { from: query.read().get("from") },
            |answer| match answer {
                Answer::Submission(page) => view! { <SubmitFields page=*page/> }.erase(),
                _ => ().into_any(),
            },
        )}
    }
    .erase()
}

#[component]
fn SubmitFields(page: SubmitPage) -> impl IntoView {
    let quoted = page.form.quoted.clone().map(|quoted| view! { <QuoteCard quoted/> }.erase());
    let filled = Filled::new(page.form);
    let from = page.from.map(|(id, name)| {
        view! { <p class="muted">"Filled with the submission of " <a href=format!("/jobs/{id}")>{name}</a> ". That job stays as it is."</p> }.erase()
    });
    view! {
        <header class="head"><div class="grow"><h1>"Submit a job"</h1>{from}</div></header>
        <form class="submit" method="post" action="/submit" enctype="multipart/form-data" novalidate>
            <ErrorSummary filled=filled.clone() labels=page.labels/>
            <Application catalog=page.catalog.clone() filled=filled.clone()/>
            <WorkloadSource filled=filled.clone()/>
            <section class="card">
                <header><h2>"Goal"</h2></header>
                <div class="body fields goal">
                    <Deadline filled=filled.clone()/>
                    <Surety filled=filled.clone()/>
                    <Replicas filled=filled.clone()/>
                </div>
            </section>
            <Loop place=0 catalog=page.catalog.clone() metrics=page.metrics.clone() filled=filled.clone()/>
            <Loop place=1 catalog=page.catalog.clone() metrics=page.metrics filled=filled.clone()/>
            <Monitors monitors=page.catalog.monitors filled=filled.clone()/>
            <Queue fields=page.catalog.queue filled/>
            <p class="acts">
                <button class="button" data-look="primary" type="submit">"Submit"</button>
                <button class="button" type="submit" name="quote" value="on" formaction="/submit#quote">"Quote: would it be in time?"</button>
            </p>
            {quoted}
        </form>
    }
    .erase()
}

#[component]
fn Application(catalog: Catalog, filled: Filled) -> impl IntoView {
    view! {
        <section class="card">
            <header><h2>"Application"</h2></header>
            <div class="body">
                <TextRow
                    name="name" label="Name" value=filled.value("name", "") error=filled.error("name")
                    help="For people, such as “Well 41 inversion”."
                />
                <PluginChoice at="platform".to_owned() label="Run on" kinds=catalog.platforms prefer="local" open=1 filled/>
            </div>
        </section>
    }
    .erase()
}

/// Seconds to the wanted end, said again in minutes and hours while typing.
#[component]
fn Deadline(filled: Filled) -> impl IntoView {
    const NAME: &str = "objective.deadline_s";
    let seconds = RwSignal::new(filled.value(NAME, "600"));
    let said = move || {
        let said = seconds.get().trim().parse::<f64>().ok().filter(|s| s.is_finite() && *s > 0.0).map(words::duration);
        format!("Counted from now. {}", said.map_or_else(|| "3600 is 1 h.".to_owned(), |said| format!("That is {said}.")))
    };
    let error = filled.error(NAME);
    let wrong = error.is_some();
    view! {
        <div class="field" data-wrong=wrong.to_string()>
            <label for=NAME>"Done within" <span class="unit">" seconds"</span></label>
            <input
                id=NAME name=NAME type="number" inputmode="numeric" min="1" step="any" value=seconds.get_untracked()
                on:input=move |event| seconds.set(event_target_value(&event))
                aria-invalid=wrong.then_some("true")
                aria-describedby=format!("{NAME}-help {NAME}-error")
            />
            <p class="help" id=format!("{NAME}-help")>{said}</p>
            {error.map(|error| view! { <p class="error" id=format!("{NAME}-error")>{error}</p> }.erase())}
        </div>
    }
    .erase()
}

/// How surely the deadline is to be met, and what the user believes of the items.
#[component]
fn Surety(filled: Filled) -> impl IntoView {
    const CONFIDENCE: &str = "objective.confidence";
    const SERVICE: &str = "objective.service_s";
    view! {
        <TextRow
            name=CONFIDENCE label="How surely" value=filled.value(CONFIDENCE, "0.99") kind="number" error=filled.error(CONFIDENCE)
            help="Probability of being done by then, 0.5 to 0.9999. Surer costs more replicas."
        />
        <TextRow
            name=SERVICE label="An item takes about" unit="seconds" value=filled.value(SERVICE, "") kind="number"
            error=filled.error(SERVICE) help="Your guess, if you have one; a wrong one is unlearnt."
        />
    }
    .erase()
}

/// All problems on top, each leading to its field.
#[component]
fn ErrorSummary(filled: Filled, labels: Vec<Option<String>>) -> impl IntoView {
    let errors = filled.errors().to_vec();
    let count = errors.len() as u64;
    (count > 0).then(|| {
        let lines: Vec<_> = errors
            .into_iter()
            .zip(labels)
            .map(|(error, label)| {
                let field = label.map(|label| view! { <a href=format!("#{}", error.field) rel="external">{label}</a> ": " }.erase());
                view! { <li>{field} {error.message}</li> }.erase()
            })
            .collect();
        view! {
            <div class="card summary" role="alert" tabindex="-1">
                <h2>{format!("{} a look", if count == 1 { "1 field needs".to_owned() } else { format!("{count} fields need") })}</h2>
                <ul>{lines}</ul>
            </div>
        }
        .erase()
    })
}
