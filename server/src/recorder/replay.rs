//! The same law asked again: line by line, with the answers of then beside those of now.

use control::control_loop::{ControlLoop, Effect, Input};
use control::plugin::{FieldError, PluginSpec};
use serde_json::Value;

use super::{Line, Stand, fingerprint};

/// A recording that is played again.
pub struct Replay {
    name: String,
    control: Option<ControlLoop>,
    pub count: Count,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Count {
    /// What the loop was told.
    pub inputs: u64,
    /// Decisions among the answers.
    pub decisions: u64,
    /// Of those that moved something.
    pub moves: u64,
    /// Times that the loop began, the first one too.
    pub starts: u64,
    /// Answers that are other bytes than they were.
    pub different: u64,
    /// When the first of them was, ms since the job's start.
    pub first_different_ms: Option<u64>,
}

impl Replay {
    pub fn new(loop_name: &str) -> Self {
        Self { name: loop_name.to_owned(), control: None, count: Count::default() }
    }

    /// Plays one line: what the loop was told, and what it answers now. `None` for a line that asks nothing of it.
    ///
    /// # Errors
    /// A law or params that this version does not know.
    pub fn play<'a>(&mut self, line: &'a Line) -> Result<Option<(&'a Input, Vec<Effect>)>, Vec<FieldError>> {
        match line {
            Line::Began(stand) => {
                self.count.starts += 1;
                self.control = Some(self.start(stand)?);
                Ok(None)
            }
            Line::Stood(stand) => {
                if self.control.is_none() {
                    self.control = Some(self.start(stand)?);
                }
                Ok(None)
            }
            Line::Told { input, said } => {
                // Before the first place to stand on nothing can be said.
                let Some(control) = &mut self.control else { return Ok(None) };
                let effects = control.handle(input.clone());
                let same = fingerprint(&effects) == *said;
                self.counted(input, &effects, same);
                Ok(Some((input, effects)))
            }
        }
    }

    fn start(&self, stand: &Stand) -> Result<ControlLoop, Vec<FieldError>> {
        let spec = PluginSpec::new(&stand.kind, Value::clone(&stand.params));
        ControlLoop::new(&self.name, &spec, stand.revision, stand.memory.clone())
    }

    fn counted(&mut self, input: &Input, effects: &[Effect], same: bool) {
        let count = &mut self.count;
        count.inputs += 1;
        for effect in effects {
            match effect {
                Effect::Decided(_) => count.decisions += 1,
                Effect::Move { .. } => count.moves += 1,
                Effect::Note { .. } | Effect::Remember(_) | Effect::GiveUp { .. } => {}
            }
        }
        if !same {
            count.different += 1;
            count.first_different_ms.get_or_insert(input.at_ms());
        }
    }
}
