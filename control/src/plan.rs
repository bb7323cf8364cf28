//! The plan of a job: the even pace from its start to its deadline, and how far the job is from it.
//! One place for the arithmetic, shared by the progress monitor and the charts.

use crate::observation::Items;

/// Share of the job that is handled, 0 to 1. Dead items count: nobody will work on them again.
/// A job whose items are not known yet has progress 0.
pub fn progress(items: Items) -> f64 {
    if items.total == 0 {
        return 0.0;
    }
    items.done.saturating_add(items.dead) as f64 / items.total as f64
}

/// Share of the time that is used, both in milliseconds since the job's start. Beyond the deadline it
/// goes on above 1, so that a late job stays under pressure until its end. A deadline of 0 is used up.
pub fn time_progress(at_ms: u64, deadline_ms: u64) -> f64 {
    if deadline_ms == 0 {
        return 1.0;
    }
    at_ms as f64 / deadline_ms as f64
}

/// Progress minus time used, as a share of the whole job. Negative is late; −0.1 is a tenth behind.
pub fn progress_error(items: Items, at_ms: u64, deadline_ms: u64) -> f64 {
    progress(items) - time_progress(at_ms, deadline_ms)
}
