//! A choice of plugin: a select and one group of fields for each kind. CSS shows only the chosen group,
//! by its place, so it works without WebAssembly and an old browser simply shows all groups.

use control::{form::Field, plugin::KindInfo};
use leptos::prelude::*;

use crate::ui::erase::Erase;

use super::{
    field::{FieldRow, Row},
    names,
    submitted::Filled,
};

/// `at.kind` and, for each kind, `at.<kind>.<field>`.
#[component]
pub fn PluginChoice(
    /// Dotted place, such as `loops.0.controller`.
    at: String,
    #[prop(into)] label: String,
    kinds: Vec<KindInfo>,
    /// Chosen on a fresh page, if it exists.
    #[prop(default = "")]
    prefer: &'static str,
    /// How many fields of each kind everybody has to see; the rest is folded away.
    open: usize,
    filled: Filled,
) -> impl IntoView {
    let first = kinds.iter().find(|info| info.kind == prefer).or(kinds.first());
    let chosen = filled.value(&format!("{at}.kind"), first.map_or("", |info| &info.kind));
    let name = format!("{at}.kind");
    let error = filled.error(&name);
    let options: Vec<_> = kinds
        .iter()
        .map(|info| view! { <option value=info.kind.clone() selected=info.kind == chosen>{info.title.clone()}</option> }.erase())
        .collect();
    let groups: Vec<_> = kinds
        .into_iter()
        .map(|info| view! { <KindFields at=format!("{at}.{}", info.kind) info open filled=filled.clone()/> }.erase())
        .collect();
    view! {
        <div class="kinds">
            <Row name=name.clone() label error>
                <select id=name.clone() name=name class="kind-pick">{options}</select>
            </Row>
            {groups}
        </div>
    }
    .erase()
}

/// All fields of one kind: `open` of them at once, the others in a fold that is open when one of them
/// is wrong or was changed.
#[component]
pub fn KindFields(at: String, info: KindInfo, open: usize, filled: Filled) -> impl IntoView {
    let mut own = info.fields;
    let more = own.split_off(open.min(own.len()));
    let differs = |field: &Field| {
        let name = format!("{at}.{}", field.name);
        filled.error(&name).is_some() || filled.typed(&name).is_some_and(|typed| typed != names::text(&field.default))
    };
    let wanted = more.iter().any(differs);
    let guarded = more.iter().any(names::is_guard);
    let own = rows(&at, own, &filled);
    let more = (!more.is_empty()).then(|| {
        let words = if guarded { "Parameters and guards" } else { "More settings" };
        view! { <details class="guards" open=wanted><summary>{words}</summary><div class="fields">{rows(&at, more, &filled)}</div></details> }.erase()
    });
    view! {
        <fieldset class="kind">
            <legend>{info.title}</legend>
            <p class="help">{info.about}</p>
            <div class="fields">{own}</div>
            {more}
        </fieldset>
    }
    .erase()
}

/// Declared fields, named below `at`.
pub fn rows(at: &str, fields: Vec<Field>, filled: &Filled) -> Vec<AnyView> {
    let row = |field: Field| {
        let name = format!("{at}.{}", field.name);
        let (value, error) = (filled.typed(&name), filled.error(&name));
        view! { <FieldRow field name value error/> }.erase()
    };
    fields.into_iter().map(row).collect()
}
