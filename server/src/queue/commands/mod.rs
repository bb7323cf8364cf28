//! The commands: one table, one file a family. They change the state under its lock and never wait themselves.

mod generic;
mod lists;
mod places;
pub(super) mod scripts;
mod session;
mod strings;
mod worker;

use bytes::Bytes;

pub(super) use self::session::Session;
use super::{error::QueueError, flow::Taker, keys::WrongType, state::State, wire::Reply};

/// What a command may use.
pub(super) struct Call<'a> {
    pub(super) state: &'a mut State,
    pub(super) session: &'a mut Session,
    /// Milliseconds since 1970, the same for a whole batch.
    pub(super) now: i64,
    /// False within a transaction, where nothing waits.
    pub(super) may_wait: bool,
}

/// What comes of a command.
#[derive(Debug)]
pub(super) enum Outcome {
    Reply(Reply),
    /// Nothing to take yet: try again when something arrives, and answer `nil` after so many seconds (0: never).
    Wait {
        seconds: f64,
        nil: Reply,
        for_items: bool,
    },
    /// Answer OK and close the connection.
    Close,
}

/// Why a command was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("ERR wrong number of arguments for '{0}' command")]
    Arguments(String),
    #[error("WRONGTYPE Operation against a key holding the wrong kind of value")]
    WrongType,
    #[error("ERR value is not an integer or out of range")]
    NotInteger,
    #[error("ERR syntax error")]
    Syntax,
    #[error("ERR {0}")]
    Refused(String),
    /// With its own error code.
    #[error("{0}")]
    Coded(String),
    #[error("ERR the queue failed: {0}")]
    Queue(#[from] QueueError),
}

impl From<WrongType> for Fault {
    fn from(_: WrongType) -> Self {
        Self::WrongType
    }
}

type Run = Result<Outcome, Fault>;

/// A command with how many arguments it takes, its name not counted.
struct Command {
    run: fn(&mut Call<'_>, &[Bytes]) -> Run,
    least: usize,
    most: usize,
}

const MANY: usize = usize::MAX;

const fn command(run: fn(&mut Call<'_>, &[Bytes]) -> Run, least: usize, most: usize) -> Option<Command> {
    Some(Command { run, least, most })
}

fn find(name: &str) -> Option<Command> {
    lists::find(name)
        .or_else(|| strings::find(name))
        .or_else(|| worker::find(name))
        .or_else(|| generic::find(name))
        .or_else(|| session::find(name))
        .or_else(|| scripts::find(name))
}

/// Runs one command; within a transaction, queues it.
pub(super) fn dispatch(call: &mut Call<'_>, arguments: Vec<Bytes>) -> Outcome {
    let Some(name) = arguments.first() else {
        return Outcome::Reply(Reply::Error("ERR empty command".to_owned()));
    };
    let name = String::from_utf8_lossy(name).to_ascii_uppercase();
    let found = find(&name).ok_or_else(|| unknown(&name)).and_then(|command| {
        let count = arguments.len() - 1;
        if (command.least..=command.most).contains(&count) { Ok(command) } else { Err(Fault::Arguments(name.to_ascii_lowercase())) }
    });
    let run = match found {
        Ok(_) if call.session.queues(&name) => return call.session.queue(arguments),
        Ok(command) => (command.run)(call, &arguments[1..]),
        Err(fault) => {
            call.session.spoil();
            Err(fault)
        }
    };
    run.unwrap_or_else(|fault| Outcome::Reply(Reply::Error(one_line(&fault.to_string()))))
}

fn unknown(name: &str) -> Fault {
    let name: String = name.chars().take(64).collect();
    Fault::Refused(format!(
        "unknown command '{name}': a job's queue speaks the string, list, transaction and connection commands \
         that workers use; what needs more needs a Redis of its own"
    ))
}

/// Error replies are lines: text of clients must not end them early.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

impl Call<'_> {
    fn taker(&self) -> Taker {
        Taker { replica: self.session.replica, session: self.session.id, now: self.now }
    }
}

fn reply(reply: Reply) -> Run {
    Ok(Outcome::Reply(reply))
}

fn int(argument: &Bytes) -> Result<i64, Fault> {
    std::str::from_utf8(argument).ok().and_then(|text| text.parse().ok()).ok_or(Fault::NotInteger)
}

/// Seconds to wait, 0 for ever.
fn timeout(argument: &Bytes) -> Result<f64, Fault> {
    let seconds: Option<f64> = std::str::from_utf8(argument).ok().and_then(|text| text.parse().ok());
    match seconds {
        Some(seconds) if seconds < 0.0 => Err(Fault::Refused("timeout is negative".to_owned())),
        // 30 years: longer ones could not be added to a clock.
        Some(seconds) if seconds.is_finite() => Ok(seconds.min(1e9)),
        _ => Err(Fault::Refused("timeout is not a float or out of range".to_owned())),
    }
}
