//! Views without their types. Every type of view costs a few kB of WebAssembly, so as few as possible meet Leptos's
//! generic code: an erased view instead of each element's own, one condition and one list instead of one for each use.

use std::sync::Arc;

use leptos::prelude::*;

/// Ends every `view!`.
pub trait Erase {
    fn erase(self) -> AnyView;
}

impl<T: RenderHtml + Send> Erase for View<T> {
    fn erase(self) -> AnyView {
        // Unwrapped first: an element that stands alone is then of the same type as one inside another.
        self.into_inner().into_any()
    }
}

/// Leptos's `Show` without a fallback.
#[component]
pub fn When(on: impl Fn() -> bool + Send + Sync + 'static, children: ChildrenFn) -> impl IntoView {
    when(Memo::new(move |_| on()), children)
}

fn when(on: Memo<bool>, children: ChildrenFn) -> AnyView {
    (move || on.get().then(|| children())).into_any()
}

/// Leptos's `For` over things with a name: a row is drawn once for each name, and moved when the order changes.
pub fn each<T: Clone + Send + Sync + 'static>(
    things: Memo<Vec<T>>,
    name: fn(&T) -> String,
    row: impl Fn(T) -> AnyView + Send + Sync + 'static,
) -> AnyView {
    rows(things, name, Arc::new(row))
}

fn rows<T: Clone + Send + Sync + 'static>(
    things: Memo<Vec<T>>,
    name: fn(&T) -> String,
    row: Arc<dyn Fn(T) -> AnyView + Send + Sync>,
) -> AnyView {
    let row = move |thing| row(thing);
    For(ForProps { each: move || things.get(), key: name, children: row }).into_any()
}
