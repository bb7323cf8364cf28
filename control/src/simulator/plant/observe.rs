//! What a controller sees of the plant.

use std::sync::Arc;

use super::replicas::Phase;
use super::{Plant, millis};
use crate::observation::{InFlight, Items, Observation, Replica, ReplicaState};

impl Plant<'_> {
    /// Fills in what the plant knows; the rest stays. Ids that are there already are not copied again: with many
    /// replicas that would be most of the work.
    pub fn observe(&mut self, seen: &mut Observation) {
        let mut held = 0;
        let mut present = 0;
        for slot in &self.replicas.live {
            let replica = &self.replicas.slots[*slot];
            let state = match replica.phase {
                Phase::Starting => ReplicaState::Starting,
                Phase::Idle => ReplicaState::Idle,
                Phase::Busy => ReplicaState::Busy,
                Phase::Draining => ReplicaState::Draining,
                Phase::Gone => continue,
            };
            let age_ms = millis(self.now_s - replica.created_s);
            match seen.replicas.get_mut(present) {
                Some(before) if Arc::ptr_eq(&before.id, &replica.id) => (before.state, before.age_ms) = (state, age_ms),
                Some(before) => *before = Replica { id: replica.id.clone(), state, age_ms },
                None => seen.replicas.push(Replica { id: replica.id.clone(), state, age_ms }),
            }
            present += 1;
            if matches!(replica.phase, Phase::Busy | Phase::Draining) {
                let age_ms = millis(self.now_s - replica.began_s);
                match seen.in_flight.get_mut(held) {
                    Some(before) if Arc::ptr_eq(&before.replica, &replica.id) => before.age_ms = age_ms,
                    Some(before) => *before = InFlight { replica: replica.id.clone(), age_ms },
                    None => seen.in_flight.push(InFlight { replica: replica.id.clone(), age_ms }),
                }
                held += 1;
            }
        }
        seen.replicas.truncate(present);
        seen.in_flight.truncate(held);

        let waiting = (self.world.items_s.len() - self.fresh + self.returned.len()) as u64;
        seen.at_ms = millis(self.now_s);
        seen.items = Items { total: self.total(), waiting, processing: held as u64 + self.leased, done: self.done, ..Items::default() };
        seen.allocation = Some(self.asked);
        seen.available = self.cap;
        seen.completions.clear();
        seen.completions.append(&mut self.completions);
    }
}
