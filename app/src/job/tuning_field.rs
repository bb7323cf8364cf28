//! One parameter of a running loop: number and slider, with the running value struck through beside a new one.

use control::form::{Field, FieldKind};
use leptos::prelude::*;

use super::tuning::Draft;
use crate::{
    form::{
        field::{escaped, help},
        names,
    },
    ui::{erase::Erase, words::exact},
};

/// A row of the tuning panel.
#[component]
pub fn TuningField(loop_name: String, field: Field, draft: Draft) -> impl IntoView {
    let id = format!("tune.{loop_name}.{}", field.name);
    let default = names::text(&field.default);
    let name = StoredValue::new(field.name.clone());
    let running = Memo::new(move |_| name.with_value(|name| draft.values.read().get(name).cloned()).unwrap_or_else(|| default.clone()));
    let typed = Memo::new(move |_| name.with_value(|name| draft.edits.read().get(name).cloned()));
    let value = Memo::new(move |_| typed.get().unwrap_or_else(|| running.get()));
    let error = Memo::new(move |_| name.with_value(|name| draft.error(name)));
    let put = move |value: String| name.with_value(|name| draft.edit(name, value));
    let described = format!("{id}-help {id}-error");
    let unit = field.unit.clone().map(|unit| format!(" {unit}"));
    view! {
        <div class="field" class:changed=move || typed.get().is_some()>
            <div class="top">
                <label for=id.clone()>{field.title.clone()}</label>
                <span class="val">
                    {move || value.get()}
                    {move || typed.get().map(|_| view! { " " <s aria-label="running now">{running.get()}</s> }.erase())}
                    <span class="unit">{unit}</span>
                </span>
            </div>
            <Inputs id=id.clone() field=field.clone() value put described error/>
            <p class="help" id=format!("{id}-help")>{help(&field)}</p>
            <p class="error" id=format!("{id}-error")>{move || error.get()}</p>
        </div>
    }
    .erase()
}

#[component]
fn Inputs(
    id: String,
    field: Field,
    value: Memo<String>,
    put: impl Fn(String) + Copy + Send + Sync + 'static,
    described: String,
    error: Memo<Option<String>>,
) -> impl IntoView {
    let name = format!("params[{}]", field.name);
    let wrong = move || error.get().is_some().then_some("true");
    let typed = move |event| put(event_target_value(&event));
    match field.kind {
        FieldKind::Number | FieldKind::Integer => {
            let step = field.step.map_or_else(|| if field.kind == FieldKind::Integer { "1" } else { "any" }.to_owned(), |s| s.to_string());
            let slider = field.min.zip(field.max).map(|(min, max)| {
                let running = value.get_untracked().parse().unwrap_or(0.0);
                let far = reach(field.default.as_f64().unwrap_or(0.0).max(running), field.step, max);
                let whole =
                    (far < max).then(|| format!("The slider ends at {}; the number beside it takes up to {}.", exact(far), exact(max)));
                view! {
                    <span class="slider" title=whole>
                        <input
                            type="range" min=min max=far step=step aria-label=format!("{}, slider to {}", field.title, exact(far))
                            value=value.get_untracked() prop:value=move || value.get() on:input=typed
                        />
                        <small aria-hidden="true">{exact(min)}</small>
                        <small aria-hidden="true">{exact(far)}{(far < max).then_some(" …")}</small>
                    </span>
                }
                .erase()
            });
            view! {
                <div class="number-and-slider">
                    <input
                        id=id name=name type="number" step="any" min=field.min max=field.max aria-describedby=described
                        aria-invalid=wrong value=value.get_untracked() prop:value=move || value.get() on:input=typed
                    />
                    {slider}
                </div>
            }
            .erase()
        }
        FieldKind::Bool => options(id, name, &["true".to_owned(), "false".to_owned()], value, typed),
        FieldKind::Choice(words) => options(id, name, &words, value, typed),
        FieldKind::Text => view! {
            <input
                id=id name=name type="text" aria-describedby=described aria-invalid=wrong
                value=value.get_untracked() prop:value=move || value.get() on:input=typed
            />
        }
        .erase(),
        FieldKind::Lines | FieldKind::Map => view! {
            <textarea
                id=id name=name rows="3" aria-describedby=described aria-invalid=wrong
                inner_html=escaped(&value.get_untracked()) prop:value=move || value.get() on:input=typed
            ></textarea>
        }
        .erase(),
    }
}

fn options(
    id: String,
    name: String,
    words: &[String],
    value: Memo<String>,
    typed: impl Fn(leptos::ev::Event) + Copy + Send + Sync + 'static,
) -> AnyView {
    let options: Vec<_> = words
        .iter()
        .map(|word| {
            let chosen = word.clone();
            view! { <option value=word.clone() selected=move || value.get() == chosen>{word.clone()}</option> }.erase()
        })
        .collect();
    view! { <select id=id name=name on:change=typed>{options}</select> }.erase()
}

/// Where the slider ends: bounds that hold for every job would leave its handle at one end.
/// Four times what is usual or runs now, at least a hundred steps; the number beside it takes everything up to `max`.
fn reach(usual: f64, step: Option<f64>, max: f64) -> f64 {
    let far = (4.0 * usual).max(100.0 * step.unwrap_or(0.0));
    if far > 0.0 { far.min(max) } else { max }
}

#[cfg(test)]
mod tests {
    use super::reach;

    #[test]
    fn a_slider_reaches_what_people_want_and_never_beyond_the_bounds() {
        assert_eq!(reach(40.0, Some(1.0), 10_000.0), 160.0);
        assert_eq!(reach(0.0, Some(0.1), 1000.0), 10.0);
        assert_eq!(reach(600.0, Some(1.0), 1000.0), 1000.0);
    }
}
