//! CPU and memory of replicas: from readings that come as seldom as their platform likes to rates with an age.

use super::Replicas;
use crate::clock::now_ms;
use crate::monitor::Used;
use crate::platform::{Handle, Usage};

/// Shortest time over which a share of a core is told.
const SHORTEST_MS: i64 = 500;
/// Over how long a source that tells cores has measured, before the moment that it names.
const WINDOW_MS: i64 = 15_000;

/// Shortest time over which a share of a limit is told: a loop acts by it, and a second may be like no other.
const SHARE_MS: i64 = 5000;
/// After its CPU was changed, a replica's share of it is known before this; else its reading fails.
const SETTLED_WITHIN_MS: i64 = 90_000;

/// What a replica used, by its readings so far. Times are milliseconds since 1970.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// CPU seconds used until a moment, as it was read last.
    until: Option<(f64, i64)>,
    pub cores: f64,
    pub memory_bytes: u64,
    memory_limit: Option<u64>,
    /// When the CPU that is told was measured.
    measured_at: Option<i64>,
    /// What it may use, and since when that is seen.
    limit: Option<(f64, i64)>,
    /// The first reading under that limit that the next share is reckoned from.
    under: Option<(f64, i64)>,
    /// Which part of its limit it used, while that limit was what it is now.
    share: Option<f64>,
}

impl Meter {
    fn read(&mut self, usage: &Usage, now: i64) {
        let read_at = now - i64::try_from(usage.age_ms).unwrap_or(0);
        self.memory_bytes = usage.memory_bytes;
        self.memory_limit = usage.memory_limit;
        match (usage.cpu_limit, self.limit) {
            (Some(limit), Some((before, _))) if limit == before => {}
            (limit, _) => (self.limit, self.under, self.share) = (limit.map(|limit| (limit, now)), None, None),
        }
        let before = self.until;
        // The same reading as before, or nearly: it says nothing new.
        if before.is_some_and(|(_, before)| read_at - before < SHORTEST_MS) {
            return;
        }
        self.until = Some((usage.cpu_s, read_at));
        match (usage.cores, before) {
            (Some(cores), _) => {
                self.cores = cores;
                // What was used under another limit says nothing of this one.
                self.share = self.limit.filter(|(_, since)| *since <= read_at - WINDOW_MS).map(|(limit, _)| cores / limit);
            }
            (None, None) => {
                self.share_from(usage.cpu_s, read_at);
                return;
            }
            (None, Some((used, before))) => {
                self.cores = rate((used, before), (usage.cpu_s, read_at));
                self.share_from(usage.cpu_s, read_at);
            }
        }
        self.measured_at = Some(read_at);
    }

    /// From the first reading under the limit that is in force to one long enough after.
    fn share_from(&mut self, cpu_s: f64, read_at: i64) {
        let Some((limit, since)) = self.limit.filter(|(limit, _)| 0.0 < *limit) else { return };
        match self.under {
            Some((used, from)) if SHARE_MS <= read_at - from => {
                self.share = Some(rate((used, from), (cpu_s, read_at)) / limit);
                self.under = Some((cpu_s, read_at));
            }
            Some(_) => {}
            None if since <= read_at => self.under = Some((cpu_s, read_at)),
            None => {}
        }
    }

    fn told(&self, now: i64) -> Option<Used> {
        let age_ms = u64::try_from(now - self.measured_at?).unwrap_or(0);
        Some(Used {
            cores: self.cores,
            cpu_share: self.share,
            memory_bytes: self.memory_bytes,
            memory_share: self.memory_limit.filter(|limit| 0 < *limit).map(|limit| self.memory_bytes as f64 / limit as f64),
            age_ms,
        })
    }
}

/// CPU seconds a second, between two readings.
fn rate((used, before): (f64, i64), (cpu_s, at): (f64, i64)) -> f64 {
    ((cpu_s - used) * 1000.0 / (at - before) as f64).max(0.0)
}

