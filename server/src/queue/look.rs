//! Looking at the items of a queue, a bounded piece at a time.

use control::live::{ItemState, ItemView};

use super::{
    Queue,
    items::{Item, now_ms},
    journal::{Reader, numbered},
};

/// Which items are looked at, and how much of them.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// All states when there is none.
    pub state: Option<ItemState>,
    pub start: Start,
    pub limit: u32,
    /// Longest text of one item; of longer ones the beginning is shown.
    pub text: usize,
    /// Texts and errors of one answer; it ends before the item that would exceed this, but has at least one.
    pub bytes: usize,
}

#[derive(Debug, Clone, Copy)]
pub enum Start {
    /// At this index of the workload, wherever that stands among the chosen ones: a long walk costs each item once.
    Index(u64),
    /// After so many of the chosen ones.
    Skip(u64),
}

impl Queue {
    /// Items in the order of the workload.
    pub fn look(&self, look: Look) -> Vec<ItemView> {
        let now = now_ms();
        let inner = self.lock();
        let items = &inner.table.items;
        let chosen = |item: &Item| look.state.is_none_or(|state| item.state == state);
        let (from, skip) = match (look.start, look.state) {
            (Start::Index(index), _) | (Start::Skip(index), None) => (place(index), 0),
            (Start::Skip(count), Some(_)) => (0, place(count)),
        };
        let ids = (from.min(items.len())..items.len()).filter(|id| chosen(&items[*id])).skip(skip).take(look.limit as usize);
        let mut bytes = 0;
        let mut views = Vec::new();
        for id in ids.filter_map(|id| u32::try_from(id).ok()) {
            let mut view = inner.view(id, now);
            shorten(&mut view.item, look.text);
            bytes += view.item.len();
            if look.bytes < bytes && !views.is_empty() {
                break;
            }
            views.push((view, inner.table.item(id).has_error));
        }
        let reader = inner.journal.reader();
        drop(inner);
        with_errors(views, &reader, look.bytes)
    }
}

/// Adds the errors of those that have one, as far as all texts together are not longer than `limit`.
fn with_errors(views: Vec<(ItemView, bool)>, reader: &Reader, limit: usize) -> Vec<ItemView> {
    let mut bytes = 0;
    let mut unreadable: Option<String> = None;
    let mut whole = Vec::with_capacity(views.len());
    for (mut view, has_error) in views {
        if has_error && unreadable.is_none() {
            match u32::try_from(view.index).map_or(Ok(None), |id| reader.get(&numbered(b'e', id))) {
                Ok(text) => view.error = text.map(|text| String::from_utf8_lossy(&text).into_owned()),
                // The next one would not be read either, and might take as long.
                Err(error) => unreadable = Some(format!("its error text cannot be read: {error}")),
            }
        }
        if has_error && unreadable.is_some() {
            view.error.clone_from(&unreadable);
        }
        bytes += view.item.len() + view.error.as_ref().map_or(0, String::len);
        if limit < bytes && !whole.is_empty() {
            break;
        }
        whole.push(view);
    }
    whole
}

fn shorten(text: &mut String, longest: usize) {
    if longest < text.len() {
        text.truncate(text.floor_char_boundary(longest));
        text.push('…');
    }
}

fn place(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
