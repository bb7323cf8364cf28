//! The flight recorder: every line that a control loop was told, with a fingerprint of what it answered, so that
//! anybody can ask the same law again, or another one.

pub mod pack;
pub mod page;
pub mod replay;
pub mod what_if;

use control::control_loop::{ControlLoop, Effect, Input};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Lines after which a loop writes down where it stands, so that a recording whose beginning is gone can be read.
pub const STAND_EVERY: u32 = 128;

/// One line of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The loop starts: a new job, or a server that takes a job up again.
    Began(Stand),
    /// Where a loop stands in the middle.
    Stood(Stand),
    /// What it was told, and the fingerprint of its answer.
    Told { input: Input, said: u32 },
}

/// All that a loop needs to go on from somewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stand {
    pub kind: String,
    pub revision: u32,
    pub params: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Value>,
}

/// Writes the lines of one loop.
#[derive(Debug)]
pub struct Recorder {
    kind: String,
    told: u32,
    waiting: Vec<String>,
}

impl Recorder {
    /// Begins with the loop as it was started.
    pub fn new(stand: Stand) -> Self {
        let kind = stand.kind.clone();
        let mut this = Self { kind, told: 0, waiting: Vec::new() };
        this.write(&Line::Began(stand));
        this
    }

    /// Tells the loop, and writes down both sides.
    pub fn tell(&mut self, control: &mut ControlLoop, input: Input) -> Vec<Effect> {
        if self.told == STAND_EVERY {
            self.told = 0;
            let stand =
                Stand { kind: self.kind.clone(), revision: control.revision(), params: control.params(), memory: Some(control.memory()) };
            self.write(&Line::Stood(stand));
        }
        self.told += 1;
        let effects = control.handle(input.clone());
        self.write(&Line::Told { input, said: fingerprint(&effects) });
        effects
    }

    /// What was written since the last time.
    pub fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.waiting)
    }

    fn write(&mut self, line: &Line) {
        match serde_json::to_string(line) {
            Ok(text) => self.waiting.push(text),
            Err(error) => tracing::warn!("a line of a recording could not be written: {error}"),
        }
    }
}

/// CRC-32 of an answer as `asperathos law` would print it. When a memory is given out is left aside: that depends on
/// when the process began, and the decisions do not.
pub fn fingerprint(effects: &[Effect]) -> u32 {
    let said: Vec<&Effect> = effects.iter().filter(|effect| !matches!(effect, Effect::Remember(_))).collect();
    serde_json::to_vec(&said).map_or(0, |bytes| crc32fast::hash(&bytes))
}
