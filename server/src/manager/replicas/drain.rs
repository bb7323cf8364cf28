//! Fewer replicas: who goes is starved, finishes what it holds, and is ended when it holds nothing.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{DRAINING, Replicas, STARTING};
use crate::clock::now_ms;
use crate::store::StoreError;
use crate::words::chain;

/// A replica that holds nothing may be between taking its item off and publishing the result, or putting it
/// back: it is asked to end only when it has held nothing for two looks.
const IDLE_MS: i64 = 200;
/// The platform could not end a replica: how long until it is asked again.
const END_AGAIN: Duration = Duration::from_secs(1);

impl Replicas {
    /// Starves everybody: they finish what they hold and go. `drain` bounds how long that may take.
    pub fn drain_all(&mut self, drain: Duration) {
        self.wanted = 0;
        self.drain_ms = i64::try_from(drain.as_millis()).unwrap_or(i64::MAX);
        let active = self.living.len() as u32;
        self.choose(active, now_ms());
    }

    /// Starves the replicas that lose least: those that hold nothing, then those that began last.
    pub(super) fn choose(&mut self, count: u32, now: i64) {
        let queue = self.queue.clone();
        let mut places: Vec<usize> = (0..self.living.len()).filter(|place| self.living[*place].active()).collect();
        places.sort_by_key(|place| {
            let one = &self.living[*place];
            (!queue.idle(&one.row.id), std::cmp::Reverse(one.row.started_at))
        });
        for place in places.into_iter().take(count as usize) {
            let one = &mut self.living[place];
            one.draining_since = Some(now);
            self.queue.starve(&one.row.id, true);
        }
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
