//! One control loop: from what was seen to what must be done, in order. Pure: whoever owns it performs the
//! effects and tells back how they went.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::controllers::{self, Law};
use crate::decision::{Decision, Wish};
use crate::guard::{self, Guarded};
use crate::observation::Observation;
use crate::plugin::{FieldError, PluginSpec, sentences};
use crate::victims;

/// A move that nobody answered for so long is given up, so that a lost answer holds no loop for ever.
const ANSWER_WITHIN_MS: u64 = 60_000;

/// Of the time since the job's start so much may be lost in a crash, with a law that says how much it may be at least.
const SHARE_FORGOTTEN: f64 = 0.02;

/// What a loop is told. Times are milliseconds since the job's start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(clippy::large_enum_variant, reason = "nearly all inputs are the large one, and live for one call")]
pub enum Input {
    Seen(Observation),
    /// The metric or the platform could not be read.
    Blind {
        at_ms: u64,
        why: String,
    },
    Retuned {
        at_ms: u64,
        revision: u32,
        params: Value,
    },
    /// The actuator made it true; also when someone else did, or when another loop's wish won.
    Moved {
        at_ms: u64,
        to: u32,
    },
    Refused {
        at_ms: u64,
        why: String,
    },
}

/// What must be done, in the order in which it is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Comes at every observation; `from == to` when nothing moves.
    Decided(Decision),
    /// Something for people to know.
    Note { text: String },
    /// All that the loop needs to go on after a restart. Comes only when it changed, before a move, and else
    /// as often as the law says.
    Remember(Value),
    /// Must be answered by `Moved` or `Refused`, or be seen to have come true.
    Move { to: u32 },
    /// The job should be stopped: it is late, and its user chose to stop then.
    GiveUp { why: String },
}

impl Input {
    pub fn at_ms(&self) -> u64 {
        match self {
            Self::Seen(seen) => seen.at_ms,
            Self::Blind { at_ms, .. } | Self::Retuned { at_ms, .. } | Self::Moved { at_ms, .. } | Self::Refused { at_ms, .. } => *at_ms,
        }
    }
}

pub struct ControlLoop {
    name: String,
    law: Box<dyn Law>,
    /// In force.
    revision: u32,
    /// Newest that came, also when it was not accepted.
    newest: u32,
    state: State,
    /// A digest of it as it was last given out, and when: a copy would cost as much as the law's step.
    remembered: u64,
    remembered_ms: u64,
    /// Nobody keeps what it would give out.
    forgetful: bool,
    in_flight: Option<InFlight>,
    /// So that a refusal that repeats at every activation is told once.
    refusal: Option<String>,
    /// From the start, told with the first input.
    note: Option<String>,
}

/// The loop's own part of its memory. A move in flight is not in it: the call ended with the process.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    last_at_ms: Option<u64>,
    /// What was true then.
    replicas: Option<u32>,
    cooldown_until_ms: u64,
    saturated: bool,
    blind: bool,
}

/// What is stored.
#[derive(Serialize, Deserialize)]
struct Memory {
    law: Value,
    state: State,
}

#[derive(Debug, Clone, Copy)]
struct InFlight {
    /// What was true when it was first asked for.
    from: u32,
    to: u32,
    since_ms: u64,
}

impl ControlLoop {
    /// Starts a loop, or goes on with what it remembered. A memory that no longer fits is left behind with
    /// a note: it must not stop a job. Errors lie at `kind` or under `params`.
    pub fn new(name: &str, spec: &PluginSpec, revision: u32, memory: Option<Value>) -> Result<Self, Vec<FieldError>> {
        let known = controllers::catalog().iter().any(|entry| entry.kind == spec.kind);
        let prefix = if known { "params" } else { "" };
        // Without its memory first: what is wrong now are the kind and the params alone.
        let fresh = controllers::law(&spec.kind, &spec.params, None)
            .map_err(|errors| errors.into_iter().map(|error| error.under(prefix)).collect::<Vec<_>>())?;
        let restored = memory.map(|memory| {
            let stored: Memory = serde_json::from_value(memory).ok()?;
            Some((controllers::law(&spec.kind, &spec.params, Some(&stored.law)).ok()?, stored.state))
        });
        let (law, state, note) = match restored {
            None => (fresh, State::default(), None),
            Some(Some((law, state))) => (law, state, None),
            Some(None) => {
                let note = format!("Loop {name}: what it remembered does not fit its law any more; it begins afresh.");
                (fresh, State::default(), Some(note))
            }
        };
        let mut this = Self {
            name: name.to_owned(),
            law,
            revision,
            newest: revision,
            state,
            remembered: 0,
            remembered_ms: 0,
            forgetful: false,
            in_flight: None,
            refusal: None,
            note,
        };
        this.remembered = digest(&this.memory());
        Ok(this)
    }

