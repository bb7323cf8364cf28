//! Which rows of a long table are shown, and links to those before and after.

use leptos::prelude::*;

use super::{erase::Erase, words::count};

/// `101–200 of 900`; `0 of 900` where nothing fits.
#[component]
pub fn Range(
    from: u64,
    /// Rows on this page.
    shown: u64,
    /// Rows on a whole page.
    page: u64,
    /// Of signals that live longer than the rows: old rows are still shown while new ones are on their way,
    /// and what was made with the old ones is gone by then.
    total: impl Fn() -> u64 + Copy + Send + Sync + 'static,
    address: impl Fn(u64) -> String + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let said = move || match (shown, total()) {
        (0, total) => format!("0 of {}", count(total)),
        (_, total) => format!("{}–{} of {}", count(from + 1), count(from + shown), count(total.max(from + shown))),
    };
    view! {
        <nav class="pages" aria-label="Pages">
            {(from > 0).then(|| view! { <a class="button" href=address(from.saturating_sub(page))>"← Before"</a> }.erase())}
            <span class="muted">{said}</span>
            {move || (shown > 0 && from + shown < total()).then(|| view! { <a class="button" href=address(from + shown)>"After →"</a> }.erase())}
        </nav>
    }
    .erase()
}
