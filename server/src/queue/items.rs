//! The items of one job in memory: 32 bytes and the text each. Moves between states are in `flow`.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::{BufMut, Bytes, BytesMut};
use control::{job::QueueSpec, live::ItemState, observation::Items};

use super::{
    error::QueueError,
    journal::{Changes, numbered},
    replicas::{NOBODY, Replicas},
};

/// Largest item: 1 MiB.
pub(super) const LARGEST_ITEM: usize = 1 << 20;
/// Texts are stored in records of about this size, so that loading a workload costs few writes.
const CHUNK_BYTES: usize = 32 << 10;
/// Place of no result.
pub(super) const NO_RESULT: u32 = u32::MAX;
/// Service time of an item whose take was not seen.
pub(super) const UNKNOWN_MS: u32 = u32::MAX;
/// Service times that the percentiles are taken from.
const SERVICES: usize = 1000;
/// After a load, workers that finished while nobody listened come back within about this time.
const RETURN_MS: i64 = 5000;

/// One item. Small, because there may be millions.
#[derive(Clone)]
pub(super) struct Item {
    chunk: u32,
    start: u32,
    length: u32,
    /// Who holds or held it last.
    pub(super) by: u32,
    pub(super) service_ms: u32,
    pub(super) result_at: u32,
    pub(super) result_bytes: u32,
    pub(super) attempts: u16,
    pub(super) state: ItemState,
    pub(super) result_type: u8,
    pub(super) has_error: bool,
    dirty: bool,
}

/// An item in flight.
pub(super) struct Held {
    order: u64,
    /// Milliseconds since 1970.
    pub(super) taken_at: i64,
    /// Taken by a plain pop, so never in the worker's idea of `job:processing`.
    pub(super) popped: bool,
    /// The connection that took it; 0 when that was before this queue was loaded.
    pub(super) session: u64,
}

/// Every item of a job, the waiting line, and who holds what.
pub(super) struct Table {
    pub(super) spec: QueueSpec,
    pub(super) sealed: bool,
    chunks: Vec<Bytes>,
    pub(super) items: Vec<Item>,
    /// Left to right, as the list `job`.
    pub(super) waiting: VecDeque<u32>,
    flight: HashMap<u32, Held>,
    flight_order: BTreeMap<u64, u32>,
    next_order: u64,
    pub(super) counts: Items,
    pub(super) replicas: Replicas,
    services: VecDeque<u32>,
    /// Service times ever seen, those that `services` has forgotten too.
    pub(super) services_seen: u64,
    /// When it was read back from the journal.
    loaded_at: Option<i64>,
    dirty: Vec<u32>,
    /// Bumps at each change of any item.
    pub(super) version: u64,
}

impl Table {
    pub(super) fn new(spec: QueueSpec) -> Self {
        Self {
            spec,
            sealed: false,
            chunks: Vec::new(),
            items: Vec::new(),
            waiting: VecDeque::new(),
            flight: HashMap::new(),
            flight_order: BTreeMap::new(),
            next_order: 0,
            counts: Items::default(),
            replicas: Replicas::default(),
            services: VecDeque::new(),
            services_seen: 0,
            loaded_at: None,
            dirty: Vec::new(),
            version: 0,
        }
    }

    /// Adds items at the right end; their texts go to the journal in few large records.
    pub(super) fn append(&mut self, texts: &[Bytes], changes: &mut Changes) -> Result<(), QueueError> {
        if let Some(text) = texts.iter().find(|text| LARGEST_ITEM < text.len()) {
            return Err(QueueError::ItemTooLarge { bytes: text.len(), limit: LARGEST_ITEM });
        }
        if NOBODY as usize <= self.items.len() + texts.len() {
            return Err(QueueError::TooManyItems { limit: NOBODY - 1 });
        }
        let mut rest = texts;
        while !rest.is_empty() {
            let mut chunk = BytesMut::new();
            let mut count = 0;
            while count < rest.len() && (count == 0 || chunk.len() + rest[count].len() < CHUNK_BYTES) {
                chunk.put_u32_le(u32::try_from(rest[count].len()).unwrap_or(u32::MAX));
                chunk.extend_from_slice(&rest[count]);
                count += 1;
            }
            let first = u32::try_from(self.items.len()).unwrap_or(NOBODY);
            changes.put(&numbered(b'c', first), &chunk);
            // A copy of just the right size: the builder's buffer may be twice as large.
            self.add_chunk(Bytes::copy_from_slice(&chunk));
            self.waiting.extend(first..first + u32::try_from(count).unwrap_or(0));
            self.counts.waiting += count as u64;
            rest = &rest[count..];
        }
        self.version += 1;
        Ok(())
    }

