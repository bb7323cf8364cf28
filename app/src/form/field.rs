//! One field as a row: label, input, help and error, tied together for those who cannot see them.

use control::form::{Field, FieldKind};
use leptos::prelude::*;

use crate::ui::{erase::Erase, words::exact};

use super::names;

/// Label and help and error around any input that has `id=name`.
#[component]
pub fn Row(
    #[prop(into)] name: String,
    #[prop(into)] label: String,
    #[prop(optional, into)] unit: Option<String>,
    #[prop(optional, into)] help: Option<String>,
    error: Option<String>,
    children: Children,
) -> impl IntoView {
    let help = help.filter(|help| !help.is_empty());
    let wrong = error.is_some().to_string();
    view! {
        <div class="field" data-wrong=wrong>
            <label for=name.clone()>{label} {unit.map(|unit| view! { <span class="unit">{format!(" {unit}")}</span> }.erase())}</label>
            {children()}
            {help.map(|help| view! { <p class="help" id=format!("{name}-help")>{help}</p> }.erase())}
            {error.map(|error| view! { <p class="error" id=format!("{name}-error")>{error}</p> }.erase())}
        </div>
    }
    .erase()
}

/// The ids of help and error, for `aria-describedby`.
fn described(name: &str, help: bool, error: bool) -> Option<String> {
    let ids: Vec<String> =
        [(help, "help"), (error, "error")].into_iter().filter(|(there, _)| *there).map(|(_, part)| format!("{name}-{part}")).collect();
    (!ids.is_empty()).then(|| ids.join(" "))
}

/// A field of the page's own, as text or number.
#[component]
pub fn TextRow(
    #[prop(into)] name: String,
    #[prop(into)] label: String,
    #[prop(into)] value: String,
    #[prop(default = "text")] kind: &'static str,
    #[prop(optional, into)] unit: Option<String>,
    #[prop(optional, into)] help: Option<String>,
    error: Option<String>,
) -> impl IntoView {
    let described = described(&name, help.is_some(), error.is_some());
    let wrong = error.is_some().then_some("true");
    let mode = (kind == "number").then_some("decimal");
    view! {
        <Row name=name.clone() label unit=unit.unwrap_or_default() help=help.unwrap_or_default() error>
            <input
                id=name.clone() name=name type=kind value=value step=mode.map(|_| "any") inputmode=mode
                aria-invalid=wrong aria-describedby=described
            />
        </Row>
    }
    .erase()
}

/// A field that a plugin declared.
#[component]
pub fn FieldRow(
    field: Field,
    /// The input's whole name.
    name: String,
    /// What was typed; the default stands when nothing was.
    value: Option<String>,
    error: Option<String>,
) -> impl IntoView {
    let value = value.unwrap_or_else(|| names::text(&field.default));
    let described = described(&name, !field.help.is_empty(), error.is_some());
    let wrong = error.is_some().then_some("true");
    view! {
        <Row name=name.clone() label=field.title.clone() unit=field.unit.clone().unwrap_or_default() help=help(&field) error>
            {input(&field, name, value, described, wrong)}
        </Row>
    }
    .erase()
}

/// The declared help, with the bounds in words.
pub fn help(field: &Field) -> String {
    let numeric = matches!(field.kind, FieldKind::Number | FieldKind::Integer);
    let bounds = match (field.min.filter(|_| numeric).map(exact), field.max.filter(|_| numeric).map(exact)) {
        (Some(min), Some(max)) => format!(" From {min} to {max}."),
        (Some(min), None) => format!(" At least {min}."),
        (None, Some(max)) => format!(" At most {max}."),
        (None, None) => String::new(),
    };
    format!("{}{bounds}", field.help)
}

fn input(field: &Field, name: String, value: String, described: Option<String>, wrong: Option<&'static str>) -> AnyView {
    // The one field that everybody has to fill in shows how.
    let example = (field.name == "command").then_some("asperathos\nworker\n--\nconvert-one\n{item}");
    match &field.kind {
        FieldKind::Lines | FieldKind::Map => view! {
            <textarea
                id=name.clone() name=name rows=if example.is_some() { 5 } else { 3 } spellcheck="false" placeholder=example
                aria-invalid=wrong aria-describedby=described
                inner_html=escaped(&value)
            ></textarea>
        }
        .erase(),
        FieldKind::Bool => choice(name, &["true".to_owned(), "false".to_owned()], &["yes", "no"], value, described, wrong),
        FieldKind::Choice(options) => {
            let labels: Vec<&str> = options.iter().map(String::as_str).collect();
            choice(name, options, &labels, value, described, wrong)
        }
        FieldKind::Text => view! {
            <input id=name.clone() name=name type=if field.secret { "password" } else { "text" } value=value aria-invalid=wrong aria-describedby=described/>
        }
        .erase(),
        FieldKind::Number | FieldKind::Integer => {
            let mode = if matches!(field.kind, FieldKind::Integer) { "numeric" } else { "decimal" };
            view! {
                <input
                    id=name.clone() name=name type="number" inputmode=mode value=value min=field.min max=field.max
                    step="any" aria-invalid=wrong aria-describedby=described
                />
            }
            .erase()
        }
    }
}

fn choice(
    name: String,
    options: &[String],
    labels: &[&str],
    value: String,
    described: Option<String>,
    wrong: Option<&'static str>,
) -> AnyView {
    let options: Vec<_> = options
        .iter()
        .zip(labels)
        .map(|(option, label)| view! { <option value=option.clone() selected=*option == value>{(*label).to_owned()}</option> }.erase())
        .collect();
    view! {
        <select id=name.clone() name=name aria-invalid=wrong aria-describedby=described>{options}</select>
    }
    .erase()
}

/// Text as the content of a textarea: a text node of its own would show an empty value as a space.
pub fn escaped(text: &str) -> String {
    // HTML drops one newline at the start, so one is given for those that begin with a newline.
    let first = if text.starts_with('\n') { "\n" } else { "" };
    format!("{first}{}", text.replace('&', "&amp;").replace('<', "&lt;"))
}
