//! Extension commands of `asperathos worker`. All may be sent again after a lost connection.
//! `ASPERATHOS.TAKE [timeout_s]`, `.DONE index attempt result`, `.FAIL index attempt error`, `.STATE`.

use bytes::Bytes;
use control::live::ItemState;

use super::{Call, Command, Fault, Outcome, Run, command, int, reply, timeout};
use crate::queue::{flow::Place, wire::Reply};

pub(super) fn find(name: &str) -> Option<Command> {
    match name {
        "ASPERATHOS.TAKE" => command(take, 0, 1),
        "ASPERATHOS.DONE" => command(done, 3, 3),
        "ASPERATHOS.FAIL" => command(fail, 3, 3),
        "ASPERATHOS.STATE" => command(state, 0, 0),
        _ => None,
    }
}

/// The next item as `[index, attempt, item]`. A replica that holds one gets that one again: its reply was lost.
fn take(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    let seconds = a.first().map(timeout).transpose()?;
    let taker = call.taker();
    let (table, changes) = (&mut call.state.table, &mut call.state.changes);
    table.learn_careful(taker.replica, changes, taker);
    let held = table.replicas.get(taker.replica).holds.first().copied();
    if let Some(id) = held.or_else(|| table.take(taker, false)) {
        let attempt = Reply::Int(i64::from(table.item(id).attempts));
        return reply(Reply::Array(vec![Reply::Int(i64::from(id)), attempt, Reply::Bulk(table.text(id))]));
    }
    match seconds {
        Some(seconds) if call.may_wait && 0.0 < seconds => Ok(Outcome::Wait { seconds, nil: Reply::NullArray, for_items: true }),
        _ => reply(Reply::NullArray),
    }
}

/// How an attempt named by a worker stands.
enum Attempt {
    Held(u32),
    /// It ended as the worker says, by an earlier sending.
    Ended(ItemState),
    Lost,
}

fn attempt(call: &Call<'_>, a: &[Bytes]) -> Result<Attempt, Fault> {
    let (index, attempts) = (int(&a[0])?, int(&a[1])?);
    let table = &call.state.table;
    let Some(id) = u32::try_from(index).ok().filter(|id| (*id as usize) < table.items.len()) else {
        return Err(Fault::Refused(format!("there is no item {index}")));
    };
    let item = table.item(id);
    Ok(if item.by != call.session.replica || i64::from(item.attempts) != attempts {
        Attempt::Lost
    } else if item.state == ItemState::Processing {
        Attempt::Held(id)
    } else {
        Attempt::Ended(item.state)
    })
}

/// Completes an item with its result: 1, or 0 when this attempt no longer holds it.
fn done(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    let accepted = match attempt(call, a)? {
        Attempt::Held(id) => {
            call.state.add_result(&a[2], false, Some(id));
            call.state.list_pushed = true;
            call.state.table.finish(id, call.session.replica, call.now);
            true
        }
        Attempt::Ended(state) => state == ItemState::Done,
        Attempt::Lost => false,
    };
    reply(Reply::Int(i64::from(accepted)))
}

/// Gives an item back with its error, to be tried after all others: 1, or 0 when this attempt no longer holds it.
fn fail(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    let accepted = match attempt(call, a)? {
        Attempt::Held(id) => {
            let (state, now) = (&mut *call.state, call.now);
            state.table.note_error(id, &a[2], &mut state.changes);
            state.keys.push(b"job:errors", &a[2], false, now, &mut state.changes)?;
            state.list_pushed = true;
            state.table.put_back(id, Place::Last);
            true
        }
        Attempt::Ended(state) => state != ItemState::Done,
        Attempt::Lost => false,
    };
    reply(Reply::Int(i64::from(accepted)))
}

/// `over`: nothing waits and nothing is in flight; `drain`: this replica gets no more; else `go`.
fn state(call: &mut Call<'_>, _: &[Bytes]) -> Run {
    reply(Reply::Simple(match (call.over(), call.starved()) {
        (true, _) => "over",
        (false, true) => "drain",
        (false, false) => "go",
    }))
}
