//! After a restart: replicas that work on are taken over, the records of the others are closed.

use std::net::SocketAddr;
use std::time::Duration;

use control::live::MarkKind;

use super::{DRAINING, Replica, Replicas, lived_ms};
use crate::clock::now_ms;
use crate::platform::backoff::Ended;
use crate::platform::{Exit, Handle, replica_id};
use crate::store::{ReplicaRow, StoreError};
use crate::words::{chain, counted};

impl Replicas {
    /// After a restart: takes over what still lives, ends the records of what does not, gives its items back.
    pub async fn recover(&mut self, mut rows: Vec<ReplicaRow>) -> Result<(), StoreError> {
        // In the order of their ends, not of their starts; who lives comes last.
        rows.sort_by_key(|row| row.ended_at.unwrap_or(i64::MAX));
        for mut row in rows {
            self.next = self.next.max(replica_id::split(&row.id).map_or(0, |(_, number)| number) + 1);
            if let Some(at_ms) = row.ended_at {
                self.show_ended(&row);
                self.past_ms += lived_ms(&row);
                let exit = row.exit.and_then(|exit| serde_json::from_value(exit).ok());
                self.exits.extend(exit.map(|exit| Ended { at_ms, exit, items_done: row.items_done }));
                continue;
            }
            let stored = row.handle.clone().and_then(|handle| serde_json::from_value::<Handle>(handle).ok());
            let handle = match stored {
                Some(handle) => self.platform.alive(&handle, &self.params).then_some(handle),
                None => self.platform.find(&row.id, &self.params),
            };
            let address = row.addr.parse::<SocketAddr>().ok();
            let draining = row.state == DRAINING;
            if draining && handle.is_some() {
                // Before it can ask: it must not take an item that it was to leave to others.
                self.queue.starve(&row.id, true);
            }
            let door = match (&handle, address) {
                (Some(_), Some(address)) => self.platform.door(&row.id, &self.params, &self.queue, Some(address)).await.ok(),
                _ => None,
            };
            match (handle, door) {
                (Some(handle), Some(door)) => {
                    row.handle = serde_json::to_value(&handle).ok();
                    self.store.put_replica(&row).await?;
                    let mut one = Replica::new(row, handle, door.open);
                    one.draining_since = draining.then(now_ms);
                    self.living.push(one);
                }
                (Some(handle), None) => {
                    // Its address cannot be had again: it could never reach its queue.
                    if let Err(error) = self.platform.end(&handle, Duration::ZERO).await {
                        tracing::warn!("replica {} could not be ended: {error}", row.id);
                    }
                    self.close(row, false, Exit::Unknown.words()).await?;
                }
                (None, _) => {
                    self.close(row, false, Exit::Unknown.words()).await?;
                }
            }
        }
        let names: Vec<String> = self.living.iter().map(|one| one.row.id.clone()).collect();
        if let Err(error) = self.queue.reconcile(&names) {
            tracing::error!("job {}: items of ended replicas could not be given back: {error}", self.job);
        }
        // A server that died while it ended a tree may have left it stopped.
        if let Err(error) = self.platform.wake(&self.job).await {
            tracing::warn!("job {}: its replicas could not be told to go on: {}", self.job, chain(&error));
        }
        if !names.is_empty() {
            let text = format!(
                "The server is back: {} worked on and {} taken over.",
                counted(names.len() as u64, "replica"),
                if names.len() == 1 { "is" } else { "are" }
            );
            self.mark(MarkKind::Info, text);
        }
        Ok(())
    }
}
