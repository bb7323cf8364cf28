//! Until when this process may act. With a Lease somebody else leads from a certain moment on, whatever happened to this
//! one meanwhile: it may have been stopped, or starved, and know nothing of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Of a process that ended because somebody else may lead: try again, as sysexits.h says it.
const EXIT: i32 = 75;
/// How often the watchman looks.
const LOOK: Duration = Duration::from_millis(50);

/// Milliseconds of `moment`; without a Lease for ever.
static UNTIL: AtomicU64 = AtomicU64::new(u64::MAX);

/// A moment of a clock that goes on while the process, or the whole machine, sleeps. In milliseconds.
pub fn moment() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000
}

/// From now on this process may act until that moment, and ends itself after it.
pub fn until(moment: u64) {
    UNTIL.store(moment, Ordering::SeqCst);
}

/// Before whatever others would see: ends this process if it may no longer act.
pub fn must_hold() {
    let until = UNTIL.load(Ordering::Relaxed);
    if until != u64::MAX && until <= moment() {
        end("its Lease could not be renewed in time, and another server may lead by now");
    }
}

/// Looks again and again, on a thread that no task can hold up.
///
/// # Errors
/// When there can be no thread.
pub fn watch() -> std::io::Result<()> {
    let watchman = std::thread::Builder::new().name("fence".to_owned());
    watchman
        .spawn(|| {
            loop {
                must_hold();
                std::thread::sleep(LOOK);
            }
        })
        .map(drop)
}

/// Ends this process at once, with nothing tidied up: what it would write is no longer its own.
pub fn end(why: &str) -> ! {
    tracing::error!("this server ends: {why}");
    std::process::exit(EXIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_lease_it_holds_for_ever() {
        must_hold();
        let before = moment();
        std::thread::sleep(Duration::from_millis(20));
        assert!((15..5000).contains(&(moment() - before)));
    }
}
