//! The way in for people who are not signed in.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::ui::erase::Erase;

/// Says where the link to sign in is.
#[component]
pub fn SignIn() -> impl IntoView {
    view! {
        <Title text="Sign in"/>
        <section class="card empty">
            <h1>"Sign in"</h1>
            <p>"Open the link that the server printed when it started, or a fresh one: "<code>"asperathos link"</code></p>
            <p class="muted">"A link signs one browser in, once, within a quarter of an hour."</p>
        </section>
    }
    .erase()
}
