//! What a page shows when its data did not come: the reason, and what a person can do.

use leptos::prelude::*;

use crate::{
    api::error::ApiError,
    pages::{not_found::Missing, sign_in::SignIn},
    ui::erase::Erase,
};

/// One error as a page.
#[component]
pub fn Trouble(error: ApiError) -> impl IntoView {
    match error {
        ApiError::Unauthorized => view! { <SignIn/> }.erase(),
        ApiError::NotFound { what } => view! { <Missing what/> }.erase(),
        other => view! {
            <section class="card empty" role="alert">
                <h1>"That did not work"</h1>
                <p>{other.to_string()}</p>
                <p><a class="button" href="" rel="external">"Try again"</a></p>
            </section>
        }
        .erase(),
    }
}
