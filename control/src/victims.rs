//! Which replicas go first when some should: those whose going costs least.

use crate::observation::{Observation, ReplicaId, ReplicaState, ScaleIn};

/// The `count` replicas to remove, best first: those still starting (the youngest first), then idle ones, then
/// busy ones. Of the busy ones, a drain takes those that began their item first, for they are the first to be
/// free; a kill takes those that began it last, for they lose the least.
pub fn choose(seen: &Observation, count: u32) -> Vec<ReplicaId> {
    let kill = matches!(seen.scale_in, Some(ScaleIn::Kill { .. }));
    let mut ranked: Vec<(u8, u64, &ReplicaId)> = seen
        .replicas
        .iter()
        .filter_map(|replica| {
            let rank = match replica.state {
                ReplicaState::Draining => return None,
                ReplicaState::Starting => (0, replica.age_ms),
                ReplicaState::Idle => (1, replica.age_ms),
                ReplicaState::Busy => {
                    let age = seen.in_flight.iter().find(|item| item.replica == replica.id).map_or(0, |item| item.age_ms);
                    (2, if kill { age } else { u64::MAX - age })
                }
            };
            Some((rank.0, rank.1, &replica.id))
        })
        .collect();
    ranked.sort();
    ranked.into_iter().take(count as usize).map(|(.., id)| id.clone()).collect()
}
