//! What commands are given to read: files, standard input, JSON.

use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

#[derive(Debug, thiserror::Error)]
pub enum InputError {
    #[error("could not read {file}")]
    Read {
        file: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("{what} is not JSON")]
    Json {
        what: String,
        #[source]
        cause: serde_json::Error,
    },
}

/// The text of a file; `-` is standard input.
pub fn text(file: &Path) -> Result<String, InputError> {
    let mut text = String::new();
    let read =
        if file.as_os_str() == "-" { std::io::stdin().read_to_string(&mut text).map(|_| text) } else { std::fs::read_to_string(file) };
    read.map_err(|cause| InputError::Read { file: file.display().to_string(), cause })
}

/// The JSON in a file; `-` is standard input.
pub fn json(file: &Path) -> Result<Value, InputError> {
    parsed(&text(file)?, &file.display().to_string())
}

/// The JSON of an argument: itself, or `@FILE`.
pub fn argument(argument: &str) -> Result<Value, InputError> {
    match argument.strip_prefix('@') {
        Some(file) => json(Path::new(file)),
        None => parsed(argument, argument),
    }
}

fn parsed(text: &str, what: &str) -> Result<Value, InputError> {
    serde_json::from_str(text).map_err(|cause| InputError::Json { what: what.to_owned(), cause })
}

/// One line a problem.
pub fn listed(value: &Value, answer: &str) -> String {
    let Some(errors) = value["errors"].as_array() else { return answer.to_owned() };
    let lines = errors.iter().map(|error| {
        let (field, message) = (error["field"].as_str().unwrap_or_default(), error["message"].as_str().unwrap_or_default());
        format!("  {field} {message}")
    });
    lines.collect::<Vec<_>>().join("\n")
}
