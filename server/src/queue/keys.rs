//! Every other key that workers use: strings and lists with an end of life, in memory and in the journal.

use std::collections::{HashMap, VecDeque};

use bytes::{BufMut, Bytes};

use super::journal::Changes;

/// The first element of a list gets this place, so that it can grow at both ends.
const MIDDLE: u64 = 1 << 63;

/// The command does not fit the kind of the key's value.
#[derive(Debug)]
pub(super) struct WrongType;

#[derive(Clone)]
pub(super) enum Value {
    Text(Bytes),
    /// Elements with their places, which never change.
    List(VecDeque<(u64, Bytes)>),
}

pub(super) struct Entry {
    pub(super) value: Value,
    /// Milliseconds since 1970; it is gone from then on.
    pub(super) ends_at: Option<i64>,
    pub(super) version: u64,
}

/// The keys by name.
#[derive(Default)]
pub(super) struct Keys {
    entries: HashMap<Bytes, Entry>,
    last_version: u64,
}

impl Keys {
    /// What a key holds; a key whose time is over is removed here.
    pub(super) fn get(&mut self, key: &[u8], now: i64, changes: &mut Changes) -> Option<&Entry> {
        if self.entries.get(key)?.ends_at.is_some_and(|end| end <= now) {
            self.remove(key, changes);
        }
        self.entries.get(key)
    }

    pub(super) fn text(&mut self, key: &[u8], now: i64, changes: &mut Changes) -> Result<Option<Bytes>, WrongType> {
        match self.get(key, now, changes).map(|entry| &entry.value) {
            Some(Value::Text(text)) => Ok(Some(text.clone())),
            Some(Value::List(_)) => Err(WrongType),
            None => Ok(None),
        }
    }

    pub(super) fn list(&mut self, key: &[u8], now: i64, changes: &mut Changes) -> Result<Option<&VecDeque<(u64, Bytes)>>, WrongType> {
        match self.get(key, now, changes).map(|entry| &entry.value) {
            Some(Value::List(list)) => Ok(Some(list)),
            Some(Value::Text(_)) => Err(WrongType),
            None => Ok(None),
        }
    }

    /// Sets a string, whatever the key held before.
    pub(super) fn set(&mut self, key: &[u8], text: &[u8], ends_at: Option<i64>, changes: &mut Changes) {
        if self.entries.get(key).is_some_and(|entry| matches!(entry.value, Value::List(_))) {
            self.remove(key, changes);
        }
        let version = self.next_version();
        // Copies, so that no read buffer is kept alive by a small part of it.
        let entry = Entry { value: Value::Text(Bytes::copy_from_slice(text)), ends_at, version };
        store(key, &entry, changes);
        self.entries.insert(Bytes::copy_from_slice(key), entry);
    }

    /// Sets when a key ends; `None` makes it stay.
    pub(super) fn set_end(&mut self, key: &[u8], ends_at: Option<i64>, changes: &mut Changes) {
        let version = self.next_version();
        if let Some(entry) = self.entries.get_mut(key) {
            entry.ends_at = ends_at;
            entry.version = version;
            store(key, entry, changes);
        }
    }

    pub(super) fn remove(&mut self, key: &[u8], changes: &mut Changes) -> bool {
        let Some(entry) = self.entries.remove(key) else { return false };
        changes.remove(&named(key));
        if let Value::List(list) = entry.value {
            for (place, _) in list {
                changes.remove(&placed(key, place));
            }
        }
        true
    }

    /// Adds an element at an end of a list, which is made when missing; returns its new length.
    pub(super) fn push(&mut self, key: &[u8], element: &[u8], left: bool, now: i64, changes: &mut Changes) -> Result<usize, WrongType> {
        let version = self.next_version();
        if self.get(key, now, changes).is_none() {
            let entry = Entry { value: Value::List(VecDeque::new()), ends_at: None, version };
            store(key, &entry, changes);
            self.entries.insert(Bytes::copy_from_slice(key), entry);
        }
        let Some(entry) = self.entries.get_mut(key) else { return Err(WrongType) };
        let Value::List(list) = &mut entry.value else { return Err(WrongType) };
        entry.version = version;
        let element = Bytes::copy_from_slice(element);
        let place =
            if left { list.front().map_or(MIDDLE, |(first, _)| first - 1) } else { list.back().map_or(MIDDLE, |(last, _)| last + 1) };
        changes.put(&placed(key, place), &element);
        if left {
            list.push_front((place, element));
        } else {
            list.push_back((place, element));
        }
        Ok(list.len())
    }

