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
            <p>"Open the link that the server printed when it started. It looks like this:"</p>
            <p><code>"http://127.0.0.1:8080/sign-in?token=…"</code></p>
            <p class="muted">"The link signs this browser in; the server prints a fresh one at every start."</p>
        </section>
    }
    .erase()
}
