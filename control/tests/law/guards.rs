//! The guards, each alone and in their order.

use control::guard::{GuardParams, guard};
use control::observation::{Items, Observation};
use proptest::prelude::*;

use crate::seen;

fn guarded(params: &GuardParams, wish: f64, from: u32, left: u64) -> (u32, Vec<&'static str>) {
    let items = Items { total: 900, waiting: left, ..Items::default() };
    let guarded = guard(params, wish, &Observation { items, ..seen::at(0, from, 0.0) }, from, false);
    (guarded.to, guarded.changed)
}

#[test]
fn each_leaves_its_name_where_it_changed_the_outcome() {
    let free = GuardParams::none();
    let step = GuardParams { largest_step: 4, ..free.clone() };
    let band = GuardParams { dead_band: 0.75, ..free.clone() };
    assert_eq!(guarded(&free, 7.0, 3, 900), (7, vec![]));
    assert_eq!(guarded(&free, f64::NAN, 3, 900), (3, vec!["finite"]));
    assert_eq!(guarded(&free, f64::INFINITY, 3, 900), (3, vec!["finite"]));
    assert_eq!(guarded(&free, 12.5, 3, 900), (10, vec!["bounds"]));
    assert_eq!(guarded(&free, -2.0, 3, 900), (1, vec!["bounds"]));
    assert_eq!(guarded(&free, 8.0, 3, 5), (5, vec!["items_left"]));
    assert_eq!(guarded(&free, 12.5, 3, 5), (5, vec!["bounds", "items_left"]));
    assert_eq!(guarded(&step, 12.5, 1, 900), (5, vec!["bounds", "largest_step"]));
    assert_eq!(guarded(&step, 1.0, 9, 900), (5, vec!["largest_step"]));
    assert_eq!(guarded(&band, 3.7, 3, 900), (3, vec!["dead_band"]));
    assert_eq!(guarded(&band, 3.75, 3, 900), (4, vec![]));
    assert_eq!(guarded(&band, 3.3, 4, 900), (4, vec!["dead_band"]));
    assert_eq!(guarded(&band, 3.25, 4, 900), (3, vec![]));
    assert_eq!(guarded(&band, 3.2, 3, 900), (3, vec![]), "it would not have moved anyway");
}

#[test]
fn items_win_over_the_smallest_allocation_until_none_is_left() {
    let seen = |left| {
        let items = Items { total: 9, waiting: left, ..Items::default() };
        let mut seen = Observation { items, ..seen::at(0, 5, 0.0) };
        seen.bounds.min = 4;
        seen
    };
    assert_eq!(guard(&GuardParams::none(), 5.0, &seen(2), 5, false).to, 2);
    assert_eq!(guard(&GuardParams::none(), 5.0, &seen(0), 5, false).to, 5);
    assert_eq!(guard(&GuardParams::none(), 0.0, &seen(0), 5, false).to, 4);
}

#[test]
fn a_wide_band_does_not_keep_a_job_from_starting() {
    let wide = GuardParams { dead_band: 50.0, ..GuardParams::none() };
    assert_eq!(guarded(&wide, 1.0, 0, 900).0, 1);
    assert_eq!(guarded(&wide, 9.0, 2, 900), (2, vec!["dead_band"]));
}

#[test]
fn a_cooldown_holds_and_the_band_alone_does_not_saturate() {
    let seen = seen::at(0, 3, 0.0);
    let cooling = guard(&GuardParams::none(), 6.0, &seen, 3, true);
    assert_eq!((cooling.to, cooling.changed.as_slice()), (3, ["cooldown"].as_slice()));
    assert!(cooling.saturated());
    let band = GuardParams { dead_band: 2.0, ..GuardParams::none() };
    assert!(!guard(&band, 4.0, &seen, 3, false).saturated());
}

proptest! {
    #[test]
    fn what_moves_stays_within_bounds_and_items(
        seen in seen::any(),
        wish in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), any::<f64>(), -50.0..50.0f64],
        band in 0.0..5.0f64,
    ) {
        let params = GuardParams { dead_band: band, ..GuardParams::none() };
        let from = seen.allocated();
        let (min, max, left) = (seen.bounds.min, seen.bounds.max, seen.items.left());
        let to = guard(&params, wish, &seen, from, false).to;
        if to != from || (from < min || max < from) {
            prop_assert!(to <= max);
            prop_assert!(min <= to || u64::from(to) == left);
            prop_assert!(seen.items.open || left == 0 || u64::from(to) <= left);
        }
        if !wish.is_finite() && min <= from && from <= max && (left == 0 || u64::from(from) <= left) {
            prop_assert_eq!(to, from);
        }
    }

    #[test]
    fn one_step_is_never_larger_than_allowed(seen in seen::any(), wish in -50.0..50.0f64, step in 1u32..9) {
        let params = GuardParams { largest_step: step, ..GuardParams::none() };
        let to = guard(&params, wish, &seen, seen.allocated(), false).to;
        prop_assert!(to.abs_diff(seen.allocated()) <= step);
    }
}
