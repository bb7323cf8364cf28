//! Reads a platform's params so that all problems are told at once: those of reading, and those of what could be read.

use control::plugin::{FieldError, Plugin, parse};
use serde_json::{Map, Value};

/// The params, and what could not be read of them. Where fields are wrong, the others are read without them; `None` when
/// that is no help.
pub fn read<P: Plugin>(params: &Value) -> (Option<P::Params>, Vec<FieldError>) {
    match parse::<P>(params) {
        Ok(read) => (Some(read), Vec::new()),
        Err(errors) => (without::<P>(params, &errors), errors),
    }
}

fn without<P: Plugin>(params: &Value, errors: &[FieldError]) -> Option<P::Params> {
    let mut sound = params.as_object()?.clone();
    for error in errors {
        drop_wrong(&mut sound, &error.field);
    }
    parse::<P>(&Value::Object(sound)).ok()
}

/// One wrong entry of a map, such as `env.C`, takes only itself along.
fn drop_wrong(sound: &mut Map<String, Value>, field: &str) {
    let top = top(field);
    let entry = field.strip_prefix(top).and_then(|rest| rest.strip_prefix('.'));
    match (sound.get_mut(top), entry) {
        (Some(Value::Object(map)), Some(entry)) if map.contains_key(entry) => drop(map.remove(entry)),
        _ => drop(sound.remove(top)),
    }
}

/// Both kinds of problems. A field that could not be read is at its default: its one true error is already told.
pub fn joined(mut unread: Vec<FieldError>, mut found: Vec<FieldError>) -> Vec<FieldError> {
    // An entry of a map was left out alone: what was found in the others stands.
    let whole = |told: &FieldError| !told.field.contains('.');
    found.retain(|new| unread.iter().all(|told| !(whole(told) && top(&told.field) == new.field)));
    unread.append(&mut found);
    unread
}

fn top(field: &str) -> &str {
    field.split(['.', '[']).next().unwrap_or_default()
}