impl Replicas {
    /// Reads CPU and memory of every tree. Called once a tick.
    pub fn sample(&mut self) {
        let now = now_ms();
        // The system counts in hundredths: over a few milliseconds they say nothing.
        if now - self.sampled_at < SHORTEST_MS {
            return;
        }
        self.sampled_at = now;
        let handles: Vec<Handle> = self.living.iter().map(|one| one.handle.clone()).collect();
        if handles.is_empty() {
            return;
        }
        for (one, usage) in self.living.iter_mut().zip(self.platform.usage(&handles)) {
            if let Some(usage) = usage {
                one.used.read(&usage, now);
            }
        }
    }

    pub fn cpu(&self) -> Vec<f64> {
        self.living.iter().map(|one| one.used.cores).collect()
    }

    pub fn memory_bytes(&self) -> u64 {
        self.living.iter().map(|one| one.used.memory_bytes).sum()
    }

    /// Of each replica that was measured.
    pub fn used(&self) -> Vec<Used> {
        let now = now_ms();
        self.living.iter().filter_map(|one| one.used.told(now)).collect()
    }

    /// What they use of the CPU that they have now is not known yet, and soon will be.
    pub(super) fn settling(&self) -> bool {
        self.living.iter().all(|one| one.used.share.is_none()) && now_ms() - self.resized_at < SETTLED_WITHIN_MS
    }

    /// How long all replicas together were there, in hours.
    pub fn hours(&self) -> f64 {
        let now = now_ms();
        let living: i64 = self.living.iter().map(|one| (now - one.row.started_at).max(0)).sum();
        (self.past_ms + living) as f64 / 3_600_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(cpu_s: f64, cpu_limit: f64, age_ms: u64) -> Usage {
        Usage { cpu_s, cpu_limit: Some(cpu_limit), memory_bytes: 50, memory_limit: Some(100), age_ms, ..Usage::default() }
    }

    #[test]
    fn two_readings_tell_a_rate_and_its_age() {
        let mut meter = Meter::default();
        meter.read(&usage(1.0, 0.5, 0), 10_000);
        assert_eq!(meter.told(10_000), None, "one reading tells no rate");
        meter.read(&usage(6.0, 0.5, 1000), 36_000);
        let used = meter.told(40_000).unwrap();
        assert_eq!((used.cores, used.cpu_share, used.memory_share, used.age_ms), (0.2, Some(0.4), Some(0.5), 5000));
        // Told again, it is the same, and older.
        meter.read(&usage(6.0, 0.5, 11_000), 46_000);
        assert_eq!(meter.told(46_000).unwrap().age_ms, 11_000);
    }

    #[test]
    fn a_share_is_told_only_of_the_limit_under_which_it_was_used() {
        let mut meter = Meter::default();
        let share = |meter: &Meter, now: i64| meter.told(now).and_then(|used| used.cpu_share);
        meter.read(&usage(0.0, 0.2, 0), 0);
        meter.read(&usage(0.4, 0.2, 0), 2000);
        assert_eq!(share(&meter, 2000), None, "two seconds may be like no others");
        meter.read(&usage(1.0, 0.2, 0), 5000);
        assert_eq!(share(&meter, 5000), Some(1.0));
        meter.read(&usage(1.0, 0.4, 1000), 6000);
        assert_eq!(share(&meter, 6000), None, "of the new limit nothing is known yet");
        meter.read(&usage(1.5, 0.4, 0), 7000);
        meter.read(&usage(2.1, 0.4, 0), 9000);
        assert_eq!(share(&meter, 9000), None);
        meter.read(&usage(3.3, 0.4, 0), 13_000);
        assert!((share(&meter, 13_000).unwrap() - 0.75).abs() < 1e-9, "1.8 seconds in six, of 0.4");
    }

    #[test]
    fn a_source_that_tells_cores_is_believed_after_its_window() {
        let mut meter = Meter::default();
        let told = |age_ms: u64| Usage { cores: Some(0.3), cpu_limit: Some(0.5), age_ms, ..Usage::default() };
        meter.read(&told(12_000), 20_000);
        let used = meter.told(20_000).unwrap();
        assert_eq!((used.cores, used.cpu_share, used.age_ms), (0.3, None, 12_000));
        meter.read(&told(12_000), 50_000);
        assert_eq!(meter.told(50_000).unwrap().cpu_share, Some(0.6));
    }
}
