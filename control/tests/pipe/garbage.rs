//! Lines that no loop should ever get: recorded ones, broken in every way that a seed can think of.

use control::simulator::random::{Random, Stream};
use serde_json::{Map, Value, json};

/// Tokens where a number, a text or a list should be; not all of them are JSON.
const TOKENS: [&str; 36] = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1e999",
    "1e308",
    "-1e308",
    "5e-324",
    "-0.0",
    "0",
    "-1",
    "1.5",
    "4294967295",
    "4294967296",
    "9007199254740992",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "null",
    "true",
    "false",
    "\"\"",
    "\"1\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"💥\"",
    "[]",
    "{}",
    "[[]]",
    "[null]",
    "{\"drain\":{}}",
    "{\"kill\":{\"lease_ms\":18446744073709551615}}",
    "[{\"service_ms\":1e300}]",
    "0x10",
    "00",
];

const NAMES: [&str; 8] = ["", "at_ms", "items", "schema", "value", "seen", "moved", "Bounds"];

/// A whole input of another kind than an observation.
const OTHERS: [&str; 12] = [
    r#"{"moved": {"at_ms": 18446744073709551615, "to": 4294967295}}"#,
    r#"{"moved": {"at_ms": 0, "to": 0}}"#,
    r#"{"moved": {"at_ms": 5, "to": -1}}"#,
    r#"{"moved": {"at_ms": 5}}"#,
    r#"{"refused": {"at_ms": 5, "why": ""}}"#,
    r#"{"refused": {"at_ms": 5, "why": null}}"#,
    r#"{"blind": {"at_ms": 9007199254740992, "why": "\u0000"}}"#,
    r#"{"retuned": {"at_ms": 5, "revision": 4294967295, "params": {"guards": {"cooldown_s": 1e308}}}}"#,
    r#"{"retuned": {"at_ms": 5, "revision": 3, "params": [[[[{}]]]]}}"#,
    r#"{"retuned": {"at_ms": 5, "revision": 2, "params": {"guards": {"cooldown_s": 3600, "dead_band": 100}}}}"#,
    r#"{"seen": {}, "moved": {}}"#,
    r#"{"decided": {}}"#,
];

/// One bad line made of a good one. Some of them come out as good as before.
pub fn line(good: &str, random: &mut Random) -> Vec<u8> {
    match random.below(11) {
        0 => noise(random),
        1 => bytes(good.as_bytes().to_vec(), random),
        2 => good.as_bytes()[..random.below(good.len())].to_vec(),
        3 => OTHERS[random.below(OTHERS.len())].as_bytes().to_vec(),
        4 => deep(good, random),
        5 if random.below(500) == 0 => long(good, random),
        5 => back(good, random),
        6 => [good, good].concat().into_bytes(),
        7 => twice(good, random),
        _ => tree(good, random),
    }
}

/// Any bytes, often such as JSON is made of.
fn noise(random: &mut Random) -> Vec<u8> {
    const ALPHABET: &[u8] = b"{}[]\",:0123456789.eE+-truefalsn \\u\xff\xc3\xed\xa0\x80\0";
    let json = random.below(2) == 0;
    let length = 1 + random.below(60);
    let byte = |random: &mut Random| if json { ALPHABET[random.below(ALPHABET.len())] } else { random.below(256) as u8 };
    one_line((0..length).map(|_| byte(random)).collect())
}

/// Some bytes changed, taken out or put in.
fn bytes(mut line: Vec<u8>, random: &mut Random) -> Vec<u8> {
    for _ in 0..=random.below(3) {
        let place = random.below(line.len().max(1)).min(line.len());
        match random.below(3) {
            0 => line.insert(place, random.below(256) as u8),
            1 if place < line.len() => _ = line.remove(place),
            _ if place < line.len() => line[place] ^= 1 << random.below(8),
            _ => {}
        }
    }
    one_line(line)
}