    /// Adds the items of a stored record to the table, but not to the waiting line. `None` when it is damaged.
    pub(super) fn add_chunk(&mut self, chunk: Bytes) -> Option<()> {
        let number = u32::try_from(self.chunks.len()).ok()?;
        let mut at = 0;
        while at < chunk.len() {
            let length = u32::from_le_bytes(chunk.get(at..at + 4)?.try_into().ok()?);
            chunk.get(at + 4..at + 4 + length as usize)?;
            self.items.push(Item {
                chunk: number,
                start: u32::try_from(at + 4).ok()?,
                length,
                by: NOBODY,
                service_ms: UNKNOWN_MS,
                result_at: NO_RESULT,
                result_bytes: 0,
                attempts: 0,
                state: ItemState::Waiting,
                result_type: 0,
                has_error: false,
                dirty: false,
            });
            self.counts.total += 1;
            at += 4 + length as usize;
        }
        self.chunks.push(chunk);
        Some(())
    }

    pub(super) fn item(&self, id: u32) -> &Item {
        &self.items[id as usize]
    }

    /// The item, to be changed: it will be written with the next batch.
    pub(super) fn change(&mut self, id: u32) -> &mut Item {
        self.version += 1;
        let item = &mut self.items[id as usize];
        if !item.dirty {
            item.dirty = true;
            self.dirty.push(id);
        }
        item
    }

    pub(super) fn text_slice(&self, id: u32) -> &[u8] {
        let item = self.item(id);
        let start = item.start as usize;
        &self.chunks[item.chunk as usize][start..start + item.length as usize]
    }

    pub(super) fn text(&self, id: u32) -> Bytes {
        let item = self.item(id);
        let start = item.start as usize;
        self.chunks[item.chunk as usize].slice(start..start + item.length as usize)
    }

    pub(super) fn held(&self, id: u32) -> Option<&Held> {
        self.flight.get(&id)
    }

    pub(super) fn held_mut(&mut self, id: u32) -> Option<&mut Held> {
        self.flight.get_mut(&id)
    }

