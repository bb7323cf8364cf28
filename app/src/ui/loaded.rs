//! What a page shows of an answer: asked on the server for the first paint, later in the browser.

use std::sync::Arc;

use leptos::{prelude::*, server::codee};
use serde::{Serialize, de::DeserializeOwned};

use super::{erase::Erase, trouble::Trouble};
use crate::api::{
    ask::{Answer, Question, ask},
    error::ApiError,
};

/// The answer to a question as `show` draws it, or what went wrong; asked again when the question changes.
pub fn loaded(
    question: impl Fn() -> Question + Send + Sync + 'static,
    show: impl Fn(Answer) -> AnyView + Send + Sync + 'static,
) -> AnyView {
    kept_fresh(question, || 0, show)
}

/// The same, asked again also when `stamp` changes; what is shown stays until the new answer is there.
pub fn kept_fresh(
    question: impl Fn() -> Question + Send + Sync + 'static,
    stamp: impl Fn() -> u64 + Send + Sync + 'static,
    show: impl Fn(Answer) -> AnyView + Send + Sync + 'static,
) -> AnyView {
    of_one_type(Box::new(move || (question(), stamp())), Arc::new(show))
}

/// All pages share this code: a resource of a type of its own costs some 15 kB of WebAssembly (decision 9).
fn of_one_type(source: Box<dyn Fn() -> (Question, u64) + Send + Sync>, show: Arc<dyn Fn(Answer) -> AnyView + Send + Sync>) -> AnyView {
    // One answer at a time: changes that come faster than answers would otherwise always overtake them.
    let awaited = RwSignal::new(false);
    let source = Memo::new(move |before: Option<&(Question, u64)>| {
        let now = source();
        match before {
            Some(before) if awaited.get() && before.0 == now.0 => before.clone(),
            _ => now,
        }
    });
    let fetch = move |(question, _)| async move {
        awaited.set(true);
        ask(question).await
    };
    let answer = Resource::<Result<Answer, ApiError>, Json>::new_with_options(move || source.get(), fetch, false);
    view! {
        <Transition fallback=|| view! { <p class="body muted">"Loading…"</p> }.erase()>
            {asking(move || {
                let show = Arc::clone(&show);
                let drawn = async move {
                    let answer = answer.await;
                    // Only now: a question that begins before its answer is drawn would be waited for instead.
                    awaited.try_set(false);
                    match answer {
                        Ok(answer) => show(answer),
                        Err(error) => view! { <Trouble error/> }.erase(),
                    }
                };
                Suspend::new(drawn).into_any()
            })}
        </Transition>
    }
    .erase()
}

/// A part that may ask questions of its own, drawn anew in the browser when its signals change.
///
/// The server draws it once. As a closure it would be drawn as often as Leptos looks for open questions, each time with
/// new questions under new numbers, and the browser would take the page over with answers that it does not show.
pub fn asking(part: impl Fn() -> AnyView + Send + Sync + 'static) -> AnyView {
    if leptos::leptos_dom::helpers::is_server() { part() } else { part.into_any() }
}

/// Reads as server functions and live streams do, from bytes: serde_json compiles every type once more for another source.
struct Json;

impl<T: Serialize> codee::Encoder<T> for Json {
    type Error = serde_json::Error;
    type Encoded = String;

    fn encode(value: &T) -> Result<String, Self::Error> {
        serde_json::to_string(value)
    }
}

impl<T: DeserializeOwned> codee::Decoder<T> for Json {
    type Error = serde_json::Error;
    type Encoded = str;

    fn decode(text: &str) -> Result<T, Self::Error> {
        serde_json::from_slice(text.as_bytes())
    }
}
