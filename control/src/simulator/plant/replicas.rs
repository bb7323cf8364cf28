//! The replicas that exist, in the order in which they were asked for.

use crate::observation::ReplicaId;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Starting,
    Idle,
    Busy,
    /// Busy with its last item.
    Draining,
    /// Its place is free.
    Gone,
}

#[derive(Debug)]
pub struct Slot {
    /// Of all replicas that ever were, from 0.
    pub ordinal: u64,
    pub id: ReplicaId,
    pub phase: Phase,
    pub created_s: f64,
    pub item: u32,
    pub began_s: f64,
    /// Which of all runs of items it is at.
    pub run: u64,
}

#[derive(Debug, Default)]
pub struct Replicas {
    pub slots: Vec<Slot>,
    free: Vec<usize>,
    /// Slots in use, oldest first.
    pub live: Vec<usize>,
    draining: usize,
    ordinals: u64,
}

impl Replicas {
    pub fn next_ordinal(&self) -> u64 {
        self.ordinals
    }

    pub fn add(&mut self, now_s: f64) -> usize {
        let ordinal = self.ordinals;
        self.ordinals += 1;
        let id = ReplicaId::from(format!("r{}", ordinal + 1));
        let replica = Slot { ordinal, id, phase: Phase::Starting, created_s: now_s, item: 0, began_s: 0.0, run: 0 };
        let slot = if let Some(slot) = self.free.pop() {
            self.slots[slot] = replica;
            slot
        } else {
            self.slots.push(replica);
            self.slots.len() - 1
        };
        self.live.push(slot);
        slot
    }

    pub fn drain(&mut self, slot: usize) {
        self.slots[slot].phase = Phase::Draining;
        self.draining += 1;
    }

    pub fn remove(&mut self, slot: usize) {
        if self.slots[slot].phase == Phase::Draining {
            self.draining -= 1;
        }
        self.slots[slot].phase = Phase::Gone;
        self.live.retain(|live| *live != slot);
        self.free.push(slot);
    }

    /// All but those that drain.
    pub fn staying(&self) -> u32 {
        u32::try_from(self.live.len() - self.draining).unwrap_or(u32::MAX)
    }

    pub fn find_staying(&self, id: &str) -> Option<usize> {
        self.live.iter().copied().find(|slot| self.slots[*slot].phase != Phase::Draining && &*self.slots[*slot].id == id)
    }

    /// The oldest that has nothing to do.
    pub fn idle(&self) -> Option<usize> {
        self.live.iter().copied().find(|slot| self.slots[*slot].phase == Phase::Idle)
    }

    /// Who goes when nobody says: one that has done nothing yet, else one that does nothing, else the newest.
    pub fn least_useful(&self) -> Option<usize> {
        let newest = |phase| self.live.iter().rev().copied().find(|slot| self.slots[*slot].phase == phase);
        newest(Phase::Starting).or_else(|| newest(Phase::Idle)).or_else(|| newest(Phase::Busy))
    }
}