    pub fn handle(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = self.first_words();
        let at_ms = input.at_ms();
        match input {
            Input::Seen(mut seen) => self.see(&mut seen, &mut effects),
            Input::Blind { at_ms, why } => self.blind(at_ms, &why, &mut effects),
            Input::Retuned { revision, params, .. } => self.retuned(revision, &params, &mut effects),
            Input::Moved { at_ms, to } => self.moved(at_ms, to),
            Input::Refused { why, .. } => self.refused(why, &mut effects),
        }
        self.remember(at_ms, &mut effects);
        effects
    }

    /// What `handle` does with an observation, for whoever sees it again at the next tick: nothing is copied, and it
    /// is left as it came.
    pub fn look(&mut self, seen: &mut Observation) -> Vec<Effect> {
        let mut effects = self.first_words();
        let (items, allocation, saturated) = (seen.items, seen.allocation, seen.saturated);
        self.see(seen, &mut effects);
        (seen.items, seen.allocation, seen.saturated) = (items, allocation, saturated);
        self.remember(seen.at_ms, &mut effects);
        effects
    }

    /// Room for a decision and a move, and what was to be told from the start.
    fn first_words(&mut self) -> Vec<Effect> {
        let mut effects = Vec::with_capacity(2);
        effects.extend(self.note.take().map(|text| Effect::Note { text }));
        effects
    }

    /// Gives out no memory from now on: for a loop that is never restored, where writing it down at every tick would
    /// be most of the work.
    pub fn forget(&mut self) {
        self.forgetful = true;
    }

    /// Gives out the memory before a move, and else no more often than the law says: writing it down may
    /// cost more than the step itself.
    fn remember(&mut self, at_ms: u64, effects: &mut Vec<Effect>) {
        if self.forgetful {
            return;
        }
        let place = effects.iter().position(|effect| matches!(effect, Effect::Move { .. }));
        // A law that may lose some of what it learnt may lose more of the more it learnt.
        let every_ms = match self.law.remember_every_ms() {
            0 => 0,
            every_ms => every_ms.max((SHARE_FORGOTTEN * at_ms as f64) as u64),
        };
        let fresh = at_ms.saturating_sub(self.remembered_ms) < every_ms;
        if place.is_none() && fresh {
            return;
        }
        let memory = self.memory();
        let digest = digest(&memory);
        if digest != self.remembered {
            self.remembered = digest;
            self.remembered_ms = at_ms;
            effects.insert(place.unwrap_or(effects.len()), Effect::Remember(memory));
        }
    }

    /// What `Remember` carries, at any moment.
    pub fn memory(&self) -> Value {
        let memory = Memory { law: self.law.memory(), state: self.state.clone() };
        serde_json::to_value(memory).expect("memory is plain data")
    }

    /// The tuning in force.
    pub fn revision(&self) -> u32 {
        self.revision
    }

    /// The params in force, complete with defaults.
    pub fn params(&self) -> Value {
        self.law.params()
    }

    fn see(&mut self, seen: &mut Observation, effects: &mut Vec<Effect>) {
        if !seen.metric().is_finite() {
            self.blind(seen.at_ms, "the metric is not a finite number", effects);
            return;
        }
        if self.state.last_at_ms.is_some_and(|last| seen.at_ms <= last) {
            return;
        }
        let at_ms = seen.at_ms;
        self.state.last_at_ms = Some(at_ms);
        self.state.blind = false;
        seen.complete();
        self.settle(seen, effects);

        // While a move is on its way, its goal is where the loop stands: an incremental law must not
        // ask again for what is already coming.
        let truth = seen.allocated();
        let from = self.in_flight.map_or(truth, |in_flight| in_flight.to);
        self.state.replicas = Some(truth);
        seen.allocation = Some(from);
        seen.saturated |= self.state.saturated;

        let mut wish = self.law.step(seen);
        if let Some(why) = wish.give_up.take() {
            effects.push(Effect::GiveUp { why });
        }
        let cooling = at_ms < self.state.cooldown_until_ms;
        let guarded = guard::guard(self.law.guards(), wish.value, seen, from, cooling);
        self.state.saturated = guarded.saturated();

        effects.push(Effect::Decided(self.decision(wish, &guarded, from, seen)));
        if guarded.to != from {
            let first = self.in_flight.map_or(truth, |in_flight| in_flight.from);
            self.in_flight = Some(InFlight { from: first, to: guarded.to, since_ms: at_ms });
            effects.push(Effect::Move { to: guarded.to });
        }
    }

