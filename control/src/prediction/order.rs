//! Whether a list is handed out in the order of its lengths: a sign test of neighbours.

use serde::{Deserialize, Serialize};

/// Of two neighbours in a sorted list so many are in order; the rest is disturbed by who works on them.
const IN_ORDER: f64 = 0.9;

/// Bounds of the evidence: what looked random for long may still be found sorted within a dozen items.
const LEAST: f64 = -6.0;
const MOST: f64 = 12.0;

/// Logarithms closer than this are the same length.
const SAME: f64 = 1e-6;

/// From here on a list is taken for a falling one: seven items in order and none against it, from nothing known.
const FALLS: f64 = 4.0;

/// Replicas of which the last item is kept: a sample of them tells as much, and memory is small.
const REPLICAS: usize = 32;

/// A replica that ended nothing for so many items is gone, and another takes its place.
const GONE_ITEMS: u32 = 1000;

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Order {
    newest: Option<f64>,
    /// How much likelier a list is that rises, and one that falls, than one in no order: logarithms.
    rising: f64,
    falling: f64,
    /// Of some replicas, by a hash of their names: the last length, and when in the list that was.
    last: Vec<(u32, f32, u32)>,
}

impl Order {
    /// Learns from one more item, the `number`th, that `replica` did. A list that rises ends in the order in which it
    /// began, whoever works on it. Of one that falls those that began together end shortest first; only what one and
    /// the same replica did is sure to have begun in that order.
    pub fn learn(&mut self, value: f64, number: f64, replica: Option<&str>) {
        let newest = self.newest.replace(value);
        let own = match replica {
            Some(name) => self.swap(name, value, number),
            None => newest,
        };
        if let Some(newest) = newest {
            self.rising = (self.rising + evidence(value - newest)).clamp(LEAST, MOST);
        }
        if let Some(own) = own {
            self.falling = (self.falling + evidence(own - value)).clamp(LEAST, MOST);
        }
    }

    /// Keeps what a replica did last, and gives what it did before that.
    fn swap(&mut self, name: &str, value: f64, number: f64) -> Option<f64> {
        // FNV-1a, at least 1: zero is a free place.
        let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)).max(1);
        if self.last.len() != REPLICAS {
            self.last = vec![(0, 0.0, 0); REPLICAS];
        }
        let place = &mut self.last[hash as usize % REPLICAS];
        let now = number as u32;
        let (kept, before, at) = *place;
        let same = kept == hash;
        if same || kept == 0 || now.saturating_sub(at) > GONE_ITEMS {
            *place = (hash, value as f32, now);
        }
        same.then_some(f64::from(before))
    }

    /// Evidence of any order.
    pub fn sorted(&self) -> f64 {
        self.rising.max(self.falling)
    }

    pub fn falls(&self) -> bool {
        self.falling >= FALLS
    }
}

/// What a step upwards says for a list that rises.
fn evidence(step: f64) -> f64 {
    match step {
        step if step.abs() < SAME => 0.0,
        step if step > 0.0 => libm::log(2.0 * IN_ORDER),
        _ => libm::log(2.0 * (1.0 - IN_ORDER)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists of lengths that two replicas work on in turn.
    fn learnt(lengths: impl Iterator<Item = f64>) -> Order {
        let mut order = Order::default();
        for (number, length) in lengths.enumerate() {
            order.learn(length, number as f64, Some(["a", "b"][number % 2]));
        }
        order
    }

    #[test]
    fn what_falls_is_told_from_what_rises() {
        let falls = learnt((0..20).map(|number| 9.0 - 0.1 * f64::from(number)));
        assert!(falls.falls() && falls.sorted() > FALLS);
        let rises = learnt((0..20).map(|number| 9.0 + 0.1 * f64::from(number)));
        assert!(!rises.falls() && rises.sorted() > FALLS);
    }

    #[test]
    fn items_that_begin_together_and_end_shortest_first_do_not_hide_a_fall() {
        // Pairs begin together: the shorter one, which began second, ends first.
        let mut order = Order::default();
        for pair in 0..20 {
            let longer = 9.0 - 0.2 * f64::from(pair);
            order.learn(longer - 0.1, f64::from(2 * pair), Some("b"));
            order.learn(longer, f64::from(2 * pair + 1), Some("a"));
        }
        assert!(order.falls());
    }

    #[test]
    fn equal_items_and_a_zigzag_say_nothing_of_order() {
        assert_eq!(learnt((0..50).map(|_| 7.0)).sorted(), 0.0);
        assert!(learnt((0..50).map(|number| f64::from(number / 2 % 2))).sorted() < 1.0);
    }
}
