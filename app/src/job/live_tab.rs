//! The live tab: charts over one time axis, tuning and reasons beside them.

use leptos::prelude::*;

use super::{tuning::Tuning, why::Why};
use crate::{
    chart::{
        ChartKind,
        marks::Marks,
        view::{ChartView, Cursor, Readout},
    },
    live::JobLive,
    ui::erase::{Erase, each},
};

/// Charts left, tuning and why right; below each other on narrow screens.
#[component]
pub fn LiveTab() -> impl IntoView {
    let live: JobLive = expect_context();
    provide_context(Cursor(RwSignal::new(None)));
    let names = Memo::new(move |_| live.loops.read().iter().map(|one| one.name.clone()).collect::<Vec<_>>());
    view! {
        <div class="two">
            <div class="card charts">
                <Readout/>
                {ChartKind::ALL.into_iter().map(|kind| view! { <ChartView kind/> }.erase()).collect::<Vec<_>>()}
                <Marks/>
            </div>
            <div class="side">
                {each(names, String::clone, |name| view! { <Tuning name/> }.erase())}
                <Why/>
            </div>
        </div>
    }
    .erase()
}
