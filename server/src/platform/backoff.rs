//! How long to wait before replicas of a crashing worker are started again. Pure: ends in, pause out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Exit;

/// Long enough to spare the machine, short enough that a mended worker is soon back.
const LONGEST: Duration = Duration::from_secs(60);

/// The end of one replica that nobody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Milliseconds since 1970.
    pub at_ms: i64,
    pub exit: Exit,
    /// Completed in its life. A worker that got something done is not crashing for ever.
    pub items_done: u64,
}

/// Start nothing before `until_ms`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Milliseconds since 1970; may be past already.
    pub until_ms: i64,
    /// The whole length of the pause.
    pub wait: Duration,
    /// Rounds of crashes without an item done in between.
    pub crashes: u32,
    /// One sentence: what happens and why.
    pub why: String,
}

/// The pause after these ends of a job's replicas, oldest first: 1, 2, 4 … 60 s. `None` when the worker does not crash.
///
/// Ends after at least one item begin anew; unknown ends and those that the cluster caused count for nothing.
/// A clean end counts as well: a worker that leaves waiting items alone would be started for ever.
/// Many replicas that crash together are one round: a crash within the pause of another does not lengthen it.
pub fn after(ends: &[Ended]) -> Option<Pause> {
    let mut crashes = 0;
    let mut until_ms = i64::MIN;
    let mut last = None;
    for end in ends {
        if end.items_done > 0 {
            (crashes, until_ms, last) = (0, i64::MIN, None);
            continue;
        }
        if matches!(end.exit, Exit::Unknown | Exit::Deleted | Exit::Evicted) {
            continue;
        }
        last = Some(end.exit);
        if until_ms <= end.at_ms {
            crashes += 1;
            until_ms = end.at_ms.saturating_add(wait(crashes).as_millis() as i64);
        }
    }
    let (last, wait) = (last?, wait(crashes));
    let times = if crashes == 1 { "once".to_owned() } else { format!("{crashes} times in a row") };
    let why =
        format!("The worker ended {times} without completing an item (last: {}); the next start waits {} s.", last.words(), wait.as_secs());
    Some(Pause { until_ms, wait, crashes, why })
}

fn wait(crashes: u32) -> Duration {
    // Past 2^6 the longest pause holds anyway.
    Duration::from_secs(1 << crashes.saturating_sub(1).min(6)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crash(at_s: f64) -> Ended {
        Ended { at_ms: (at_s * 1000.0) as i64, exit: Exit::Code(1), items_done: 0 }
    }

    /// Crashes again as soon as each pause is over.
    fn crashing(times: usize) -> Vec<Ended> {
        let mut ends: Vec<Ended> = Vec::new();
        for _ in 0..times {
            let at_ms = after(&ends).map_or(0, |pause| pause.until_ms);
            ends.push(Ended { at_ms, exit: Exit::Code(1), items_done: 0 });
        }
        ends
    }

    #[test]
    fn a_worker_that_keeps_crashing_waits_longer_and_longer() {
        let waits: Vec<u64> = (1..=9).filter_map(|n| after(&crashing(n))).map(|p| p.wait.as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        let pause = after(&crashing(3)).unwrap();
        assert_eq!(
            pause.why,
            "The worker ended 3 times in a row without completing an item (last: exit code 1); the next start waits 4 s."
        );
    }

    #[test]
    fn an_item_done_begins_anew() {
        let mut ends = crashing(5);
        ends.push(Ended { at_ms: 900_000, exit: Exit::Signal(11), items_done: 1 });
        assert_eq!(after(&ends), None);
        ends.push(crash(1000.0));
        assert_eq!(after(&ends).unwrap().wait, Duration::from_secs(1));
    }

    #[test]
    fn a_worker_that_leaves_items_alone_waits_too() {
        let idle = Ended { exit: Exit::Code(0), ..crash(0.0) };
        assert_eq!(after(&[idle]).unwrap().wait, Duration::from_secs(1));
    }

    #[test]
    fn twenty_replicas_that_crash_together_are_one_round() {
        let together: Vec<Ended> = (0..20).map(|n| crash(f64::from(n) * 0.02)).collect();
        let pause = after(&together).unwrap();
        assert_eq!((pause.crashes, pause.until_ms), (1, 1000));
    }

    #[test]
    fn an_end_of_unknown_kind_is_no_crash() {
        assert_eq!(after(&[Ended { exit: Exit::Unknown, ..crash(0.0) }]), None);
        assert_eq!(after(&[]), None);
    }
}
