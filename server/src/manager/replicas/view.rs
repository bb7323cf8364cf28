//! What a job's replicas look like: their states, counts, CPU and memory.

use control::live::{ReplicaCounts, ReplicaState, ReplicaView};
use control::observation::{self, InFlight, ReplicaId};

use super::{Replica, Replicas};
use crate::clock::now_ms;
use crate::platform::Handle;

/// Shortest time over which a share of a core is told.
const SHORTEST_MS: i64 = 500;

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
            let Some(usage) = usage else { continue };
            let read_at = now - i64::try_from(usage.age_ms).unwrap_or(0);
            one.memory_bytes = usage.memory_bytes;
            match one.used {
                // The same reading as before, or nearly: it says nothing new.
                Some((_, before)) if read_at - before < SHORTEST_MS => continue,
                Some((used, before)) => one.cpu = ((usage.cpu_s - used) * 1000.0 / (read_at - before) as f64).max(0.0),
                None => {}
            }
            one.used = Some((usage.cpu_s, read_at));
        }
    }

    /// Whether some replica exists or existed.
    pub fn any(&self) -> bool {
        !self.living.is_empty() || !self.ended.is_empty()
    }

    pub fn cpu(&self) -> Vec<f64> {
        self.living.iter().map(|one| one.cpu).collect()
    }

    pub fn memory_bytes(&self) -> u64 {
        self.living.iter().map(|one| one.memory_bytes).sum()
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
            cpu: one.cpu,
            memory_bytes: one.memory_bytes,
            items_done: self.queue.items_done(&one.row.id),
            ended: None,
        });
        living.chain(self.ended.iter().rev().cloned()).collect()
    }
}
