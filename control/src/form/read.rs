//! Brings posted values into the types of the schema. A field with a problem is reported and takes its
//! default, so that the reading goes on and all problems come at once.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

use super::FieldKind;
use super::schema::{Leaf, Node};
use crate::plugin::FieldError;

/// The complete object: what was given, in the right types, and defaults for the rest.
pub fn object(node: &Node, given: &Value, defaults: &Value, errors: &mut Vec<FieldError>) -> Value {
    read(node, given, defaults, "", errors)
}

fn read(node: &Node, given: &Value, default: &Value, path: &str, errors: &mut Vec<FieldError>) -> Value {
    let members = match node {
        Node::Leaf(leaf) => {
            return value(leaf, given).unwrap_or_else(|problems| {
                errors.extend(problems.into_iter().map(|problem| problem.under(path)));
                default.clone()
            });
        }
        Node::Object(members) => members,
    };
    let empty = Map::new();
    let given = match given {
        Value::Object(given) => given,
        Value::Null => &empty,
        other => {
            errors.push(FieldError::new(path, format!("must be an object with named fields, was {}", words(other))));
            &empty
        }
    };
    for key in given.keys().filter(|key| !members.iter().any(|(known, _)| known == *key)) {
        errors.push(FieldError::new(key.as_str(), unknown(members)).under(path));
    }
    let read = members.iter().map(|(key, member)| {
        let default = &default[key.as_str()];
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        // A default is checked as well: that of a field which must be given is none that is allowed.
        let value = read(member, given.get(key).unwrap_or(default), default, &path, errors);
        (key.clone(), value)
    });
    Value::Object(read.collect())
}

fn unknown(members: &[(String, Node)]) -> String {
    if members.is_empty() {
        return "is not a parameter of this plugin; it has none".to_owned();
    }
    let known: Vec<_> = members.iter().map(|(key, _)| key.as_str()).collect();
    format!("is not a parameter of this plugin; known are {}", known.join(", "))
}

fn value(leaf: &Leaf, given: &Value) -> Result<Value, Vec<FieldError>> {
    if leaf.optional && (given.is_null() || given.as_str().is_some_and(|text| text.trim().is_empty())) {
        return Ok(Value::Null);
    }
    let read = match &leaf.kind {
        FieldKind::Number => number(leaf, given),
        FieldKind::Integer => integer(leaf, given),
        FieldKind::Bool => boolean(given),
        FieldKind::Text => text(leaf, given),
        FieldKind::Choice(choices) => match given.as_str() {
            Some(word) if choices.iter().any(|choice| choice == word) => Ok(given.clone()),
            _ => Err(format!("must be one of {}, was {}", choices.join(", "), words(given))),
        },
        FieldKind::Lines => return lines(given),
        FieldKind::Map => return map(given),
    };
    read.map_err(|message| vec![FieldError::new("", message)])
}

fn number(leaf: &Leaf, given: &Value) -> Result<Value, String> {
    let number = match given {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse::<f64>().ok(),
        _ => None,
    };
    let number = number.ok_or_else(|| format!("must be a number such as 1.5, was {}", words(given)))?;
    let finite = Number::from_f64(number).ok_or_else(|| format!("must be a finite number, was {}", words(given)))?;
    within(leaf, number, given)?;
    Ok(Value::Number(finite))
}

fn integer(leaf: &Leaf, given: &Value) -> Result<Value, String> {
    let refused = || format!("must be a whole number, was {}", words(given));
    // Wider than any field, so that what is too large is told as a bound.
    let number = match given {
        Value::Number(number) => match number.as_i128() {
            Some(whole) => whole,
            // Everything beyond is farther away than any bound, and whole floats stay exact below.
            None => number.as_f64().filter(|float| float.fract() == 0.0).map(|float| float as i128).ok_or_else(refused)?,
        },
        Value::String(text) => text.trim().parse::<i128>().map_err(|_| refused())?,
        _ => return Err(refused()),
    };
    within(leaf, number as f64, given)?;
    match (i64::try_from(number), u64::try_from(number)) {
        (Ok(number), _) => Ok(Value::from(number)),
        (_, Ok(number)) => Ok(Value::from(number)),
        _ => Err(format!("must be a smaller whole number, was {}", words(given))),
    }
}

