//! A loop on a pipe: one line of JSON in, one line back. A bad line gets an error and changes nothing.
//! Whoever owns the pipe reads and writes; the format is in docs/law.md.

use serde_json::{Value, json};

use crate::control_loop::{ControlLoop, Input};
use crate::plugin::FieldError;

/// A longer line is no observation; its end counts too.
pub const LONGEST_LINE: usize = 16 << 20;

/// A moment further away is a slip of units.
const LATEST_MS: u64 = 1 << 53;

pub struct Pipe {
    control: ControlLoop,
    /// Lines that came, blank ones too.
    lines: u64,
}

impl Pipe {
    pub fn new(control: ControlLoop) -> Self {
        Self { control, lines: 0 }
    }

    pub fn control(&self) -> &ControlLoop {
        &self.control
    }

    /// Takes the next line, with or without its end. The answer is one line without its end; a blank line has none.
    pub fn take(&mut self, line: &[u8]) -> Option<String> {
        self.lines += 1;
        if line.trim_ascii().is_empty() {
            return None;
        }
        Some(match parse(line) {
            Ok(input) => json!(self.control.handle(input)).to_string(),
            Err(error) => self.problem(&error),
        })
    }

    /// Counts a line that was skipped because it is longer than the longest.
    pub fn skip(&mut self) -> String {
        self.lines += 1;
        self.problem(&FieldError::new("", "is longer than 16 MiB"))
    }

    fn problem(&self, error: &FieldError) -> String {
        json!({ "error": { "line": self.lines, "field": error.field, "message": error.message } }).to_string()
    }
}

/// A line is one `Input`; what is seen may also stand there alone, without `{"seen": …}` about it.
fn parse(line: &[u8]) -> Result<Input, FieldError> {
    let value: Value = serde_json::from_slice(line).map_err(|error| FieldError::new("", format!("is no JSON: {error}")))?;
    let bare = value.get("at_ms").is_some() && value.get("items").is_some();
    let value = if bare { json!({ "seen": value }) } else { value };
    let input: Input = serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        // What is seen may stand alone, so its fields go by their own names; those of other inputs by theirs.
        let field = path.strip_prefix("seen.").unwrap_or(if path == "." { "" } else { &path });
        FieldError::new(field, error.inner().to_string())
    })?;
    check(&input)?;
    Ok(input)
}

/// What JSON allows and no moment can be.
fn check(input: &Input) -> Result<(), FieldError> {
    let wrong = |field: &str, message: String| Err(FieldError::new(field, message));
    if input.at_ms() > LATEST_MS {
        return wrong("at_ms", format!("must be at most {LATEST_MS}, was {}", input.at_ms()));
    }
    let Input::Seen(seen) = input else { return Ok(()) };
    if seen.bounds.min > seen.bounds.max {
        return wrong("bounds.min", format!("must be at most bounds.max, {}, was {}", seen.bounds.max, seen.bounds.min));
    }
    if !(0.5..=0.9999).contains(&seen.confidence) {
        return wrong("confidence", format!("must be between 0.5 and 0.9999, was {}", seen.confidence));
    }
    if seen.hints.service_ms_mean.is_some_and(|hint| !hint.is_finite() || hint <= 0.0) {
        return wrong("hints.service_ms_mean", "must be above 0".to_owned());
    }
    for (place, completion) in seen.completions.iter().enumerate() {
        if !completion.service_ms.is_finite() || completion.service_ms < 0.0 {
            return wrong(&format!("completions[{place}].service_ms"), format!("must be at least 0, was {}", completion.service_ms));
        }
    }
    Ok(())
}
