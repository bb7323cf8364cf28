//! Fewer replicas: who goes is starved, finishes what it holds, and is ended when it holds nothing.

use std::sync::atomic::Ordering;
use std::time::Duration;

use app::ui::words::duration;
use control::observation::{Observation, ReplicaId, ReplicaState};
use control::victims;

use super::{DRAINING, Replicas, STARTING, short};
use crate::clock::now_ms;
use crate::store::StoreError;
use crate::words::chain;

/// A replica that holds nothing may be between taking its item off and publishing the result, or putting it
/// back: it is asked to end only when it has held nothing for two looks.
const IDLE_MS: i64 = 200;
/// So many replicas are named when several go for one reason.
const NAMED: usize = 6;
/// The platform could not end a replica: how long until it is asked again.
const END_AGAIN: Duration = Duration::from_secs(1);

impl Replicas {
    /// Starves everybody: they finish what they hold and go. `drain` bounds how long that may take.
    pub fn drain_all(&mut self, drain: Duration) {
        self.wanted = 0;
        self.drain_ms = i64::try_from(drain.as_millis()).unwrap_or(i64::MAX);
        let active = self.living.len() as u32;
        self.choose(active, now_ms());
        // Everybody goes: there was no choice to tell of.
        self.going = None;
    }

    /// Starves the replicas whose going costs least, by the rule that the loops foretell by.
    pub(super) fn choose(&mut self, count: u32, now: i64) {
        let (replicas, in_flight) = self.seen(now);
        let seen = Observation { replicas, in_flight, ..Observation::at(0) };
        let chosen = victims::choose(&seen, count);
        let said = [Some(who_goes(&seen, &chosen)).filter(|said| !said.is_empty()), self.platform.lent().map(str::to_owned)];
        self.going = said[0].is_some().then(|| said.into_iter().flatten().collect::<Vec<_>>().join(" "));
        for one in self.living.iter_mut().filter(|one| chosen.iter().any(|id| **id == *one.row.id)) {
            one.draining_since = Some(now);
            self.queue.starve(&one.row.id, true);
        }
    }

    /// Who was chosen to go since the last call, and why, in words.
    pub fn take_going(&mut self) -> Option<String> {
        self.going.take()
    }

    /// Takes draining replicas back before new ones are started; answers how many are still missing.
    pub(super) fn recall(&mut self, mut missing: u32) -> u32 {
        for one in self.living.iter_mut().filter(|one| one.draining_since.is_some() && !one.ending()) {
            if missing == 0 {
                break;
            }
            (one.draining_since, one.idle_since) = (None, None);
            self.queue.starve(&one.row.id, false);
            missing -= 1;
        }
        missing
    }

    pub(super) fn end_drained(&mut self, now: i64) {
        for one in self.living.iter_mut().filter(|one| !one.ending()) {
            let Some(since) = one.draining_since else { continue };
            one.idle_since = if self.queue.idle(&one.row.id) { one.idle_since.or(Some(now)) } else { None };
            let idle = one.idle_since.is_some_and(|since| IDLE_MS <= now - since);
            if !idle && now - since < self.drain_ms {
                continue;
            }
            one.ending.store(true, Ordering::Relaxed);
            let (platform, handle, grace, ending) = (self.platform.clone(), one.handle.clone(), self.grace, one.ending.clone());
            tokio::spawn(async move {
                if let Err(error) = platform.end(&handle, grace).await {
                    tracing::warn!("replica {} could not be ended: {}; it is tried again", handle.replica, chain(&error));
                    tokio::time::sleep(END_AGAIN).await;
                    ending.store(false, Ordering::Relaxed);
                }
            });
        }
    }