    /// Takes a move that is seen to be true for answered, and gives up one that was not answered in time.
    fn settle(&mut self, seen: &Observation, effects: &mut Vec<Effect>) {
        let Some(InFlight { to, since_ms, .. }) = self.in_flight else { return };
        if seen.allocated() == to {
            self.moved(seen.at_ms, to);
            return;
        }
        if seen.at_ms.saturating_sub(since_ms) < ANSWER_WITHIN_MS {
            return;
        }
        self.in_flight = None;
        let truth = seen.allocated();
        if truth != to {
            let text = format!(
                "Loop {}: the move to {to} was not answered within {} s; it goes on from {}, which is true now.",
                self.name,
                ANSWER_WITHIN_MS / 1000,
                truth
            );
            effects.push(Effect::Note { text });
        }
    }

    fn decision(&self, wish: Wish, guarded: &Guarded, from: u32, seen: &Observation) -> Decision {
        let Wish { mut why, mut terms, .. } = wish;
        // JSON has no other numbers than finite ones.
        terms.retain(|term| term.value.is_finite());
        if !guarded.changed.is_empty() {
            let names = guarded.changed.join(", ").replace('_', " ");
            let verb = if guarded.to == from { "Held at" } else { "Cut to" };
            why.push_str(&format!(" {verb} {} by {names}.", guarded.to));
        }
        Decision {
            at_ms: seen.at_ms,
            from,
            to: guarded.to,
            wanted: guard::finite(wish.value, from),
            seen: seen.metric(),
            terms,
            guards: guarded.changed.iter().map(|name| (*name).to_owned()).collect(),
            why,
            revision: self.revision,
            forecast: wish.forecast,
            drain: if guarded.to < from { victims::choose(seen, from - guarded.to) } else { Vec::new() },
        }
    }

    /// Missing metrics hold the position; each blindness is told once.
    fn blind(&mut self, at_ms: u64, why: &str, effects: &mut Vec<Effect>) {
        let stale = self.state.last_at_ms.is_some_and(|last| at_ms < last);
        if self.state.blind || stale {
            return;
        }
        self.state.blind = true;
        effects.push(Effect::Note { text: format!("Loop {} is blind and holds: {why}.", self.name) });
    }

    /// New params, the same memory. What is not newer than the newest is known already.
    fn retuned(&mut self, revision: u32, params: &Value, effects: &mut Vec<Effect>) {
        if revision <= self.newest {
            return;
        }
        self.newest = revision;
        match self.law.retune(params) {
            Ok(()) => self.revision = revision,
            Err(errors) => {
                let text = format!(
                    "Loop {}: revision {revision} was not accepted, revision {} stays: {}.",
                    self.name,
                    self.revision,
                    sentences(&errors)
                );
                effects.push(Effect::Note { text });
            }
        }
    }

    /// The cooldown runs from when the move was true, with the cooldown in force at that time. An answer
    /// that nothing changed, because another loop's wish won, starts none.
    fn moved(&mut self, at_ms: u64, to: u32) {
        let before = self.in_flight.take().map(|in_flight| in_flight.from).or(self.state.replicas);
        self.refusal = None;
        if before == Some(to) {
            return;
        }
        // A cast saturates, and the params bound it far below.
        let cooldown_ms = (self.law.guards().cooldown_s * 1000.0).round() as u64;
        self.state.cooldown_until_ms = self.state.cooldown_until_ms.max(at_ms.saturating_add(cooldown_ms));
    }

    fn refused(&mut self, why: String, effects: &mut Vec<Effect>) {
        let goal = self.in_flight.take().map_or_else(String::new, |in_flight| format!(" to {}", in_flight.to));
        if self.refusal.as_ref() == Some(&why) {
            return;
        }
        effects.push(Effect::Note { text: format!("Loop {}: the move{goal} was refused: {why}.", self.name) });
        self.refusal = Some(why);
    }
}

/// Tells two memories apart; only within one process, so its bits may differ elsewhere.
fn digest(memory: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    memory.hash(&mut hasher);
    hasher.finish()
}
