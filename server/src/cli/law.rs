//! `asperathos law`: one control loop on a pipe. An input a line, the effects of it a line back; a bad line gets an
//! error and changes nothing. Formats: docs/law.md.

use std::io::{self, BufRead, Write};

use clap::Args;
use control::control_loop::{ControlLoop, Input};
use control::plugin::{FieldError, PluginSpec, sentences};
use serde_json::{Value, json};

use super::input::{self, InputError};

/// A longer line is no observation.
const LONGEST_LINE: u64 = 16 << 20;

/// A moment further away is a slip of units.
const LATEST_MS: u64 = 1 << 53;

#[derive(Debug, Args)]
pub struct LawArgs {
    /// Which law: deadline, pid, threshold …
    kind: String,
    /// Its params as JSON, or @FILE.
    #[arg(long, default_value = "{}")]
    params: String,
    /// What an earlier run remembered, @FILE.
    #[arg(long)]
    memory: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum LawError {
    #[error("{0}")]
    Start(String),
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("the pipe broke")]
    Pipe(#[from] io::Error),
}

/// # Errors
/// A law that cannot start from what was given, or a pipe that breaks. Bad lines are answered, not returned.
pub fn run(args: &LawArgs) -> Result<(), LawError> {
    let params = input::argument(&args.params)?;
    let memory = args.memory.as_deref().map(input::argument).transpose()?;
    let spec = PluginSpec::new(&args.kind, params);
    let mut control = ControlLoop::new("pipe", &spec, 1, memory).map_err(|errors| LawError::Start(sentences(&errors)))?;

    let mut input = io::stdin().lock();
    let mut output = io::stdout().lock();
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        if io::Read::take(&mut input, LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        number += 1;
        if line.len() as u64 == LONGEST_LINE && line.last() != Some(&b'\n') {
            input.skip_until(b'\n')?;
            answer(&mut output, &problem(number, "", "is longer than 16 MiB"))?;
            continue;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        match parse(&line) {
            Ok(input) => answer(&mut output, &json!(control.handle(input)))?,
            Err(error) => answer(&mut output, &problem(number, &error.field, &error.message))?,
        }
    }
}

fn answer(output: &mut impl Write, value: &Value) -> io::Result<()> {
    serde_json::to_writer(&mut *output, value)?;
    output.write_all(b"\n")?;
    output.flush()
}

fn problem(line: u64, field: &str, message: &str) -> Value {
    json!({ "error": { "line": line, "field": field, "message": message } })
}

/// A line is one `Input`; what is seen may also stand there alone, without `{"seen": …}` about it.
fn parse(line: &[u8]) -> Result<Input, FieldError> {
    let value: Value = serde_json::from_slice(line).map_err(|error| FieldError::new("", format!("is no JSON: {error}")))?;
    let bare = value.get("at_ms").is_some() && value.get("items").is_some();
    let value = if bare { json!({ "seen": value }) } else { value };
    let input: Input = serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        // The name of the input is no field of it.
        let field = path.split_once('.').map_or("", |(_, field)| field);
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
