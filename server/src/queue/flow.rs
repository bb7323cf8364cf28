//! How an item moves: taken, done, put back, dead, retried. Every move keeps `total = waiting + processing + done + dead`.

use bytes::Bytes;
use control::{job::Order, live::ItemState};

use super::{
    error::QueueError,
    items::{Held, Table, UNKNOWN_MS},
    journal::{Changes, numbered},
    replicas::{NOBODY, remember},
};

/// Longest stored error text.
const LONGEST_ERROR: usize = 16 << 10;

/// Where in the waiting line an item goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Left,
    Right,
    /// Taken before all others.
    Next,
    /// Taken after all others.
    Last,
}

/// Who takes, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taker {
    pub(super) replica: u32,
    pub(super) session: u64,
    /// Milliseconds since 1970.
    pub(super) now: i64,
}

impl Table {
    /// Hands the next item to a replica. `popped`: without `job:processing`.
    pub(super) fn take(&mut self, taker: Taker, popped: bool) -> Option<u32> {
        let replica = self.replicas.get(taker.replica);
        if replica.starved {
            self.finish_asked(taker);
            return None;
        }
        if self.waiting.is_empty() {
            return None;
        }
        if !replica.careful {
            for id in replica.holds.clone() {
                self.finish(id, taker.replica, taker.now);
                remember(&mut self.replicas.get_mut(taker.replica).presumed, id);
            }
        }
        let id = match self.spec.order {
            Order::Fifo => self.waiting.pop_front(),
            Order::Lifo => self.waiting.pop_back(),
        }?;
        self.counts.waiting -= 1;
        self.counts.processing += 1;
        let item = self.change(id);
        item.state = ItemState::Processing;
        item.by = taker.replica;
        item.attempts = item.attempts.saturating_add(1);
        item.service_ms = UNKNOWN_MS;
        self.fly(id, taker.now, popped, taker.session);
        let replica = self.replicas.get_mut(taker.replica);
        replica.holds.push(id);
        replica.last = Some(id);
        replica.took = true;
        Some(id)
    }

    /// A starved replica asks for the next item on the connection it took one by: that one is done,
    /// if it is of the kind that completes by taking. Otherwise a drain would wait for it in vain.
    fn finish_asked(&mut self, taker: Taker) {
        let replica = self.replicas.get(taker.replica);
        if replica.careful {
            return;
        }
        for id in replica.holds.clone() {
            if self.held(id).is_some_and(|held| held.session == taker.session) {
                self.finish(id, taker.replica, taker.now);
            }
        }
    }

    /// An item is done. Nothing changes when it already was.
    pub(super) fn finish(&mut self, id: u32, by: u32, now: i64) {
        let held = self.leave(id);
        let service_ms = held.map_or(UNKNOWN_MS, |held| self.took_ms(&held, now));
        if service_ms != UNKNOWN_MS {
            self.served(service_ms);
        }
        self.counts.done += 1;
        let item = self.change(id);
        item.state = ItemState::Done;
        item.by = by;
        item.service_ms = service_ms;
        self.replicas.get_mut(by).done += 1;
    }

    /// Takes an item out of its state and its count; when it was in flight, says since when.
    fn leave(&mut self, id: u32) -> Option<Held> {
        match self.item(id).state {
            ItemState::Waiting => {
                self.counts.waiting -= 1;
                if let Some(at) = self.waiting.iter().rposition(|other| *other == id) {
                    self.waiting.remove(at);
                }
                None
            }
            ItemState::Processing => {
                self.counts.processing -= 1;
                self.land(id)
            }
            ItemState::Done => {
                self.counts.done -= 1;
                let by = self.item(id).by;
                if by != NOBODY {
                    let replica = self.replicas.get_mut(by);
                    replica.done = replica.done.saturating_sub(1);
                }
                None
            }
            ItemState::Dead => {
                self.counts.dead -= 1;
                None
            }
        }
    }

    pub(super) fn line_up(&mut self, id: u32, place: Place) {
        match (place, self.spec.order) {
            (Place::Left, _) | (Place::Next, Order::Fifo) | (Place::Last, Order::Lifo) => self.waiting.push_front(id),
            (Place::Right, _) | (Place::Next, Order::Lifo) | (Place::Last, Order::Fifo) => self.waiting.push_back(id),
        }
    }

    /// An item comes back: it waits again, or is dead when it was given out often enough.
    pub(super) fn put_back(&mut self, id: u32, place: Place) {
        self.leave(id);
        let dead = self.spec.max_attempts <= u32::from(self.item(id).attempts);
        self.change(id).state = if dead { ItemState::Dead } else { ItemState::Waiting };
        if dead {
            self.counts.dead += 1;
        } else {
            self.counts.waiting += 1;
            self.line_up(id, place);
        }
    }

    pub(super) fn note_error(&mut self, id: u32, error: &[u8], changes: &mut Changes) {
        self.change(id).has_error = true;
        changes.put(&numbered(b'e', id), &error[..error.len().min(LONGEST_ERROR)]);
    }

