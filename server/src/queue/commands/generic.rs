//! Commands on keys of any kind: existence, end of life, names.

use bytes::Bytes;

use super::{Call, Command, Fault, MANY, Run, command, int, places::is_view, reply};
use crate::queue::{keys::Value, wire::Reply};

pub(super) fn find(name: &str) -> Option<Command> {
    match name {
        "EXISTS" => command(|call, a| reply(Reply::int(a.iter().filter(|key| call.exists(key)).count())), 1, MANY),
        "DEL" | "UNLINK" => command(delete, 1, MANY),
        "EXPIRE" => command(|call, a| expire(call, a, 1000), 2, 3),
        "PEXPIRE" => command(|call, a| expire(call, a, 1), 2, 3),
        "TTL" => command(|call, a| rest(call, &a[0], 1000), 1, 1),
        "PTTL" => command(|call, a| rest(call, &a[0], 1), 1, 1),
        "PERSIST" => command(persist, 1, 1),
        "TYPE" => command(kind, 1, 1),
        "KEYS" => command(|call, a| reply(named(call, Some(&a[0]), None)), 1, 1),
        "SCAN" => command(scan, 1, MANY),
        "DBSIZE" => command(|call, _| reply(Reply::int(call.key_names().len())), 0, 0),
        "FLUSHDB" => command(|_, _| Err(never_flushed("FLUSHDB")), 0, MANY),
        "FLUSHALL" => command(|_, _| Err(never_flushed("FLUSHALL")), 0, MANY),
        _ => None,
    }
}

fn never_flushed(command: &str) -> Fault {
    Fault::Refused(format!("{command}: a job's queue cannot be flushed by a worker"))
}

fn delete(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    if let Some(key) = a.iter().find(|key| is_view(key)) {
        let key = String::from_utf8_lossy(key);
        return Err(Fault::Refused(format!("'{key}' cannot be deleted by a worker: stop the job instead")));
    }
    reply(Reply::int(a.iter().filter(|key| call.exists(key) && call.state.keys.remove(key, &mut call.state.changes)).count()))
}

fn expire(call: &mut Call<'_>, a: &[Bytes], unit: i64) -> Run {
    let length = int(&a[1])?.checked_mul(unit).and_then(|length| length.checked_add(call.now));
    let ends_at = length.ok_or_else(|| Fault::Refused("invalid expire time in 'expire' command".to_owned()))?;
    if is_view(&a[0]) {
        return Err(Fault::Refused("this key belongs to the job".to_owned()));
    }
    let Some(old) = call.state.keys.get(&a[0], call.now, &mut call.state.changes).map(|entry| entry.ends_at) else {
        return reply(Reply::Int(0));
    };
    let wanted = match a.get(2).map(|option| option.to_ascii_uppercase()).as_deref() {
        None => true,
        Some(b"NX") => old.is_none(),
        Some(b"XX") => old.is_some(),
        Some(b"GT") => old.is_some_and(|old| old < ends_at),
        Some(b"LT") => old.is_none_or(|old| ends_at < old),
        Some(_) => return Err(Fault::Syntax),
    };
    if wanted {
        call.state.keys.set_end(&a[0], Some(ends_at), &mut call.state.changes);
    }
    reply(Reply::Int(i64::from(wanted)))
}

fn rest(call: &mut Call<'_>, key: &Bytes, unit: i64) -> Run {
    if !call.exists(key) {
        return reply(Reply::Int(-2));
    }
    let end = call.state.keys.get(key, call.now, &mut call.state.changes).and_then(|entry| entry.ends_at);
    // Rounded to the nearest unit, as Redis does.
    reply(Reply::Int(end.map_or(-1, |end| (end - call.now + unit / 2) / unit)))
}

fn persist(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    let ends = call.state.keys.get(&a[0], call.now, &mut call.state.changes).is_some_and(|entry| entry.ends_at.is_some());
    if ends {
        call.state.keys.set_end(&a[0], None, &mut call.state.changes);
    }
    reply(Reply::Int(i64::from(ends)))
}

fn kind(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    reply(Reply::Simple(kind_of(call, &a[0])))
}

fn kind_of(call: &mut Call<'_>, key: &[u8]) -> &'static str {
    if is_view(key) {
        return if call.exists(key) { "list" } else { "none" };
    }
    match call.state.keys.get(key, call.now, &mut call.state.changes).map(|entry| &entry.value) {
        Some(Value::Text(_)) => "string",
        Some(Value::List(_)) => "list",
        None => "none",
    }
}

fn named(call: &mut Call<'_>, pattern: Option<&Bytes>, kind: Option<&str>) -> Reply {
    let names = call.key_names();
    let matching = names.into_iter().filter(|name| pattern.is_none_or(|pattern| matches(pattern, name)));
    Reply::Array(matching.filter(|name| kind.is_none_or(|kind| kind_of(call, name) == kind)).map(Reply::Bulk).collect())
}

/// All keys come in one page: there are few.
fn scan(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    let (mut pattern, mut kind) = (None, None);
    for option in a[1..].chunks(2) {
        let [name, value] = option else { return Err(Fault::Syntax) };
        match name.to_ascii_uppercase().as_slice() {
            b"MATCH" => pattern = Some(value),
            b"TYPE" => kind = Some(String::from_utf8_lossy(value).to_ascii_lowercase()),
            b"COUNT" => {}
            _ => return Err(Fault::Syntax),
        }
    }
    let found = named(call, pattern, kind.as_deref());
    reply(Reply::Array(vec![Reply::text("0"), found]))
}

/// Redis patterns: `*`, `?`, `[a-z]`, `[^a]` and `\` before a character that is meant as such.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    // Where to go on when the part after the last star does not fit: one character later.
    let (mut p, mut n, mut star) = (0, 0, None);
    loop {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p + 1, n));
            p += 1;
            continue;
        }
        match (name.get(n), one(&pattern[p..], name.get(n).copied())) {
            (None, _) if p == pattern.len() => return true,
            (Some(_), Some(length)) => (p, n) = (p + length, n + 1),
            _ => match star {
                Some((after, from)) if from < name.len() => {
                    (p, n) = (after, from + 1);
                    star = Some((after, from + 1));
                }
                _ => return false,
            },
        }
    }
}

/// Length of the first part of a pattern if it fits the character.
fn one(pattern: &[u8], character: Option<u8>) -> Option<usize> {
    let character = character?;
    match pattern {
        [b'?', ..] => Some(1),
        [b'\\', literal, ..] => (*literal == character).then_some(2),
        [b'[', rest @ ..] => {
            let close = rest.iter().skip(1).position(|byte| *byte == b']')? + 1;
            let (negated, set) = if rest[0] == b'^' { (true, &rest[1..close]) } else { (false, &rest[..close]) };
            let mut inside = set.contains(&character);
            for range in set.windows(3).filter(|range| range[1] == b'-') {
                inside |= (range[0]..=range[2]).contains(&character);
            }
            (inside != negated).then_some(close + 2)
        }
        [literal, ..] => (*literal == character).then_some(1),
        [] => None,
    }
}
