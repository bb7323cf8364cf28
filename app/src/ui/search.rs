//! Forms whose fields become the address of the page, such as filters.

use leptos::{ev::SubmitEvent, prelude::*};
use leptos_router::hooks::use_navigate;

use super::{erase::Erase, post::fields};

/// A GET form that does not load the page anew.
#[component]
pub fn Search(#[prop(into)] action: String, #[prop(optional)] role: Option<&'static str>, children: Children) -> impl IntoView {
    let navigate = use_navigate();
    let to = action.clone();
    let submit = move |event: SubmitEvent| {
        if let Some(fields) = fields(&event) {
            event.prevent_default();
            navigate(&format!("{to}?{}", String::from(fields.to_string())), Default::default());
        }
    };
    view! { <form method="get" action=action class="inline-form" role=role on:submit=submit>{children()}</form> }.erase()
}