    /// Writes down who drains, so that after a restart the same ones go on draining and get nothing in between.
    pub(super) async fn store_draining(&mut self) -> Result<(), StoreError> {
        for one in &mut self.living {
            let state = if one.draining_since.is_some() { DRAINING } else { STARTING };
            if one.row.state != state {
                state.clone_into(&mut one.row.state);
                if let Err(error) = self.store.put_replica(&one.row).await {
                    // Not written: the next look tries again.
                    one.row.state.clear();
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

/// `r3 and r5 go: idle. r4 goes: 12 s into its item, so first to be free.`
fn who_goes(seen: &Observation, chosen: &[ReplicaId]) -> String {
    let in_state = |state: ReplicaState| -> Vec<&ReplicaId> {
        let is = |id: &&ReplicaId| seen.replicas.iter().any(|replica| replica.id == **id && replica.state == state);
        chosen.iter().filter(is).collect()
    };
    let say = |ids: &[&ReplicaId], why: &str| match ids {
        [] => None,
        [one] => Some(format!("{} goes: {why}.", short(one))),
        _ => Some(format!("{} go: {why}.", named(ids))),
    };
    let busy = in_state(ReplicaState::Busy);
    let ages = seen.in_flight.iter().filter(|item| busy.contains(&&item.replica)).map(|item| item.age_ms);
    let said = |age_ms: Option<u64>| duration(age_ms.unwrap_or(0) as f64 / 1000.0);
    let (low, high) = (said(ages.clone().min()), said(ages.max()));
    let into = match busy.len() {
        0 | 1 => format!("{high} into its item, so first to be free"),
        _ if low == high => format!("{high} into their items, so first to be free"),
        _ => format!("{low} to {high} into their items, so first to be free"),
    };
    let all = [say(&in_state(ReplicaState::Starting), "not at work yet"), say(&in_state(ReplicaState::Idle), "idle"), say(&busy, &into)];
    all.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// `r1, r2 and r3`; of many, the first few.
fn named(ids: &[&ReplicaId]) -> String {
    let names: Vec<&str> = ids.iter().map(|id| short(id)).collect();
    match names.split_last() {
        _ if NAMED < names.len() => format!("{} and {} more", names[..NAMED].join(", "), names.len() - NAMED),
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use control::observation::{InFlight, Replica};

    use super::*;

    /// Replicas with their states, the busy ones with the age of their item in seconds.
    fn goes(count: u32, replicas: &[(&str, ReplicaState, u64)]) -> String {
        let busy = replicas.iter().filter(|replica| replica.1 == ReplicaState::Busy);
        let seen = Observation {
            in_flight: busy
                .map(|(id, _, age_s)| InFlight { replica: format!("kj-0-{id}").as_str().into(), age_ms: age_s * 1000 })
                .collect(),
            replicas: replicas
                .iter()
                .map(|(id, state, _)| Replica { id: format!("kj-0-{id}").as_str().into(), state: *state, age_ms: 1000 })
                .collect(),
            ..Observation::at(0)
        };
        who_goes(&seen, &victims::choose(&seen, count))
    }

    #[test]
    fn who_goes_is_told_with_the_reason() {
        use ReplicaState::{Busy, Draining, Idle, Starting};
        let some = [("r1", Busy, 2), ("r2", Draining, 0), ("r3", Idle, 0), ("r4", Busy, 12), ("r5", Idle, 0), ("r6", Starting, 0)];
        assert_eq!(goes(1, &some), "r6 goes: not at work yet.");
        assert_eq!(goes(3, &some), "r6 goes: not at work yet. r3 and r5 go: idle.");
        assert_eq!(goes(1, &some[3..4]), "r4 goes: 12 s into its item, so first to be free.");
        assert_eq!(goes(2, &some[..4]), "r3 goes: idle. r4 goes: 12 s into its item, so first to be free.");
        assert_eq!(goes(2, &[some[0], some[3]]), "r4 and r1 go: 2 s to 12 s into their items, so first to be free.");
        let many: Vec<String> = (1..=9).map(|number| format!("r{number}")).collect();
        let many: Vec<_> = many.iter().map(|id| (id.as_str(), Idle, 0)).collect();
        assert_eq!(goes(9, &many), "r1, r2, r3, r4, r5, r6 and 3 more go: idle.");
        assert_eq!(goes(0, &some), "");
    }
}
