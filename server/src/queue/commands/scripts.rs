//! Scripts: there is no Lua here. The few that lock recipes of common clients send are known by their text.

use bytes::Bytes;

use super::{Call, Command, Fault, MANY, Run, command, int, reply, strings::lasting};
use crate::queue::wire::Reply;

/// What a known script does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) enum Recipe {
    One(OnOne),
    All(OnAll),
}

/// On one key, if its value is the caller's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) enum OnOne {
    /// Deletes the key.
    Release,
    /// Sets the rest of its life, in units of so many milliseconds.
    Renew(i64),
    /// Adds to the rest of its life, or sets it when the third argument is "0" (redis-py).
    Extend,
}

/// On several keys (node-redlock).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) enum OnAll {
    /// Sets all to the token for so many milliseconds, if none of them is there.
    Acquire,
    /// The same if all of them hold the token.
    Extend,
    /// Deletes those that hold the token.
    Release,
}

/// Known scripts in their normal form: without white space, in lower case, with double quotes.
const KNOWN: [(&str, Recipe); 9] = [
    (r#"ifredis.call("get",keys[1])==argv[1]thenreturnredis.call("del",keys[1])elsereturn0end"#, Recipe::One(OnOne::Release)),
    (r#"ifredis.call("get",keys[1])==argv[1]thenreturnredis.call("pexpire",keys[1],argv[2])elsereturn0end"#, Recipe::One(OnOne::Renew(1))),
    (
        r#"ifredis.call("get",keys[1])==argv[1]thenreturnredis.call("expire",keys[1],argv[2])elsereturn0end"#,
        Recipe::One(OnOne::Renew(1000)),
    ),
    (
        r#"localtoken=redis.call("get",keys[1])ifnottokenortoken~=argv[1]thenreturn0endredis.call("del",keys[1])return1"#,
        Recipe::One(OnOne::Release),
    ),
    (
        r#"localtoken=redis.call("get",keys[1])ifnottokenortoken~=argv[1]thenreturn0endredis.call("pexpire",keys[1],argv[2])return1"#,
        Recipe::One(OnOne::Renew(1)),
    ),
    (
        r#"localtoken=redis.call("get",keys[1])ifnottokenortoken~=argv[1]thenreturn0endlocalexpiration=redis.call("pttl",keys[1])ifnotexpirationthenexpiration=0endifexpiration<0thenreturn0endlocalnewttl=argv[2]ifargv[3]=="0"thennewttl=argv[2]+expirationendredis.call("pexpire",keys[1],newttl)return1"#,
        Recipe::One(OnOne::Extend),
    ),
    (
        r#"fori,keyinipairs(keys)doifredis.call("exists",key)==1thenreturn0endendfori,keyinipairs(keys)doredis.call("set",key,argv[1],"px",argv[2])endreturn#keys"#,
        Recipe::All(OnAll::Acquire),
    ),
    (
        r#"fori,keyinipairs(keys)doifredis.call("get",key)~=argv[1]thenreturn0endendfori,keyinipairs(keys)doredis.call("set",key,argv[1],"px",argv[2])endreturn#keys"#,
        Recipe::All(OnAll::Extend),
    ),
    (
        r#"localcount=0fori,keyinipairs(keys)doifredis.call("get",key)==argv[1]thenredis.pcall("del",key)count=count+1endendreturncount"#,
        Recipe::All(OnAll::Release),
    ),
];

pub(super) fn find(name: &str) -> Option<Command> {
    match name {
        "EVAL" => command(eval, 2, MANY),
        "EVALSHA" => command(eval_known, 2, MANY),
        "SCRIPT" => command(script, 1, MANY),
        _ => None,
    }
}

fn recognise(body: &[u8]) -> Result<Recipe, Fault> {
    let text = String::from_utf8_lossy(body);
    let mut normal = String::with_capacity(text.len());
    for line in text.lines() {
        let code = line.split_once("--").map_or(line, |(code, _)| code);
        let characters = code.chars().filter(|c| !c.is_whitespace() && *c != ';');
        normal.extend(characters.map(|c| if c == '\'' { '"' } else { c.to_ascii_lowercase() }));
    }
    let found = KNOWN.iter().find(|(known, _)| *known == normal);
    found.map(|(_, recipe)| *recipe).ok_or_else(|| {
        Fault::Refused(
            "EVAL of this script: the queue runs no scripts but the lock recipes of common clients (release, extend and renew \
             a key that holds the caller's token); what needs more needs a Redis of its own"
                .to_owned(),
        )
    })
}

/// Remembers a script by the hash that clients will call it by.
fn remember(call: &mut Call<'_>, body: &Bytes) -> Result<(String, Recipe), Fault> {
    let recipe = recognise(body)?;
    let hash = redis::Script::new(&String::from_utf8_lossy(body)).get_hash().to_owned();
    // Differing white space makes a differing hash, so that a client could add without end.
    if 1000 <= call.state.scripts.len() {
        call.state.scripts.clear();
    }
    call.state.scripts.insert(hash.clone(), recipe);
    Ok((hash, recipe))
}

fn eval(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    let (_, recipe) = remember(call, &a[0])?;
    run(call, recipe, &a[1..])
}

fn eval_known(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    let hash = String::from_utf8_lossy(&a[0]).to_ascii_lowercase();
    match call.state.scripts.get(&hash).copied() {
        Some(recipe) => run(call, recipe, &a[1..]),
        None => Err(Fault::Coded("NOSCRIPT No matching script. Please use EVAL.".to_owned())),
    }
}

fn script(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    match (a[0].to_ascii_uppercase().as_slice(), &a[1..]) {
        (b"LOAD", [body]) => reply(Reply::text(remember(call, body)?.0)),
        (b"EXISTS", hashes) => {
            let known = |hash: &Bytes| call.state.scripts.contains_key(&String::from_utf8_lossy(hash).to_ascii_lowercase());
            reply(Reply::Array(hashes.iter().map(|hash| Reply::Int(i64::from(known(hash)))).collect()))
        }
        (b"FLUSH", _) => {
            call.state.scripts.clear();
            reply(Reply::Ok)
        }
        _ => Err(Fault::Refused("only SCRIPT LOAD, EXISTS and FLUSH are known".to_owned())),
    }
}

fn run(call: &mut Call<'_>, recipe: Recipe, a: &[Bytes]) -> Run {
    match recipe {
        Recipe::One(recipe) => on_one(call, recipe, a),
        Recipe::All(recipe) => on_all(call, recipe, a),
    }
}

/// Several keys, a token, and for how many milliseconds.
fn on_all(call: &mut Call<'_>, recipe: OnAll, a: &[Bytes]) -> Run {
    let count = a.first().map(int).transpose()?.and_then(|count| usize::try_from(count).ok());
    let parts = count.and_then(|count| a[1..].split_at_checked(count));
    let Some((keys, [token, rest @ ..])) = parts else {
        return Err(Fault::Refused("EVAL: a lock script needs its keys and the caller's token".to_owned()));
    };
    if recipe == OnAll::Release {
        let mut gone = 0;
        for key in keys {
            if call.text(key)?.as_ref() == Some(token) {
                call.state.keys.remove(key, &mut call.state.changes);
                gone += 1;
            }
        }
        return reply(Reply::Int(gone));
    }
    for key in keys {
        let free = match recipe {
            OnAll::Acquire => call.state.keys.get(key, call.now, &mut call.state.changes).is_none(),
            _ => call.text(key)?.as_ref() == Some(token),
        };
        if !free {
            return reply(Reply::Int(0));
        }
    }
    let ends_at = lasting(call.now, rest.first().ok_or(Fault::Syntax)?, 1, "set")?;
    for key in keys {
        call.put(key, token, Some(ends_at))?;
    }
    reply(Reply::int(keys.len()))
}

fn on_one(call: &mut Call<'_>, recipe: OnOne, a: &[Bytes]) -> Run {
    let [keys, key, token, rest @ ..] = a else {
        return Err(Fault::Refused("EVAL: a lock script needs one key and the caller's token".to_owned()));
    };
    if int(keys)? != 1 {
        return Err(Fault::Refused("EVAL: a lock script has exactly one key".to_owned()));
    }
    if call.text(key)?.as_ref() != Some(token) {
        return reply(Reply::Int(0));
    }
    let (now, argument) = (call.now, rest.first().ok_or(Fault::Syntax));
    let end = call.state.keys.get(key, now, &mut call.state.changes).and_then(|entry| entry.ends_at);
    let ends_at = match recipe {
        OnOne::Release => {
            call.state.keys.remove(key, &mut call.state.changes);
            return reply(Reply::Int(1));
        }
        OnOne::Renew(unit) => lasting(now, argument?, unit, "pexpire")?,
        OnOne::Extend => match end {
            // A key without an end cannot be extended.
            None => return reply(Reply::Int(0)),
            Some(end) if rest.get(1).is_some_and(|replace| replace.as_ref() == b"0") => lasting(end, argument?, 1, "pexpire")?,
            Some(_) => lasting(now, argument?, 1, "pexpire")?,
        },
    };
    call.state.keys.set_end(key, Some(ends_at), &mut call.state.changes);
    reply(Reply::Int(1))
}
