//! List commands, the ones that wait included.

use bytes::Bytes;

use super::{
    Call, Command, Fault, MANY, Outcome, Run, command, int,
    places::{End, List, list},
    reply, timeout,
};
use crate::queue::wire::Reply;

pub(super) fn find(name: &str) -> Option<Command> {
    match name {
        "RPUSH" => command(|call, a| push(call, a, End::Right), 2, MANY),
        "LPUSH" => command(|call, a| push(call, a, End::Left), 2, MANY),
        "RPUSHX" => command(|call, a| push_existing(call, a, End::Right), 2, MANY),
        "LPUSHX" => command(|call, a| push_existing(call, a, End::Left), 2, MANY),
        "RPOP" => command(|call, a| pop(call, a, End::Right), 1, 2),
        "LPOP" => command(|call, a| pop(call, a, End::Left), 1, 2),
        "LLEN" => command(|call, a| reply(Reply::int(call.len(&a[0])?)), 1, 1),
        "LRANGE" => command(range, 3, 3),
        "LINDEX" => command(index, 2, 2),
        "LREM" => command(remove, 3, 3),
        "LTRIM" => command(trim, 3, 3),
        "LSET" => command(set, 3, 3),
        "RPOPLPUSH" => command(|call, a| shift(call, &a[0], &a[1], End::Right, End::Left, None), 2, 2),
        "BRPOPLPUSH" => command(|call, a| shift(call, &a[0], &a[1], End::Right, End::Left, Some(timeout(&a[2])?)), 3, 3),
        "LMOVE" => command(|call, a| shift(call, &a[0], &a[1], end(&a[2])?, end(&a[3])?, None), 4, 4),
        "BLMOVE" => command(|call, a| shift(call, &a[0], &a[1], end(&a[2])?, end(&a[3])?, Some(timeout(&a[4])?)), 5, 5),
        "BRPOP" => command(|call, a| pop_waiting(call, a, End::Right), 2, MANY),
        "BLPOP" => command(|call, a| pop_waiting(call, a, End::Left), 2, MANY),
        _ => None,
    }
}

fn end(word: &Bytes) -> Result<End, Fault> {
    match word.to_ascii_uppercase().as_slice() {
        b"LEFT" => Ok(End::Left),
        b"RIGHT" => Ok(End::Right),
        _ => Err(Fault::Syntax),
    }
}

fn push(call: &mut Call<'_>, a: &[Bytes], end: End) -> Run {
    for element in &a[1..] {
        call.push(&a[0], end, element)?;
    }
    reply(Reply::int(call.len(&a[0])?))
}

fn push_existing(call: &mut Call<'_>, a: &[Bytes], end: End) -> Run {
    if call.exists(&a[0]) { push(call, a, end) } else { reply(Reply::Int(0)) }
}

fn pop(call: &mut Call<'_>, a: &[Bytes], end: End) -> Run {
    let Some(count) = a.get(1) else {
        return reply(Reply::maybe(call.pop(&a[0], end)?));
    };
    let count = usize::try_from(int(count)?).map_err(|_| Fault::Refused("value is out of range, must be positive".to_owned()))?;
    let mut popped = Vec::new();
    // One command takes them together: none of them completes the one before.
    let before = (list(&a[0]) == List::Job).then(|| call.state.table.replicas.get(call.session.replica).careful);
    while popped.len() < count {
        let Some(element) = call.pop(&a[0], end)? else { break };
        popped.push(Reply::Bulk(element));
        if before.is_some() {
            call.state.table.replicas.get_mut(call.session.replica).careful = true;
        }
    }
    if let Some(careful) = before {
        call.state.table.replicas.get_mut(call.session.replica).careful = careful;
    }
    reply(if popped.is_empty() { Reply::NullArray } else { Reply::Array(popped) })
}

/// Turns a Redis index, negative from the end, into a place; may lie before or after the list.
fn place(index: i64, len: usize) -> i64 {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    if index < 0 { index.saturating_add(len) } else { index }
}

