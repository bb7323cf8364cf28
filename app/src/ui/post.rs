//! Plain forms that stay on the page: the same fields go to the same address with or without WebAssembly.
//! Not Leptos's `ActionForm`, which brings some 15 kB of WebAssembly for every server function.

use leptos::{ev::SubmitEvent, form::form_data_from_event, prelude::*, task::spawn_local};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, RequestInit, Response, UrlSearchParams};

use crate::{api::error::ApiError, ui::erase::Erase};

/// How a form fares; several forms that do the same share one.
#[derive(Clone, Copy)]
pub struct Post {
    pub pending: RwSignal<bool>,
    /// The newest answer, with the number that the server function returned if it returns one.
    pub answer: RwSignal<Option<Result<Option<u64>, ApiError>>>,
}

impl Default for Post {
    fn default() -> Self {
        Self { pending: RwSignal::new(false), answer: RwSignal::new(None) }
    }
}

impl Post {
    /// What the server did not accept, in words.
    pub fn refused(self) -> Option<AnyView> {
        let error = self.answer.get()?.err()?;
        Some(view! { <p class="error" role="alert">{error.to_string()}</p> }.erase())
    }

    fn send(self, to: &'static str, fields: UrlSearchParams) {
        self.pending.set(true);
        spawn_local(async move {
            let answer = answer(to, &fields).await;
            // The page may be gone by now.
            self.answer.try_set(Some(answer));
            self.pending.try_set(false);
        });
    }
}

/// A form that posts to a server function.
#[component]
pub fn PostForm(post: Post, to: &'static str, #[prop(optional)] class: Option<&'static str>, children: Children) -> impl IntoView {
    let submit = move |event: SubmitEvent| {
        if let Some(fields) = fields(&event) {
            event.prevent_default();
            post.send(to, fields);
        }
    };
    view! { <form method="post" action=to class=class on:submit=submit>{children()}</form> }.erase()
}

/// What a form would send; `None` leaves the sending to the browser.
pub fn fields(event: &SubmitEvent) -> Option<UrlSearchParams> {
    UrlSearchParams::new_with_str_sequence_sequence(&form_data_from_event(event).ok()?.into()).ok()
}

async fn answer(to: &str, fields: &UrlSearchParams) -> Result<Option<u64>, ApiError> {
    let (ok, text) =
        fetch(to, fields).await.map_err(|_| ApiError::Internal { message: "The server cannot be reached. Is it running?".to_owned() })?;
    let unreadable = |error: serde_json::Error| ApiError::Internal { message: format!("The server's answer could not be read: {error}") };
    if ok {
        serde_json::from_slice(text.as_bytes()).map_err(unreadable)
    } else {
        Err(serde_json::from_slice(text.as_bytes()).unwrap_or_else(unreadable))
    }
}

/// Whether the answer is a good one, and its text.
async fn fetch(to: &str, fields: &UrlSearchParams) -> Result<(bool, String), JsValue> {
    let headers = Headers::new()?;
    // Without it the answer to a form is a way back to the page, for browsers without WebAssembly.
    headers.set("Accept", "application/json")?;
    let request = RequestInit::new();
    request.set_method("POST");
    request.set_headers(&headers);
    request.set_body(fields);
    let response: Response = JsFuture::from(window().fetch_with_str_and_init(to, &request)).await?.dyn_into()?;
    let text = JsFuture::from(response.text()?).await?;
    Ok((response.ok(), text.as_string().unwrap_or_default()))
}
