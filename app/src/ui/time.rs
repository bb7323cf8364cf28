//! Times of day: UTC on the server and at first in the browser, then the reader's own zone.

use leptos::prelude::*;

use super::{erase::Erase, words};

/// Minutes east of UTC in which times are shown; 0 until the browser has said its own.
#[derive(Debug, Clone, Copy)]
pub struct Zone(pub RwSignal<i32>);

/// Gives `Zone` to all pages below. The browser's zone is taken after hydration, so that both sides first agree.
pub fn provide_zone() {
    let zone = RwSignal::new(0);
    provide_context(Zone(zone));
    Effect::new(move |_| {
        let west = js_sys::Date::new_0().get_timezone_offset();
        zone.set(-(west as i32));
    });
}

/// Minutes east of UTC, from context.
pub fn zone() -> Signal<i32> {
    use_context::<Zone>().map_or_else(|| Signal::stored(0), |zone| zone.0.into())
}

/// A moment as `17:38:20`, with the day in its title.
#[component]
pub fn Moment(
    /// Milliseconds since 1970.
    at: i64,
) -> impl IntoView {
    let zone = zone();
    view! {
        <time datetime=words::rfc3339(at) title=move || words::date(at, zone.get())>
            {move || words::clock(at, zone.get())}
        </time>
    }
    .erase()
}