fn within(leaf: &Leaf, number: f64, given: &Value) -> Result<(), String> {
    if leaf.min.is_none_or(|min| min <= number) && leaf.max.is_none_or(|max| number <= max) {
        return Ok(());
    }
    let was = given.as_str().map_or_else(|| given.to_string(), |text| text.trim().to_owned());
    Err(match (leaf.min, leaf.max) {
        (Some(min), Some(max)) => format!("must be between {min} and {max}, was {was}"),
        (Some(min), None) => format!("must be at least {min}, was {was}"),
        (None, max) => format!("must be at most {}, was {was}", max.unwrap_or(f64::INFINITY)),
    })
}

fn boolean(given: &Value) -> Result<Value, String> {
    match given {
        Value::Bool(_) => return Ok(given.clone()),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" | "1" => return Ok(Value::Bool(true)),
            "off" | "false" | "no" | "0" | "" => return Ok(Value::Bool(false)),
            _ => {}
        },
        _ => {}
    }
    Err(format!("must be true or false, was {}", words(given)))
}

fn text(leaf: &Leaf, given: &Value) -> Result<Value, String> {
    let Some(text) = given.as_str() else { return Err(format!("must be text, was {}", words(given))) };
    let length = text.chars().count() as u64;
    let (fewest, most) = leaf.length;
    if fewest.is_none_or(|fewest| fewest <= length) && most.is_none_or(|most| length <= most) {
        return Ok(given.clone());
    }
    Err(match (fewest, most) {
        (Some(1), _) if length == 0 => "must not be empty".to_owned(),
        (Some(fewest), Some(most)) => format!("must have {fewest} to {most} characters, had {length}"),
        (Some(fewest), None) => format!("must have at least {fewest} characters, had {length}"),
        (None, most) => format!("must have at most {} characters, had {length}", most.unwrap_or(u64::MAX)),
    })
}

fn lines(given: &Value) -> Result<Value, Vec<FieldError>> {
    match given {
        Value::String(text) => {
            Ok(text.lines().filter(|line| !line.trim().is_empty()).map(|line| Value::from(line.trim_end_matches('\r'))).collect())
        }
        Value::Array(entries) => {
            let problems: Vec<_> = entries
                .iter()
                .enumerate()
                .filter(|(_, entry)| !entry.is_string())
                .map(|(place, entry)| FieldError::new(place.to_string(), format!("must be text, was {}", words(entry))))
                .collect();
            if problems.is_empty() { Ok(given.clone()) } else { Err(problems) }
        }
        other => Err(vec![FieldError::new("", format!("must be a list of texts, or lines, was {}", words(other)))]),
    }
}

fn map(given: &Value) -> Result<Value, Vec<FieldError>> {
    let mut problems = Vec::new();
    let mut read = BTreeMap::new();
    match given {
        Value::Object(entries) => {
            for (key, entry) in entries {
                match entry.as_str() {
                    Some(text) => drop(read.insert(key.clone(), text.to_owned())),
                    None => problems.push(FieldError::new(key.as_str(), format!("must be text, was {}", words(entry)))),
                }
            }
        }
        Value::String(text) => {
            for (place, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                let place = place + 1;
                match line.trim_end_matches('\r').split_once('=') {
                    Some((key, value)) if !key.trim().is_empty() => {
                        if read.insert(key.trim().to_owned(), value.to_owned()).is_some() {
                            problems.push(FieldError::new("", format!("line {place} sets {} again", key.trim())));
                        }
                    }
                    _ => problems.push(FieldError::new("", format!("line {place} must be KEY=value, was “{}”", short(line)))),
                }
            }
        }
        other => problems.push(FieldError::new("", format!("must be names with texts, or lines KEY=value, was {}", words(other)))),
    }
    if problems.is_empty() { Ok(read.into_iter().collect()) } else { Err(problems) }
}

/// A value as a person would name it.
fn words(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) if text.trim().is_empty() => "empty".to_owned(),
        Value::String(text) => format!("“{}”", short(text.trim())),
        Value::Array(entries) => format!("a list of {}", entries.len()),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// Messages quote what was sent, but never a whole upload.
fn short(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