/// A line has no end within.
fn one_line(mut line: Vec<u8>) -> Vec<u8> {
    line.retain(|byte| *byte != b'\n');
    line
}

/// Deeper than any reader goes, or just not.
fn deep(good: &str, random: &mut Random) -> Vec<u8> {
    let depth = [60, 126, 127, 128, 3000][random.below(5)];
    let (open, close) = [("[", "]"), ("{\"items\":", "}")][random.below(2)];
    let nest = [open.repeat(depth), "0".to_owned(), close.repeat(depth)].concat();
    if random.below(2) == 0 { nest.into_bytes() } else { put(good, &nest, random) }
}

fn long(good: &str, random: &mut Random) -> Vec<u8> {
    let length = 1 << (12 + random.below(8));
    match random.below(4) {
        0 => "9".repeat(length).into_bytes(),
        1 => put(good, &format!("\"{}\"", "x".repeat(length)), random),
        2 => put(good, &format!("[{}0]", "0,".repeat(length / 2)), random),
        _ => [good, &" ".repeat(length)].concat().into_bytes(),
    }
}

/// A moment of long ago, or one that is as good as never.
fn back(good: &str, random: &mut Random) -> Vec<u8> {
    let at_ms = ["0", "1", "-5", "999", "9007199254740992", "9007199254740993", "1e3", "12.5"][random.below(8)];
    match good.split_once(',') {
        Some((_, rest)) => format!("{{\"at_ms\":{at_ms},{rest}").into_bytes(),
        None => good.as_bytes().to_vec(),
    }
}

/// A name that stands there twice.
fn twice(good: &str, random: &mut Random) -> Vec<u8> {
    let token = TOKENS[random.below(TOKENS.len())];
    let name = ["at_ms", "items", "bounds", "confidence", "completions"][random.below(5)];
    good.replacen('{', &format!("{{\"{name}\":{token},"), 1).into_bytes()
}

/// Something at a random place of the tree replaced, taken out or renamed.
fn tree(good: &str, random: &mut Random) -> Vec<u8> {
    match random.below(3) {
        0 => {
            let mut value = parsed(good);
            strip(&mut value, random);
            value.to_string().into_bytes()
        }
        _ => put(good, TOKENS[random.below(TOKENS.len())], random),
    }
}

/// The token in the place of a random value. JSON trees hold no such tokens, so a mark stands there first.
fn put(good: &str, token: &str, random: &mut Random) -> Vec<u8> {
    const MARK: &str = "\u{1}mark";
    let mut value = parsed(good);
    *pick(&mut value, random) = json!(MARK);
    value.to_string().replacen(&json!(MARK).to_string(), token, 1).into_bytes()
}

fn parsed(good: &str) -> Value {
    serde_json::from_str(good).expect("good lines are JSON")
}

/// Walks down a random way, and stops anywhere on it.
fn pick<'a>(value: &'a mut Value, random: &mut Random) -> &'a mut Value {
    let count = match value {
        Value::Object(map) => map.len(),
        Value::Array(list) => list.len(),
        _ => 0,
    };
    if count == 0 || random.below(6) == 0 {
        return value;
    }
    let place = random.below(count);
    let inner = match value {
        Value::Object(map) => map.values_mut().nth(place),
        Value::Array(list) => list.get_mut(place),
        _ => None,
    };
    pick(inner.expect("it was counted"), random)
}

fn strip(value: &mut Value, random: &mut Random) {
    let place = pick(value, random);
    match place {
        Value::Object(map) if !map.is_empty() => {
            let name = map.keys().nth(random.below(map.len())).cloned().unwrap_or_default();
            let taken = map.remove(&name);
            if random.below(2) == 0 {
                map.insert(NAMES[random.below(NAMES.len())].to_owned(), taken.unwrap_or_default());
            }
        }
        Value::Array(list) => list.truncate(1),
        other => *other = Value::Object(Map::new()),
    }
}

pub fn seeded(seed: u64) -> Random {
    Random::new(seed, Stream::Order)
}
