//! Whether what is shown is fresh: `live · 1 s` (not older than that), or for how long nothing came.

use leptos::prelude::*;

use super::{
    erase::{Erase, When},
    words,
};
use crate::api::error::ApiError;

/// Above this many seconds without news the page says that it is stale.
const STALE_S: f64 = 3.0;

/// How much later than every second news may come. Whole seconds only: a text that changes all the time
/// is read by nobody, and every change makes the browser paint the page.
const LATE_S: f64 = 0.5;

/// What the badge says. `None` before the first news.
pub fn said(age_s: Option<f64>, ended: bool) -> (&'static str, String) {
    match age_s {
        _ if ended => ("ended", "ended".to_owned()),
        None => ("waiting", "connecting".to_owned()),
        Some(age) if age < STALE_S => ("live", format!("live · {} s", (age - LATE_S).ceil().max(1.0))),
        Some(age) => ("stale", format!("no news for {}", words::duration(age))),
    }
}

/// The badge of a live page; `cut` says why no news will come any more.
#[component]
pub fn LiveBadge(
    #[prop(into)] age: Signal<Option<f64>>,
    #[prop(into)] ended: Signal<bool>,
    #[prop(into)] cut: Signal<Option<ApiError>>,
) -> impl IntoView {
    let said = move || match cut.get() {
        Some(ApiError::Unauthorized) => ("stale", "signed out".to_owned()),
        Some(_) => ("stale", "deleted".to_owned()),
        None => said(age.get(), ended.get()),
    };
    view! {
        <span class="live" data-state=move || said().0>
            <span>{move || said().1}</span>
            // The same page, which then says how to sign in.
            <When on=move || cut.get() == Some(ApiError::Unauthorized)><a href="" rel="external">"sign in"</a></When>
        </span>
    }
    .erase()
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn silence_is_never_shown_as_fresh() {
        assert_eq!(said(Some(0.31), false), ("live", "live · 1 s".to_owned()));
        assert_eq!(said(Some(1.2), false), ("live", "live · 1 s".to_owned()));
        assert_eq!(said(Some(2.6), false), ("live", "live · 3 s".to_owned()));
        assert_eq!(said(Some(12.0), false).0, "stale");
        assert_eq!(said(None, false).0, "waiting");
        assert_eq!(said(Some(90.0), true).0, "ended");
    }
}
