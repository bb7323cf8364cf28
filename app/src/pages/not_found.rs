//! What is shown when there is nothing at an address.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::ui::erase::Erase;

/// The page of unknown addresses.
#[component]
pub fn NotFound() -> impl IntoView {
    view! { <Missing what="page at this address".to_owned()/> }.erase()
}

/// Says what is missing and leads back.
#[component]
pub fn Missing(
    /// Such as `job kj-…`.
    what: String,
) -> impl IntoView {
    view! {
        <Title text="Not found"/>
        <section class="card empty">
            <h1>"Not found"</h1>
            <p>{format!("Not found: {what}.")}</p>
            <p><a class="button" href="/jobs">"All jobs"</a></p>
        </section>
    }
    .erase()
}
