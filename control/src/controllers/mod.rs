//! Control laws: from an observation to a wish with its reasons. One file and one line in `catalog` a law.

pub mod deadline;
pub mod pid;
pub mod progress_tendency;
pub mod proportional;
pub mod proportional_derivative;
pub mod scripted;
pub mod stream;
pub mod target;
pub mod threshold;
mod trigger;
mod words;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::decision::Wish;
use crate::guard::GuardParams;
use crate::observation::Observation;
use crate::plugin::{self, FieldError, KindInfo, Plugin};

/// A law: two data types and one function. The same arguments give the same answer.
pub trait Controller: Plugin {
    /// What the law remembers between two steps; stored and restored after a restart. Always finite,
    /// for JSON knows no other numbers.
    type Memory: Serialize + DeserializeOwned + Default + Clone + Send;

    fn step(params: &Self::Params, memory: &mut Self::Memory, seen: &Observation) -> Wish;

    /// The guards are part of every law's params.
    fn guards(params: &Self::Params) -> &GuardParams;

    /// How much of what it learnt may be lost in a crash; later in a job, a fiftieth of its time. Zero: nothing, it is
    /// stored at every change.
    const REMEMBER_EVERY_MS: u64 = 0;
}

/// Every law that there is.
pub fn catalog() -> &'static [Entry] {
    static CATALOG: [Entry; 9] = [
        entry::<deadline::Deadline>(),
        entry::<pid::Pid>(),
        entry::<progress_tendency::ProgressTendency>(),
        entry::<proportional::Proportional>(),
        entry::<proportional_derivative::ProportionalDerivative>(),
        entry::<scripted::Scripted>(),
        entry::<stream::Stream>(),
        entry::<target::Target>(),
        entry::<threshold::Threshold>(),
    ];
    &CATALOG
}

/// A law in the catalog, known by name only.
pub struct Entry {
    pub kind: &'static str,
    describe: fn() -> KindInfo,
    start: fn(&Value, Option<&Value>) -> Started,
}

/// A running law, or everything that is wrong with what it was to start from.
type Started = Result<Box<dyn Law>, Vec<FieldError>>;

impl Entry {
    pub fn describe(&self) -> KindInfo {
        (self.describe)()
    }
}

/// A law with its params and its memory, whatever their types.
pub trait Law: Send {
    fn step(&mut self, seen: &Observation) -> Wish;

    /// Takes new params and keeps the memory. On errors, each by its field of the params, nothing changes.
    fn retune(&mut self, params: &Value) -> Result<(), Vec<FieldError>>;

    fn memory(&self) -> Value;

    /// The params in force, complete with defaults.
    fn params(&self) -> Value;

    fn guards(&self) -> &GuardParams;

    fn remember_every_ms(&self) -> u64;
}

/// What forms and docs need to know of every law.
pub fn describe() -> Vec<KindInfo> {
    catalog().iter().map(Entry::describe).collect()
}

/// Starts a law by its name. Errors lie at fields of the params (put them `under("params")` for a
/// `PluginSpec`), at `kind` when there is no such law, or at `memory` when what was stored does not fit it.
pub fn law(kind: &str, params: &Value, memory: Option<&Value>) -> Started {
    match catalog().iter().find(|entry| entry.kind == kind) {
        Some(entry) => (entry.start)(params, memory),
        None => {
            let known: Vec<_> = catalog().iter().map(|entry| entry.kind).collect();
            Err(vec![FieldError::new("kind", format!("must be one of {}, was “{kind}”", known.join(", ")))])
        }
    }
}

const fn entry<C: Controller>() -> Entry {
    Entry { kind: C::KIND, describe: plugin::describe::<C>, start: start::<C> }
}

struct Running<C: Controller> {
    params: C::Params,
    memory: C::Memory,
}

fn start<C: Controller>(params: &Value, memory: Option<&Value>) -> Started {
    let params = plugin::parse::<C>(params)?;
    let memory = match memory {
        None => C::Memory::default(),
        Some(stored) => {
            C::Memory::deserialize(stored).map_err(|cause| vec![FieldError::new("memory", format!("could not be read: {cause}"))])?
        }
    };
    Ok(Box::new(Running::<C> { params, memory }))
}

impl<C: Controller> Law for Running<C> {
    fn step(&mut self, seen: &Observation) -> Wish {
        C::step(&self.params, &mut self.memory, seen)
    }

    fn retune(&mut self, params: &Value) -> Result<(), Vec<FieldError>> {
        self.params = plugin::parse::<C>(params)?;
        Ok(())
    }

    fn memory(&self) -> Value {
        serde_json::to_value(&self.memory).expect("memory is plain data")
    }

    fn params(&self) -> Value {
        serde_json::to_value(&self.params).expect("params are plain data")
    }

    fn guards(&self) -> &GuardParams {
        C::guards(&self.params)
    }

    fn remember_every_ms(&self) -> u64 {
        C::REMEMBER_EVERY_MS
    }
}
