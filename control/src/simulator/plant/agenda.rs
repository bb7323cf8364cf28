//! What comes next: ends of items by the counter of work, all else by the clock.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::replicas::{Phase, Replicas};
use super::speed::Speed;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    Ready,
    LeaseOver(u32),
    GraceOver,
    Crash,
}

#[derive(Debug, Default)]
pub struct Agenda {
    /// By the counter's bits: of numbers that are not negative they sort as the numbers do. Among equals the
    /// first begun.
    completions: BinaryHeap<Reverse<(u64, u64, u32)>>,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    runs: u64,
    noted: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    what: What,
    slot: usize,
    ordinal: u64,
}

impl Agenda {
    /// The number of the run, by which an end that no longer counts is known.
    pub fn complete_at(&mut self, work: f64, slot: usize) -> u64 {
        self.runs += 1;
        self.completions.push(Reverse((work.to_bits(), self.runs, slot as u32)));
        self.runs
    }

    pub fn at(&mut self, at_s: f64, what: What, slot: usize, ordinal: u64) {
        self.noted += 1;
        self.events.push(Reverse((at_s.to_bits(), self.noted, Event { what, slot, ordinal })));
    }

    /// Where the counter will stand at the next end of an item.
    pub fn next_completion(&mut self, replicas: &Replicas) -> Option<f64> {
        loop {
            let Reverse((work, run, slot)) = *self.completions.peek()?;
            let replica = &replicas.slots[slot as usize];
            if replica.run == run && matches!(replica.phase, Phase::Busy | Phase::Draining) {
                return Some(f64::from_bits(work));
            }
            self.completions.pop();
        }
    }

    pub fn pop_completion(&mut self, speed: &mut Speed) -> Option<usize> {
        let Reverse((work, _, slot)) = self.completions.pop()?;
        speed.stand(f64::from_bits(work));
        Some(slot as usize)
    }

    pub fn next_event_s(&self) -> f64 {
        self.events.peek().map_or(f64::INFINITY, |Reverse((at_s, ..))| f64::from_bits(*at_s))
    }

    pub fn pop_event(&mut self) -> Option<(What, usize, u64)> {
        let Reverse((.., event)) = self.events.pop()?;
        Some((event.what, event.slot, event.ordinal))
    }
}