    pub(super) fn pop(&mut self, key: &[u8], left: bool, now: i64, changes: &mut Changes) -> Result<Option<Bytes>, WrongType> {
        let mut popped = None;
        self.edit(key, now, changes, |list, changes| {
            if let Some((place, element)) = if left { list.pop_front() } else { list.pop_back() } {
                changes.remove(&placed(key, place));
                popped = Some(element);
            }
        })?;
        Ok(popped)
    }

    /// Keeps the elements for which `keep` says so, in list order.
    pub(super) fn retain(
        &mut self,
        key: &[u8],
        now: i64,
        changes: &mut Changes,
        mut keep: impl FnMut(usize, &Bytes) -> bool,
    ) -> Result<(), WrongType> {
        self.edit(key, now, changes, |list, changes| {
            let mut index = 0;
            list.retain(|(place, element)| {
                let kept = keep(index, element);
                index += 1;
                if !kept {
                    changes.remove(&placed(key, *place));
                }
                kept
            });
        })
    }

    /// Replaces one element; false when there is none at that index.
    pub(super) fn replace(&mut self, key: &[u8], index: usize, element: &[u8], now: i64, changes: &mut Changes) -> Result<bool, WrongType> {
        let mut replaced = false;
        self.edit(key, now, changes, |list, changes| {
            if let Some((place, old)) = list.get_mut(index) {
                *old = Bytes::copy_from_slice(element);
                changes.put(&placed(key, *place), element);
                replaced = true;
            }
        })?;
        Ok(replaced)
    }

    /// Changes a list; an emptied list is no key any more.
    fn edit(
        &mut self,
        key: &[u8],
        now: i64,
        changes: &mut Changes,
        edit: impl FnOnce(&mut VecDeque<(u64, Bytes)>, &mut Changes),
    ) -> Result<(), WrongType> {
        if self.get(key, now, changes).is_none() {
            return Ok(());
        }
        let version = self.next_version();
        let Some(entry) = self.entries.get_mut(key) else { return Ok(()) };
        let Value::List(list) = &mut entry.value else { return Err(WrongType) };
        entry.version = version;
        edit(list, changes);
        if list.is_empty() {
            self.remove(key, changes);
        }
        Ok(())
    }

    /// Names of all keys that are not over, sorted.
    pub(super) fn names(&self, now: i64) -> Vec<Bytes> {
        let live = self.entries.iter().filter(|(_, entry)| entry.ends_at.is_none_or(|end| now < end));
        let mut names: Vec<Bytes> = live.map(|(key, _)| key.clone()).collect();
        names.sort_unstable();
        names
    }

    /// Removes every key whose time is over: leases that nobody asks for again.
    pub(super) fn sweep(&mut self, now: i64, changes: &mut Changes) {
        let over = self.entries.iter().filter(|(_, entry)| entry.ends_at.is_some_and(|end| end <= now));
        for key in over.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.remove(&key, changes);
        }
    }

    /// Adds a key as it was stored. `None` when the record is damaged.
    pub(super) fn restore(&mut self, key: &[u8], record: &[u8]) -> Option<()> {
        let (kind, rest) = record.split_first()?;
        let (end, body) = rest.split_first_chunk::<8>()?;
        let value = match kind {
            0 => Value::Text(Bytes::copy_from_slice(body)),
            1 => Value::List(VecDeque::new()),
            _ => return None,
        };
        let end = i64::from_le_bytes(*end);
        self.entries.insert(Bytes::copy_from_slice(key), Entry { value, ends_at: (end != 0).then_some(end), version: 0 });
        Some(())
    }

    /// Adds a list's element as it was stored; they come in the order of their places.
    pub(super) fn restore_element(&mut self, key_and_place: &[u8], element: &[u8]) -> Option<()> {
        let (length, rest) = key_and_place.split_first_chunk::<4>()?;
        let (key, place) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        let Value::List(list) = &mut self.entries.get_mut(key)?.value else { return None };
        list.push_back((u64::from_be_bytes(place.try_into().ok()?), Bytes::copy_from_slice(element)));
        Some(())
    }

    fn next_version(&mut self) -> u64 {
        self.last_version += 1;
        self.last_version
    }
}

fn store(key: &[u8], entry: &Entry, changes: &mut Changes) {
    let (kind, body): (u8, &[u8]) = match &entry.value {
        Value::Text(text) => (0, text),
        Value::List(_) => (1, &[]),
    };
    let mut record = Vec::with_capacity(9 + body.len());
    record.put_u8(kind);
    record.put_i64_le(entry.ends_at.unwrap_or(0));
    record.put_slice(body);
    changes.put(&named(key), &record);
}

fn named(key: &[u8]) -> Vec<u8> {
    [b"k", key].concat()
}

fn placed(key: &[u8], place: u64) -> Vec<u8> {
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    [b"l".as_slice(), &length.to_be_bytes(), key, &place.to_be_bytes()].concat()
}
