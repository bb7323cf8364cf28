//! Changes on their way to a Redis: joined into lots, each of them atomic, and read back while they are not there yet.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use fjall::{UserKey, UserValue};

/// Batches are joined up to this size, bytes: many small ones cost one round trip, and no lot holds a Redis up for long.
const LOT_BYTES: usize = 4 << 20;

type Put = (UserKey, Option<UserValue>);

/// What is written at once.
#[derive(Default)]
pub(in crate::queue) struct Lot {
    /// Everything that was there before goes.
    pub(super) wipe: bool,
    pub(super) records: BTreeMap<UserKey, Option<UserValue>>,
    bytes: usize,
    /// The last commit in it.
    pub(super) ticket: u64,
}

/// What waits to be written, oldest first.
#[derive(Default)]
pub(super) struct Outbox {
    pending: VecDeque<Lot>,
    sending: Option<Arc<Lot>>,
    pub(super) ticket: u64,
}

impl Outbox {
    /// Adds one commit.
    pub(super) fn add(&mut self, puts: impl Iterator<Item = Put>) {
        let mut lot = Lot::default();
        for (key, value) in puts {
            lot.bytes += key.len() + value.as_ref().map_or(0, |value| value.len());
            lot.records.insert(key, value);
        }
        self.ticket += 1;
        match self.pending.back_mut() {
            Some(last) if last.bytes + lot.bytes <= LOT_BYTES => {
                last.records.append(&mut lot.records);
                last.bytes += lot.bytes;
                last.ticket = self.ticket;
            }
            _ => self.pending.push_back(Lot { ticket: self.ticket, ..lot }),
        }
    }

    /// Forgets what waits, and lets everything be removed first.
    pub(super) fn wipe(&mut self) {
        self.ticket += 1;
        self.pending.clear();
        self.pending.push_back(Lot { wipe: true, ticket: self.ticket, ..Lot::default() });
    }

    /// The lot to be written now: the oldest. It stays here until `landed`.
    pub(super) fn next(&mut self) -> Option<Arc<Lot>> {
        if self.sending.is_none() {
            self.sending = self.pending.pop_front().map(Arc::new);
        }
        self.sending.clone()
    }

    pub(super) fn landed(&mut self) {
        self.sending = None;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sending.is_none() && self.pending.is_empty()
    }

    /// What a record will be; `None` when nothing here touches it.
    pub(super) fn find(&self, key: &[u8]) -> Option<Option<UserValue>> {
        let lots = self.pending.iter().rev().chain(self.sending.as_deref());
        for lot in lots {
            match lot.records.get(key) {
                Some(value) => return Some(value.clone()),
                None if lot.wipe => return Some(None),
                None => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &str, value: Option<&[u8]>) -> Put {
        (UserKey::from(key.as_bytes()), value.map(UserValue::from))
    }

    #[test]
    fn small_commits_travel_together_and_the_last_word_counts() {
        let mut outbox = Outbox::default();
        outbox.add([put("a", Some(b"1")), put("b", Some(b"1"))].into_iter());
        outbox.add([put("a", None)].into_iter());
        assert_eq!(outbox.find(b"a"), Some(None));
        let lot = outbox.next().unwrap();
        assert_eq!((lot.records.len(), lot.ticket), (2, 2));
        // What comes while it is under way is another lot, and counts more.
        outbox.add([put("b", Some(b"2"))].into_iter());
        assert_eq!(outbox.find(b"b").flatten().as_deref(), Some(b"2".as_slice()));
        assert!(Arc::ptr_eq(&lot, &outbox.next().unwrap()), "sent again until it has landed");
        outbox.landed();
        assert_eq!(outbox.next().unwrap().ticket, 3);
        outbox.landed();
        assert!(outbox.is_empty() && outbox.find(b"a").is_none());
    }

    #[test]
    fn a_large_commit_is_a_lot_of_its_own_and_never_cut() {
        let mut outbox = Outbox::default();
        let large = vec![0; LOT_BYTES];
        outbox.add([put("a", Some(&large)), put("b", Some(&large))].into_iter());
        outbox.add([put("c", Some(b"1"))].into_iter());
        assert_eq!(outbox.next().unwrap().records.len(), 2);
        outbox.landed();
        assert_eq!(outbox.next().unwrap().records.len(), 1);
    }

    #[test]
    fn after_a_wipe_nothing_older_is_found() {
        let mut outbox = Outbox::default();
        outbox.add([put("a", Some(b"1"))].into_iter());
        outbox.next();
        outbox.add([put("b", Some(b"1"))].into_iter());
        outbox.wipe();
        outbox.add([put("c", Some(b"1"))].into_iter());
        assert_eq!((outbox.find(b"a"), outbox.find(b"b")), (Some(None), Some(None)));
        assert_eq!(outbox.find(b"c").flatten().as_deref(), Some(b"1".as_slice()));
        outbox.landed();
        let lot = outbox.next().unwrap();
        assert!(lot.wipe && lot.records.len() == 1 && lot.ticket == 4);
    }
}
