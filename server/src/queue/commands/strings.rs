//! String commands: leases, locks, counters.

use bytes::Bytes;

use super::{Call, Command, Fault, MANY, Run, command, int, places::is_view, reply};
use crate::queue::wire::{LARGEST_ARGUMENT, Reply};

/// A worker that leases items by these keys completes them itself.
const LEASE_PREFIX: &[u8] = b"job:leased_by_session:";

pub(super) fn find(name: &str) -> Option<Command> {
    match name {
        "GET" => command(|call, a| reply(Reply::maybe(call.text(&a[0])?)), 1, 1),
        "SET" => command(set, 2, MANY),
        "SETNX" => command(set_new, 2, 2),
        "SETEX" => command(|call, a| set_ending(call, a, 1000), 3, 3),
        "PSETEX" => command(|call, a| set_ending(call, a, 1), 3, 3),
        "GETSET" => command(get_set, 2, 2),
        "GETDEL" => command(get_del, 1, 1),
        "INCR" => command(|call, a| add(call, &a[0], 1), 1, 1),
        "DECR" => command(|call, a| add(call, &a[0], -1), 1, 1),
        "INCRBY" => command(|call, a| add(call, &a[0], int(&a[1])?), 2, 2),
        "DECRBY" => command(|call, a| add(call, &a[0], int(&a[1])?.checked_neg().ok_or(Fault::NotInteger)?), 2, 2),
        "APPEND" => command(append, 2, 2),
        "STRLEN" => command(|call, a| reply(Reply::int(call.text(&a[0])?.map_or(0, |text| text.len()))), 1, 1),
        "MGET" => command(get_many, 1, MANY),
        "MSET" => command(set_many, 2, MANY),
        _ => None,
    }
}

impl Call<'_> {
    /// The string at a key.
    pub(super) fn text(&mut self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        if is_view(key) {
            return Err(Fault::WrongType);
        }
        Ok(self.state.keys.text(key, self.now, &mut self.state.changes)?)
    }

    pub(super) fn put(&mut self, key: &[u8], text: &[u8], ends_at: Option<i64>) -> Result<(), Fault> {
        if is_view(key) {
            return Err(Fault::Refused("this key belongs to the job".to_owned()));
        }
        if key.starts_with(LEASE_PREFIX) {
            let taker = self.taker();
            self.state.table.learn_careful(taker.replica, &mut self.state.changes, taker);
        }
        self.state.keys.set(key, text, ends_at, &mut self.state.changes);
        Ok(())
    }

    fn end_of(&mut self, key: &[u8]) -> Option<i64> {
        self.state.keys.get(key, self.now, &mut self.state.changes)?.ends_at
    }
}

/// When something ends that lasts so many units of `unit` milliseconds.
pub(super) fn lasting(now: i64, amount: &Bytes, unit: i64, name: &str) -> Result<i64, Fault> {
    let amount = int(amount)?;
    let end = amount.checked_mul(unit).and_then(|length| length.checked_add(now));
    end.filter(|_| 0 < amount).ok_or_else(|| Fault::Refused(format!("invalid expire time in '{name}' command")))
}

fn set(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    let (key, text) = (&a[0], &a[1]);
    let (mut ends_at, mut keep, mut only_new, mut only_old, mut get) = (None, false, false, false, false);
    let mut options = a[2..].iter();
    while let Some(option) = options.next() {
        match option.to_ascii_uppercase().as_slice() {
            b"NX" => only_new = true,
            b"XX" => only_old = true,
            b"GET" => get = true,
            b"KEEPTTL" => keep = true,
            b"EX" => ends_at = Some(lasting(call.now, options.next().ok_or(Fault::Syntax)?, 1000, "set")?),
            b"PX" => ends_at = Some(lasting(call.now, options.next().ok_or(Fault::Syntax)?, 1, "set")?),
            b"EXAT" => ends_at = Some(lasting(0, options.next().ok_or(Fault::Syntax)?, 1000, "set")?),
            b"PXAT" => ends_at = Some(lasting(0, options.next().ok_or(Fault::Syntax)?, 1, "set")?),
            _ => return Err(Fault::Syntax),
        }
    }
    if (only_new && only_old) || (keep && ends_at.is_some()) {
        return Err(Fault::Syntax);
    }
    let old = if get { call.text(key)? } else { None };
    let exists = call.exists(key);
    if (only_new && exists) || (only_old && !exists) {
        return reply(Reply::maybe(old));
    }
    if keep {
        ends_at = call.end_of(key);
    }
    call.put(key, text, ends_at)?;
    reply(if get { Reply::maybe(old) } else { Reply::Ok })
}

fn set_new(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    if call.exists(&a[0]) {
        return reply(Reply::Int(0));
    }
    call.put(&a[0], &a[1], None)?;
    reply(Reply::Int(1))
}

fn set_ending(call: &mut Call<'_>, a: &[Bytes], unit: i64) -> Run {
    let ends_at = lasting(call.now, &a[1], unit, if unit == 1 { "psetex" } else { "setex" })?;
    call.put(&a[0], &a[2], Some(ends_at))?;
    reply(Reply::Ok)
}

fn get_set(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    let old = call.text(&a[0])?;
    call.put(&a[0], &a[1], None)?;
    reply(Reply::maybe(old))
}

fn get_del(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    let old = call.text(&a[0])?;
    call.state.keys.remove(&a[0], &mut call.state.changes);
    reply(Reply::maybe(old))
}

fn add(call: &mut Call<'_>, key: &Bytes, amount: i64) -> Run {
    let old = call.text(key)?.map_or(Ok(0), |text| int(&text))?;
    let new = old.checked_add(amount).ok_or_else(|| Fault::Refused("increment or decrement would overflow".to_owned()))?;
    let ends_at = call.end_of(key);
    call.put(key, new.to_string().as_bytes(), ends_at)?;
    reply(Reply::Int(new))
}

fn append(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    let old = call.text(&a[0])?.unwrap_or_default();
    if LARGEST_ARGUMENT < old.len() + a[1].len() {
        return Err(Fault::Refused("string exceeds maximum allowed size (64 MiB)".to_owned()));
    }
    let ends_at = call.end_of(&a[0]);
    let text = [old.as_ref(), a[1].as_ref()].concat();
    call.put(&a[0], &text, ends_at)?;
    reply(Reply::int(text.len()))
}

fn get_many(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    reply(Reply::Array(a.iter().map(|key| Reply::maybe(call.text(key).ok().flatten())).collect()))
}

fn set_many(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    if !a.len().is_multiple_of(2) {
        return Err(Fault::Arguments("mset".to_owned()));
    }
    if a.chunks(2).any(|pair| is_view(&pair[0])) {
        return Err(Fault::Refused("this key belongs to the job".to_owned()));
    }
    for pair in a.chunks(2) {
        call.put(&pair[0], &pair[1], None)?;
    }
    reply(Reply::Ok)
}