    /// Items in flight, newest first, as the list `job:processing` shows them.
    pub(super) fn in_flight(&self) -> impl DoubleEndedIterator<Item = u32> + '_ {
        self.flight_order.values().rev().copied()
    }

    pub(super) fn fly(&mut self, id: u32, taken_at: i64, popped: bool, session: u64) {
        let order = self.next_order;
        self.next_order += 1;
        self.flight.insert(id, Held { order, taken_at, popped, session });
        self.flight_order.insert(order, id);
    }

    /// Takes an item out of flight and off its holder.
    pub(super) fn land(&mut self, id: u32) -> Option<Held> {
        let held = self.flight.remove(&id)?;
        self.flight_order.remove(&held.order);
        let by = self.item(id).by;
        self.replicas.get_mut(by).holds.retain(|other| *other != id);
        Some(held)
    }

    /// May this item have been finished while the server was away, its worker waiting to say so?
    fn overdue(&self, held: &Held, now: i64) -> bool {
        held.session == 0 && self.loaded_at.is_some_and(|loaded_at| now - loaded_at < RETURN_MS)
    }

    /// For how long an item has been worked on, ms: at least so long, where an outage hides the rest.
    pub(super) fn age_ms(&self, held: &Held, now: i64) -> u64 {
        let since = if self.overdue(held, now) { self.loaded_at.unwrap_or(now) } else { held.taken_at };
        u64::try_from(now - since).unwrap_or(0)
    }

    /// How long an item took that is done now, ms; `UNKNOWN_MS` when that cannot be told from an outage.
    pub(super) fn took_ms(&self, held: &Held, now: i64) -> u32 {
        if self.overdue(held, now) { UNKNOWN_MS } else { u32::try_from((now - held.taken_at).max(0)).unwrap_or(UNKNOWN_MS) }
    }

    pub(super) fn served(&mut self, service_ms: u32) {
        self.services_seen += 1;
        if self.services.len() == SERVICES {
            self.services.pop_front();
        }
        self.services.push_back(service_ms);
    }

    /// The newest service times in milliseconds, oldest first.
    pub(super) fn newest_services(&self, count: usize) -> Vec<u32> {
        self.services.iter().skip(self.services.len().saturating_sub(count)).copied().collect()
    }

    /// Latest service times in milliseconds, sorted.
    pub(super) fn services(&self) -> Vec<u32> {
        let mut sorted: Vec<u32> = self.services.iter().copied().collect();
        sorted.sort_unstable();
        sorted
    }

    pub(super) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Writes the state of each changed item once, however often it changed.
    pub(super) fn flush(&mut self, changes: &mut Changes) {
        for id in std::mem::take(&mut self.dirty) {
            let taken_at = self.flight.get(&id).map_or(0, |held| held.taken_at);
            let item = &mut self.items[id as usize];
            item.dirty = false;
            let mut record = [0; 30];
            let mut out = &mut record[..];
            out.put_u8(match item.state {
                ItemState::Waiting => 0,
                ItemState::Processing => 1,
                ItemState::Done => 2,
                ItemState::Dead => 3,
            });
            out.put_u8(item.result_type);
            out.put_u8(u8::from(item.has_error));
            out.put_u8(0);
            out.put_u16_le(item.attempts);
            out.put_u32_le(item.by);
            out.put_u32_le(item.service_ms);
            out.put_u32_le(item.result_at);
            out.put_u32_le(item.result_bytes);
            // Seconds would be too coarse, and 48 bits of milliseconds last until the year 10889.
            out.put_slice(&taken_at.to_le_bytes()[..6]);
            changes.put(&numbered(b's', id), &record);
        }
    }

    /// Sets an item to its stored state. Counts and the waiting line are made by `settle`.
    pub(super) fn restore(&mut self, id: u32, record: &[u8]) -> Option<()> {
        use bytes::Buf;
        if record.len() != 30 {
            return None;
        }
        let mut record = record;
        let item = self.items.get_mut(id as usize)?;
        item.state = match record.get_u8() {
            0 => ItemState::Waiting,
            1 => ItemState::Processing,
            2 => ItemState::Done,
            3 => ItemState::Dead,
            _ => return None,
        };
        item.result_type = record.get_u8();
        item.has_error = record.get_u8() == 1;
        record.advance(1);
        item.attempts = record.get_u16_le();
        item.by = record.get_u32_le();
        item.service_ms = record.get_u32_le();
        item.result_at = record.get_u32_le();
        item.result_bytes = record.get_u32_le();
        if item.by != NOBODY && self.replicas.len() <= item.by as usize {
            return None;
        }
        if item.state == ItemState::Processing {
            let mut taken_at = [0; 8];
            taken_at[..6].copy_from_slice(&record[..6]);
            if item.by == NOBODY {
                return None;
            }
            self.flight.insert(id, Held { order: 0, taken_at: i64::from_le_bytes(taken_at), popped: false, session: 0 });
        }
        Some(())
    }

    /// After a load: counts every item and lines the waiting ones up, those that came back to be taken next.
    pub(super) fn settle(&mut self, now: i64) {
        self.loaded_at = Some(now);
        let mut returned = Vec::new();
        for id in 0..u32::try_from(self.items.len()).unwrap_or(NOBODY) {
            let item = &self.items[id as usize];
            let (state, by, attempts, service_ms) = (item.state, item.by, item.attempts, item.service_ms);
            if by != NOBODY {
                self.replicas.get_mut(by).took = true;
            }
            match state {
                ItemState::Waiting => {
                    self.counts.waiting += 1;
                    if attempts == 0 {
                        self.waiting.push_back(id);
                    } else {
                        returned.push(id);
                    }
                }
                ItemState::Processing => self.counts.processing += 1,
                ItemState::Done => {
                    self.counts.done += 1;
                    if by != NOBODY {
                        self.replicas.get_mut(by).done += 1;
                    }
                    if service_ms != UNKNOWN_MS {
                        self.served(service_ms);
                    }
                }
                ItemState::Dead => self.counts.dead += 1,
            }
        }
        let mut flying: Vec<(i64, u32)> = self.flight.drain().map(|(id, held)| (held.taken_at, id)).collect();
        flying.sort_unstable();
        for (taken_at, id) in flying {
            self.fly(id, taken_at, false, 0);
            let by = self.item(id).by;
            let replica = self.replicas.get_mut(by);
            replica.holds.push(id);
            replica.last = Some(id);
        }
        for id in returned {
            self.line_up(id, super::flow::Place::Next);
        }
        self.waiting.shrink_to_fit();
        self.items.shrink_to_fit();
    }
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
