//! The arithmetic of the plan.

use control::observation::Items;
use control::plan::{progress, progress_error, time_progress};

#[test]
fn dead_items_are_handled_and_an_unknown_job_has_no_progress() {
    let items = Items { total: 10, waiting: 5, processing: 1, done: 3, dead: 1, ..Items::default() };
    assert_eq!(progress(items), 0.4);
    assert_eq!(progress(Items::default()), 0.0);
}

#[test]
fn the_pace_is_even_and_goes_on_after_the_deadline() {
    assert_eq!(time_progress(0, 60_000), 0.0);
    assert_eq!(time_progress(30_000, 60_000), 0.5);
    assert_eq!(time_progress(90_000, 60_000), 1.5);
    assert_eq!(time_progress(0, 0), 1.0);
}

#[test]
fn negative_is_late() {
    let items = Items { total: 10, waiting: 8, done: 2, ..Items::default() };
    assert_eq!(progress_error(items, 30_000, 60_000), -0.3);
    assert_eq!(progress_error(items, 0, 60_000), 0.2);
}
