//! What a job's replicas look like: their states and counts, for loops and for the page.

use control::live::{ReplicaCounts, ReplicaState, ReplicaView};
use control::observation::{self, InFlight, ReplicaId};

use super::{Replica, Replicas};

impl Replicas {
    /// Whether some replica exists or existed.
    pub fn any(&self) -> bool {
        !self.living.is_empty() || !self.ended.is_empty()
    }

    /// How many are there, whatever they do.
    pub fn living(&self) -> u32 {
        u32::try_from(self.living.len()).unwrap_or(u32::MAX)
    }

    pub fn counts(&self) -> ReplicaCounts {
        let mut counts = ReplicaCounts { wanted: self.wanted, ..ReplicaCounts::default() };
        for one in &self.living {
            match self.state(one) {
                ReplicaState::Draining => counts.draining += 1,
                ReplicaState::Starting => counts.starting += 1,
                _ => counts.running += 1,
            }
        }
        counts
    }

    fn state(&self, one: &Replica) -> ReplicaState {
        if !one.active() {
            ReplicaState::Draining
        } else if !self.queue.took_any(&one.row.id) {
            ReplicaState::Starting
        } else if self.queue.idle(&one.row.id) {
            ReplicaState::Idle
        } else {
            ReplicaState::Busy
        }
    }

    /// The replicas and what they hold, as control loops see them at `now`.
    pub fn seen(&self, now: i64) -> (Vec<observation::Replica>, Vec<InFlight>) {
        let mut replicas = Vec::with_capacity(self.living.len());
        let mut in_flight = Vec::new();
        for one in &self.living {
            let id: ReplicaId = one.row.id.as_str().into();
            let state = match self.state(one) {
                ReplicaState::Starting => observation::ReplicaState::Starting,
                ReplicaState::Idle => observation::ReplicaState::Idle,
                ReplicaState::Busy => observation::ReplicaState::Busy,
                ReplicaState::Draining | ReplicaState::Ended => observation::ReplicaState::Draining,
            };
            in_flight.extend(self.queue.ages(&one.row.id, now).into_iter().map(|age_ms| InFlight { replica: id.clone(), age_ms }));
            replicas.push(observation::Replica { id, state, age_ms: u64::try_from(now - one.row.started_at).unwrap_or(0) });
        }
        (replicas, in_flight)
    }

    pub fn views(&self) -> Vec<ReplicaView> {
        let living = self.living.iter().map(|one| ReplicaView {
            id: one.row.id.clone(),
            state: self.state(one),
            started_at: one.row.started_at,
            place: self.platform.place(&one.handle),
            address: Some(one.row.addr.clone()),
            holds: self.queue.holds(&one.row.id),
            cpu: one.used.cores,
            memory_bytes: one.used.memory_bytes,
            items_done: self.queue.items_done(&one.row.id),
            ended: None,
        });
        living.chain(self.ended.iter().rev().cloned()).collect()
    }
}
