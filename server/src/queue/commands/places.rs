//! The lists a worker sees: `job`, `job:processing` and `job:results` are views of the items, all others are plain.

use bytes::Bytes;

use super::{Call, Fault};
use crate::queue::{flow::Place, items::LARGEST_ITEM, replicas::remember, results::Results, state::State};

/// Which kind of list a key names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Job,
    Processing,
    Results,
    Plain,
}

pub(super) fn list(key: &[u8]) -> List {
    match key {
        b"job" => List::Job,
        b"job:processing" => List::Processing,
        b"job:results" => List::Results,
        _ => List::Plain,
    }
}

/// Whether a key is a view of the items, which no other kind of command may touch.
pub(super) fn is_view(key: &[u8]) -> bool {
    list(key) != List::Plain
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Left,
    Right,
}

impl Call<'_> {
    pub(super) fn len(&mut self, key: &[u8]) -> Result<usize, Fault> {
        let State { table, results, keys, changes, .. } = &mut *self.state;
        let dismissed = table.replicas.get(self.session.replica).dismissed;
        Ok(match list(key) {
            List::Job | List::Processing if dismissed => 0,
            List::Job => usize::try_from(table.counts.waiting).unwrap_or(usize::MAX),
            List::Processing => usize::try_from(table.counts.processing).unwrap_or(usize::MAX),
            List::Results => results.len(),
            List::Plain => keys.list(key, self.now, changes)?.map_or(0, |list| list.len()),
        })
    }

    /// The elements from `start` up to but not `end`, which must not be after the list's end.
    pub(super) fn elements(&mut self, key: &[u8], start: usize, end: usize) -> Result<Vec<Bytes>, Fault> {
        let count = end.saturating_sub(start);
        if list(key) == List::Results {
            // Results are read from the journal, where those of this batch must be first.
            self.state.commit()?;
        }
        let State { table, results, keys, changes, journal, .. } = &mut *self.state;
        Ok(match list(key) {
            List::Job => table.waiting.iter().skip(start).take(count).map(|id| table.text(*id)).collect(),
            List::Processing => table.in_flight().skip(start).take(count).map(|id| table.text(id)).collect(),
            List::Results => {
                let places = (start..end).filter_map(|index| results.place(index));
                places.map(|place| Ok(Results::body(journal, place)?.unwrap_or_default())).collect::<Result<_, Fault>>()?
            }
            List::Plain => match keys.list(key, self.now, changes)? {
                Some(list) => list.range(start..end).map(|(_, element)| element.clone()).collect(),
                None => Vec::new(),
            },
        })
    }

    /// Takes the element at an end. From `job` this takes the next item in the job's order, whichever end is named.
    pub(super) fn pop(&mut self, key: &[u8], end: End) -> Result<Option<Bytes>, Fault> {
        let taker = self.taker();
        if list(key) == List::Results {
            self.state.commit()?;
        }
        let State { table, results, keys, changes, journal, .. } = &mut *self.state;
        Ok(match list(key) {
            List::Job => table.take(taker, true).map(|id| table.text(id)),
            List::Processing => {
                let id = if end == End::Left { table.in_flight().next() } else { table.in_flight().next_back() };
                id.map(|id| {
                    table.learn_careful(taker.replica, changes, taker);
                    table.finish(id, taker.replica, taker.now);
                    remember(&mut table.replicas.get_mut(taker.replica).removed, id);
                    table.text(id)
                })
            }
            List::Results => match results.pop(changes, end == End::Left) {
                Some(place) => Some(Results::body(journal, place)?.unwrap_or_default()),
                None => None,
            },
            List::Plain => keys.pop(key, end == End::Left, self.now, changes)?,
        })
    }

    /// Adds an element at an end.
    pub(super) fn push(&mut self, key: &[u8], end: End, element: &Bytes) -> Result<(), Fault> {
        let (taker, left) = (self.taker(), end == End::Left);
        match list(key) {
            List::Job => {
                if LARGEST_ITEM < element.len() {
                    return Err(Fault::Refused("an item may have at most 1 MiB".to_owned()));
                }
                let place = if left { Place::Left } else { Place::Right };
                self.state.table.push(taker, place, element, &mut self.state.changes)?;
            }
            List::Processing => self.claim(element),
            List::Results => self.publish(element, left),
            List::Plain => {
                if key == b"job:errors"
                    && let Some(id) = self.state.belongs_to(taker.replica)
                {
                    self.state.table.note_error(id, element, &mut self.state.changes);
                }
                self.state.keys.push(key, element, left, self.now, &mut self.state.changes)?;
                self.state.list_pushed = true;
            }
        }
        Ok(())
    }

    /// A result completes an item that was taken without `job:processing`: nothing else will.
    fn publish(&mut self, body: &Bytes, left: bool) {
        let replica = self.session.replica;
        let id = self.state.belongs_to(replica);
        self.state.add_result(body, left, id);
        self.state.list_pushed = true;
        let table = &mut self.state.table;
        if let Some(id) = id
            && table.item(id).by == replica
            && table.held(id).is_some_and(|held| held.popped)
        {
            table.finish(id, replica, self.now);
        }
    }

    /// A worker moves an item that it popped into `job:processing` by itself.
    fn claim(&mut self, text: &Bytes) {
        let table = &mut self.state.table;
        let held = table.replicas.get(self.session.replica).holds.iter().copied().rfind(|id| table.text_slice(*id) == text);
        if let Some(held) = held.and_then(|id| table.held_mut(id)) {
            held.popped = false;
        }
    }

    /// Moves one element. From `job` to `job:processing` it is the take of a worker.
    pub(super) fn shift(&mut self, from: &[u8], to: &[u8], pop: End, push: End) -> Result<Option<Bytes>, Fault> {
        let taker = self.taker();
        match (list(from), list(to)) {
            (List::Job, List::Processing) => {
                let table = &mut self.state.table;
                Ok(table.take(taker, false).map(|id| table.text(id)))
            }
            (List::Processing, List::Job) => {
                let table = &mut self.state.table;
                let id = if pop == End::Left { table.in_flight().next() } else { table.in_flight().next_back() };
                Ok(id.map(|id| {
                    table.put_back(id, if push == End::Left { Place::Left } else { Place::Right });
                    table.text(id)
                }))
            }
            (List::Job, List::Job) | (List::Processing, List::Processing) => {
                Err(Fault::Refused("items cannot be turned round within one list of the job".to_owned()))
            }
            _ => {
                // The wrong kind of target must not cost the element.
                self.len(to)?;
                let element = self.pop(from, pop)?;
                if let Some(element) = &element {
                    self.push(to, push, element)?;
                }
                Ok(element)
            }
        }
    }

    /// The version of a key's value, for WATCH; 0 when there is none.
    pub(super) fn version(&mut self, key: &[u8]) -> u64 {
        let State { table, results, keys, changes, .. } = &mut *self.state;
        match list(key) {
            List::Job | List::Processing => table.version,
            List::Results => results.version,
            List::Plain => keys.get(key, self.now, changes).map_or(0, |entry| entry.version + 1),
        }
    }

    pub(super) fn exists(&mut self, key: &[u8]) -> bool {
        if is_view(key) {
            self.len(key).is_ok_and(|len| 0 < len)
        } else {
            self.state.keys.get(key, self.now, &mut self.state.changes).is_some()
        }
    }

    /// Names of all keys, views of the items included when they are not empty.
    pub(super) fn key_names(&mut self) -> Vec<Bytes> {
        let mut names = self.state.keys.names(self.now);
        for view in ["job", "job:processing", "job:results"] {
            if self.exists(view.as_bytes()) {
                names.push(Bytes::from_static(view.as_bytes()));
            }
        }
        names
    }

    /// Whether the whole job is over, at least for this replica: nothing waits and nothing is in flight.
    pub(super) fn over(&self) -> bool {
        let dismissed = self.state.table.replicas.get(self.session.replica).dismissed;
        dismissed || self.state.table.sealed && self.state.table.counts.left() == 0
    }

    pub(super) fn starved(&self) -> bool {
        self.state.table.replicas.get(self.session.replica).starved
    }
}
