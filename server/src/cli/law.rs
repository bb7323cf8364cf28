//! `asperathos law`: one control loop on a pipe. An input a line, the effects of it a line back; a bad line gets an
//! error and changes nothing. Formats: docs/law.md.

use std::io::{self, BufRead, Write};

use clap::Args;
use control::control_loop::ControlLoop;
use control::pipe::{LONGEST_LINE, Pipe};
use control::plugin::{PluginSpec, sentences};

use super::input::{self, InputError};

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
    let control = ControlLoop::new("pipe", &spec, 1, memory).map_err(|errors| LawError::Start(sentences(&errors)))?;

    serve(Pipe::new(control), &mut io::stdin().lock(), &mut io::stdout().lock())?;
    Ok(())
}

/// Until the end of input; every answer is flushed at once.
fn serve(mut pipe: Pipe, input: &mut impl BufRead, output: &mut impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if io::Read::take(&mut *input, LONGEST_LINE as u64).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let answer = if line.len() == LONGEST_LINE && line.last() != Some(&b'\n') {
            input.skip_until(b'\n')?;
            Some(pipe.skip())
        } else {
            pipe.take(&line)
        };
        if let Some(mut answer) = answer {
            answer.push('\n');
            output.write_all(answer.as_bytes())?;
            output.flush()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use control::plugin::PluginSpec;
    use serde_json::{Value, json};

    use super::*;

    fn answers(input: &[u8]) -> Vec<Value> {
        let control = ControlLoop::new("pipe", &PluginSpec::new("threshold", json!({})), 1, None).expect("a law");
        let mut output = Vec::new();
        serve(Pipe::new(control), &mut &*input, &mut output).expect("memory does not break");
        output.split_inclusive(|byte| *byte == b'\n').map(|line| serde_json::from_slice(line).expect("JSON")).collect()
    }

    /// A good line, with so many spaces in it.
    fn good(second: u64, spaces: usize) -> Vec<u8> {
        let text = format!(r#"{{"at_ms": {second}000, {} "items": {{}}, "bounds": {{"min": 1, "max": 3}}}}"#, " ".repeat(spaces));
        text.into_bytes()
    }

    #[test]
    fn a_line_beyond_the_longest_is_skipped_and_the_next_one_is_taken() {
        let bare = good(1, 0).len();
        let longest = good(1, LONGEST_LINE - 1 - bare);
        let longer = good(2, LONGEST_LINE - bare);
        let said = answers(&[longest, longer, good(3, 0)].join(&b'\n'));
        assert_eq!(said.len(), 3);
        assert!(said[0][0]["decided"].is_object(), "{}", said[0]);
        assert_eq!(said[1], json!({"error": {"line": 2, "field": "", "message": "is longer than 16 MiB"}}));
        assert_eq!(said[2][0]["decided"]["at_ms"], 3000);
    }

    #[test]
    fn blank_lines_count_and_have_no_answer() {
        let said = answers(b"\n  \r\nrubbish");
        assert_eq!(said.len(), 1);
        assert_eq!(said[0]["error"]["line"], 3);
    }
}