/// Start and end (not included) of a Redis range within a list.
fn bounds(len: usize, start: &Bytes, stop: &Bytes) -> Result<(usize, usize), Fault> {
    let start = usize::try_from(place(int(start)?, len).max(0)).unwrap_or(usize::MAX).min(len);
    let end = usize::try_from(place(int(stop)?, len).saturating_add(1).max(0)).unwrap_or(usize::MAX).min(len);
    Ok((start, end.max(start)))
}

fn range(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    let (start, end) = bounds(call.len(&a[0])?, &a[1], &a[2])?;
    reply(Reply::Array(call.elements(&a[0], start, end)?.into_iter().map(Reply::Bulk).collect()))
}

fn index(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    let len = call.len(&a[0])?;
    let Some(at) = usize::try_from(place(int(&a[1])?, len)).ok().filter(|at| *at < len) else {
        return reply(Reply::Null);
    };
    reply(Reply::maybe(call.elements(&a[0], at, at + 1)?.pop()))
}

fn remove(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    let (key, count, text) = (&a[0], int(&a[1])?, &a[2]);
    let taker = call.taker();
    let changes = &mut call.state.changes;
    match list(key) {
        List::Processing => reply(Reply::Int(call.state.table.remove(taker, count, text, changes))),
        List::Job | List::Results => Err(Fault::Refused("elements of this list cannot be removed by their text".to_owned())),
        List::Plain => {
            let all = call.state.keys.list(key, call.now, changes)?;
            let matching: Vec<usize> =
                all.into_iter().flatten().enumerate().filter_map(|(index, (_, element))| (element == text).then_some(index)).collect();
            let most = match count {
                0 => matching.len(),
                _ => usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX).min(matching.len()),
            };
            let chosen = if count < 0 { &matching[matching.len() - most..] } else { &matching[..most] };
            call.state.keys.retain(key, call.now, changes, |index, _| chosen.binary_search(&index).is_err())?;
            reply(Reply::int(chosen.len()))
        }
    }
}

fn trim(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    let len = call.len(&a[0])?;
    let (start, end) = bounds(len, &a[1], &a[2])?;
    match list(&a[0]) {
        List::Plain => call.state.keys.retain(&a[0], call.now, &mut call.state.changes, |index, _| (start..end).contains(&index))?,
        List::Results => {
            for _ in end.max(start)..len {
                call.state.results.pop(&mut call.state.changes, false);
            }
            for _ in 0..start {
                call.state.results.pop(&mut call.state.changes, true);
            }
        }
        List::Job | List::Processing => return Err(Fault::Refused("the items of a job cannot be trimmed".to_owned())),
    }
    reply(Reply::Ok)
}

fn set(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    if list(&a[0]) != List::Plain {
        return Err(Fault::Refused("the items of a job cannot be changed".to_owned()));
    }
    let len = call.len(&a[0])?;
    if len == 0 {
        return Err(Fault::Refused("no such key".to_owned()));
    }
    let at = usize::try_from(place(int(&a[1])?, len)).unwrap_or(usize::MAX);
    if call.state.keys.replace(&a[0], at, &a[2], call.now, &mut call.state.changes)? {
        reply(Reply::Ok)
    } else {
        Err(Fault::Refused("index out of range".to_owned()))
    }
}

fn shift(call: &mut Call<'_>, from: &[u8], to: &[u8], pop: End, push: End, wait: Option<f64>) -> Run {
    match (call.shift(from, to, pop, push)?, wait) {
        (Some(element), _) => reply(Reply::Bulk(element)),
        (None, Some(seconds)) if call.may_wait => Ok(Outcome::Wait { seconds, nil: Reply::Null, for_items: list(from) == List::Job }),
        (None, _) => reply(Reply::Null),
    }
}

fn pop_waiting(call: &mut Call<'_>, a: &[Bytes], end: End) -> Run {
    let (last, keys) = a.split_last().ok_or(Fault::Syntax)?;
    let seconds = timeout(last)?;
    for key in keys {
        if let Some(element) = call.pop(key, end)? {
            return reply(Reply::Array(vec![Reply::Bulk(key.clone()), Reply::Bulk(element)]));
        }
    }
    if call.may_wait {
        let for_items = keys.iter().any(|key| list(key) == List::Job);
        return Ok(Outcome::Wait { seconds, nil: Reply::NullArray, for_items });
    }
    reply(Reply::NullArray)
}