    /// A replica has shown that it completes items itself. What was taken to be done is in flight again.
    pub(super) fn learn_careful(&mut self, number: u32, changes: &mut Changes, taker: Taker) {
        let replica = self.replicas.get_mut(number);
        if replica.careful {
            return;
        }
        replica.careful = true;
        let presumed = std::mem::take(&mut replica.presumed);
        self.replicas.store(number, changes);
        for id in presumed {
            if self.item(id).state != ItemState::Done || self.item(id).by != number {
                continue;
            }
            self.leave(id);
            self.counts.processing += 1;
            let service_ms = std::mem::replace(&mut self.change(id).service_ms, UNKNOWN_MS);
            let known_ms = if service_ms == UNKNOWN_MS { 0 } else { service_ms };
            self.change(id).state = ItemState::Processing;
            self.fly(id, taker.now - i64::from(known_ms), false, taker.session);
            self.replicas.get_mut(number).holds.push(id);
        }
        self.replicas.get_mut(number).holds.sort_unstable();
    }

    /// LREM of `job:processing`: completes the caller's own item of that text, else one of others.
    /// Duplicated lines are items of their own, so a count of 0 means one, not all.
    pub(super) fn remove(&mut self, taker: Taker, count: i64, text: &[u8], changes: &mut Changes) -> i64 {
        let replica = self.replicas.get_mut(taker.replica);
        if let Some(at) = replica.put_back.iter().position(|other| other == text) {
            replica.put_back.remove(at);
            return 1;
        }
        self.learn_careful(taker.replica, changes, taker);
        let mut removed = 0;
        while removed < count.saturating_abs().max(1) {
            let Some(id) = self.to_remove(taker.replica, text) else { break };
            self.finish(id, taker.replica, taker.now);
            remember(&mut self.replicas.get_mut(taker.replica).removed, id);
            removed += 1;
        }
        removed
    }

    fn to_remove(&self, number: u32, text: &[u8]) -> Option<u32> {
        let replica = self.replicas.get(number);
        let own = replica.holds.iter().copied().find(|id| self.text_slice(*id) == text);
        // Its lease ran out and a peer put the item back, but the work is done now.
        let late = || replica.last.filter(|id| self.item(*id).state != ItemState::Done && self.text_slice(*id) == text);
        own.or_else(late).or_else(|| self.in_flight().rev().find(|id| self.text_slice(*id) == text))
    }

    /// A push to `job`: an item in flight, or just removed by the same replica, comes back; any other text is new.
    pub(super) fn push(&mut self, taker: Taker, place: Place, text: &Bytes, changes: &mut Changes) -> Result<(), QueueError> {
        let replica = self.replicas.get(taker.replica);
        let own = replica.holds.iter().copied().find(|id| self.text_slice(*id) == text);
        if let Some(id) = own.or_else(|| self.in_flight().rev().find(|id| self.text_slice(*id) == text)) {
            self.put_back(id, place);
            let text = self.text(id);
            remember(&mut self.replicas.get_mut(taker.replica).put_back, text);
            return Ok(());
        }
        let removed = |id: &u32| self.item(*id).state == ItemState::Done && self.text_slice(*id) == text;
        if let Some(at) = replica.removed.iter().rposition(removed)
            && let Some(id) = self.replicas.get_mut(taker.replica).removed.remove(at)
        {
            self.put_back(id, place);
            return Ok(());
        }
        self.append(std::slice::from_ref(text), changes)?;
        if place == Place::Left
            && let Some(id) = self.waiting.pop_back()
        {
            self.waiting.push_front(id);
        }
        Ok(())
    }

    /// A replica has ended: what it held waits again at once. Returns how many items came back or died.
    pub(super) fn ended(&mut self, number: u32, clean_exit: bool, why: &str, now: i64, changes: &mut Changes) -> u64 {
        let replica = self.replicas.get_mut(number);
        replica.presumed.clear();
        let completes_by_taking = !replica.careful;
        let mut back = 0;
        for id in self.replicas.get(number).holds.clone() {
            if clean_exit && completes_by_taking {
                self.finish(id, number, now);
                continue;
            }
            self.note_error(id, why.as_bytes(), changes);
            self.put_back(id, Place::Next);
            back += 1;
        }
        back
    }

    /// Dead items wait again with no attempts counted; all of them when `indexes` is empty.
    pub(super) fn retry(&mut self, indexes: &[u64]) -> u64 {
        let chosen: Vec<u32> = if indexes.is_empty() {
            (0..u32::try_from(self.items.len()).unwrap_or(NOBODY)).collect()
        } else {
            indexes.iter().filter_map(|index| u32::try_from(*index).ok()).filter(|id| (*id as usize) < self.items.len()).collect()
        };
        let mut retried = 0;
        for id in chosen {
            if self.item(id).state == ItemState::Dead {
                self.change(id).attempts = 0;
                self.put_back(id, Place::Last);
                retried += 1;
            }
        }
        retried
    }
}
