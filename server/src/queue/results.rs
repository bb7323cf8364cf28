//! The list `job:results`: bodies on disk, only their places in memory.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{
    error::QueueError,
    journal::{Changes, Journal, number_of, numbered},
};

/// Places start in the middle, so that results can be added at both ends.
const MIDDLE: u32 = 1 << 31;

/// The results list of one queue.
#[derive(Default)]
pub(super) struct Results {
    places: VecDeque<u32>,
    below: u32,
    above: u32,
    /// Bumps at each change, for WATCH.
    pub(super) version: u64,
}

impl Results {
    pub(super) fn load(journal: &Journal, highest_used: Option<u32>) -> Result<Self, QueueError> {
        let mut results = Self::default();
        journal.scan(b'm', |key, _| {
            results.places.extend(number_of(key));
            Ok(())
        })?;
        results.below = results.places.front().map_or(0, |first| MIDDLE.saturating_sub(*first));
        let above = results.places.back().copied().max(highest_used);
        results.above = above.map_or(0, |last| (last + 1).saturating_sub(MIDDLE));
        Ok(results)
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Adds a result at the right end, or at the left; returns its place.
    pub(super) fn push(&mut self, changes: &mut Changes, body: &[u8], left: bool) -> u32 {
        self.version += 1;
        let place = if left {
            self.below += 1;
            MIDDLE - self.below
        } else {
            self.above += 1;
            MIDDLE + self.above - 1
        };
        if left {
            self.places.push_front(place);
        } else {
            self.places.push_back(place);
        }
        changes.put(&numbered(b'R', place), body);
        changes.put(&numbered(b'm', place), &[]);
        place
    }

    /// Takes the result at one end off the list. Its body stays, for the item that it belongs to.
    pub(super) fn pop(&mut self, changes: &mut Changes, left: bool) -> Option<u32> {
        let place = if left { self.places.pop_front() } else { self.places.pop_back() }?;
        self.version += 1;
        changes.remove(&numbered(b'm', place));
        Some(place)
    }

    pub(super) fn place(&self, index: usize) -> Option<u32> {
        self.places.get(index).copied()
    }

    pub(super) fn body(journal: &Journal, place: u32) -> Result<Option<Bytes>, QueueError> {
        journal.get(&numbered(b'R', place))
    }
}

/// What a result looks like, by its first bytes. Stored as its number; do not reorder.
pub(super) const TYPES: [&str; 9] = [
    "application/octet-stream",
    "text/plain",
    "application/json",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "application/pdf",
    "image/svg+xml",
];

/// The place in `TYPES` of what the result seems to be.
pub(super) fn sniff(body: &[u8]) -> u8 {
    match body {
        [0x89, b'P', b'N', b'G', ..] => 3,
        [0xff, 0xd8, 0xff, ..] => 4,
        [b'G', b'I', b'F', b'8', ..] => 5,
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => 6,
        [b'%', b'P', b'D', b'F', b'-', ..] => 7,
        _ => sniff_text(body),
    }
}

fn sniff_text(body: &[u8]) -> u8 {
    // A prefix is enough, and may end inside a character.
    let head = &body[..body.len().min(4096)];
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() && head.len() < body.len() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return 0,
    };
    if text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return 0;
    }
    let start = text.trim_start();
    if start.starts_with("<svg") {
        8
    } else if start.starts_with(['{', '[']) && matches!(body.trim_ascii_end().last(), Some(b'}' | b']')) {
        2
    } else {
        1
    }
}
