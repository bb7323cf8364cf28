//! The law as a WebAssembly module that imports nothing: a host writes a line into the module's room, calls, and reads
//! the answer from where it is told.

#![expect(unsafe_code, reason = "an export needs a name that stays, which the compiler counts as unsafe; nothing else here is")]

use std::cell::RefCell;

use control::control_loop::ControlLoop;
use control::pipe::Pipe;
use control::plugin::{FieldError, PluginSpec, sentences};
use control::simulator::run::{self, Prepared};
use control::simulator::scenario::Scenario;

#[derive(Default)]
struct Module {
    room: Vec<u8>,
    pipe: Option<Pipe>,
}

thread_local! {
    /// A module has one thread, and one loop at a time.
    static MODULE: RefCell<Module> = RefCell::default();
}

/// Makes room for what comes in, and says where.
#[unsafe(no_mangle)]
pub extern "C" fn room(bytes: usize) -> *mut u8 {
    MODULE.with_borrow_mut(|module| {
        module.room.resize(bytes, 0);
        module.room.as_mut_ptr()
    })
}

/// Where the answer is; the call before said how long.
#[unsafe(no_mangle)]
pub extern "C" fn answer() -> *const u8 {
    MODULE.with_borrow(|module| module.room.as_ptr())
}

/// Starts a loop from `{"kind", "params"}`. The answer is empty, or what is wrong.
#[unsafe(no_mangle)]
pub extern "C" fn begin() -> usize {
    answered(|module| {
        let spec: PluginSpec = match serde_json::from_slice(&module.room) {
            Ok(spec) => spec,
            Err(error) => return error.to_string(),
        };
        match ControlLoop::new("pipe", &spec, 1, None) {
            Ok(control) => {
                module.pipe = Some(Pipe::new(control));
                String::new()
            }
            Err(errors) => sentences(&errors),
        }
    })
}

/// One line for the loop; the answer is empty for a blank one.
#[unsafe(no_mangle)]
pub extern "C" fn take() -> usize {
    answered(|module| module.pipe.as_mut().and_then(|pipe| pipe.take(&module.room)).unwrap_or_default())
}

/// Plays a scenario under its own law; the answer is the result, or what is wrong.
#[unsafe(no_mangle)]
pub extern "C" fn simulate() -> usize {
    answered(|module| {
        let text = String::from_utf8_lossy(&module.room);
        let played = Scenario::parse(&text).and_then(|scenario| {
            let spec = scenario.controller.clone();
            run::simulate(&Prepared::new(scenario), &spec, None)
        });
        let shown = played.and_then(|result| serde_json::to_string(&result).map_err(|error| vec![FieldError::new("", error.to_string())]));
        shown.unwrap_or_else(|errors| sentences(&errors))
    })
}

fn answered(work: impl FnOnce(&mut Module) -> String) -> usize {
    MODULE.with_borrow_mut(|module| {
        module.room = work(module).into_bytes();
        module.room.len()
    })
}
