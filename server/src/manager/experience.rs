//! What a job learns from those that ran the same program before, and leaves to those after it.

use control::job::JobSpec;
use sha2::{Digest as _, Sha256};

use crate::controller::Outcome;
use crate::store::Lesson;

/// Fewer items teach nothing about their spread.
const LEAST_ITEMS: usize = 5;
/// A forecast that is first seen after this share of the items is no forecast of half of them any more.
const NO_LONGER_HALF: f64 = 0.6;

/// Jobs that run the same program on the same platform share one.
pub fn template(spec: &JobSpec) -> Vec<u8> {
    let program = format!("{} {}", spec.platform.kind, spec.platform.params);
    Sha256::digest(program.as_bytes()).to_vec()
}

/// The finish as it was foretold at half of the items.
#[derive(Debug, Clone, Copy, Default)]
pub struct AtHalf {
    /// From and to, milliseconds since the job's start.
    band: Option<(f64, f64)>,
}

impl AtHalf {
    /// Keeps the first band that is seen when half of the items are done.
    pub fn look(&mut self, at_ms: u64, done: u64, total: u64, outcome: &Outcome) {
        let share = done as f64 / total.max(1) as f64;
        if self.band.is_some() || !(0.5..NO_LONGER_HALF).contains(&share) {
            return;
        }
        let from_now = |end: &str| outcome.samples.iter().find(|(name, _)| name.starts_with("finish.") && name.ends_with(end));
        if let (Some((_, early_s)), Some((_, late_s))) = (from_now(".p5"), from_now(".p95")) {
            let at = |seconds: f64| at_ms as f64 + seconds * 1000.0;
            self.band = Some((at(*early_s), at(*late_s)));
        }
    }

    fn held(self, finish_ms: f64) -> Option<bool> {
        self.band.map(|(from, to)| (from..=to).contains(&finish_ms))
    }
}

/// What a completed job teaches; `None` when it had too few items.
pub fn lesson(services_ms: &[u32], finish_ms: f64, at_half: AtHalf) -> Option<Lesson> {
    if services_ms.len() < LEAST_ITEMS {
        return None;
    }
    // Below a millisecond nothing is measured.
    let logs: Vec<f64> = services_ms.iter().map(|ms| f64::from((*ms).max(1)).ln()).collect();
    let count = logs.len() as f64;
    let log_mean = logs.iter().sum::<f64>() / count;
    let log_sd = (logs.iter().map(|log| (log - log_mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt();
    Some(Lesson { items: services_ms.len() as u64, log_mean, log_sd, held: at_half.held(finish_ms) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(early_s: f64, late_s: f64) -> Outcome {
        let samples = vec![("finish.pace.p5".to_owned(), early_s), ("finish.pace.p95".to_owned(), late_s)];
        Outcome { samples, ..Outcome::default() }
    }

    #[test]
    fn the_band_of_half_the_items_is_kept_and_judged() {
        let mut at_half = AtHalf::default();
        at_half.look(1000, 4, 10, &outcome(0.0, 100.0));
        assert_eq!(at_half.held(5000.0), None, "too early to count");
        at_half.look(2000, 5, 10, &outcome(1.0, 4.0));
        at_half.look(3000, 5, 10, &outcome(90.0, 100.0));
        assert_eq!((at_half.held(5000.0), at_half.held(6001.0), at_half.held(2999.0)), (Some(true), Some(false), Some(false)));
    }

    #[test]
    fn logarithms_are_of_milliseconds_and_few_items_teach_nothing() {
        assert_eq!(lesson(&[10; 4], 0.0, AtHalf::default()), None);
        let taught = lesson(&[1000; 20], 0.0, AtHalf::default()).unwrap();
        assert!((taught.log_mean - 1000f64.ln()).abs() < 1e-12 && taught.log_sd == 0.0 && taught.held.is_none());
    }
}
