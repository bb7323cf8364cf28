//! How a replica ended, and the words for it.

use std::{os::unix::process::ExitStatusExt, process::ExitStatus};

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    Code(i32),
    Signal(i32),
    /// Only a parent is told; replicas that an earlier server started end like this.
    Unknown,
    /// Its memory limit was reached.
    OutOfMemory,
    /// The cluster needed its node for others, or lost it.
    Evicted,
    /// Nobody here asked for it: by hand, or by a controller that chose the wrong one.
    Deleted,
    /// It took longer than it was allowed to.
    Overdue,
    /// The node would not run it.
    Refused,
}

impl Exit {
    /// The worker itself said that all is well.
    pub fn clean(self) -> bool {
        self == Self::Code(0)
    }

    /// For people, such as `exit code 1` or `killed by signal 9 (KILL)`.
    pub fn words(self) -> String {
        match self {
            Self::Code(126) => "exit code 126 (a command cannot be executed)".to_owned(),
            Self::Code(127) => "exit code 127 (a command was not found)".to_owned(),
            // Shells report a child's signal so.
            Self::Code(code @ 129..=192) => match signal_name(code - 128) {
                Some(name) => format!("exit code {code} (as after signal {}, {name})", code - 128),
                None => format!("exit code {code}"),
            },
            Self::Code(code) => format!("exit code {code}"),
            Self::Signal(signal) => match signal_name(signal) {
                Some(name) => format!("killed by signal {signal} ({name})"),
                None => format!("killed by signal {signal}"),
            },
            Self::OutOfMemory => "killed, as it used more memory than its limit".to_owned(),
            Self::Evicted => "evicted from its node by the cluster".to_owned(),
            Self::Deleted => "its pod was deleted, and not by this server".to_owned(),
            Self::Overdue => "ended by the cluster, as it took longer than it may".to_owned(),
            Self::Refused => "refused by its node before it ran".to_owned(),
            Self::Unknown => "ended, how is not known (it was started before the server's last start)".to_owned(),
        }
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Unknown,
        }
    }
}

/// Signals by which programs end, without `SIG`. The numbers are those of Linux on every usual processor.
fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "HUP",
        2 => "INT",
        3 => "QUIT",
        4 => "ILL",
        5 => "TRAP",
        6 => "ABRT",
        7 => "BUS",
        8 => "FPE",
        9 => "KILL",
        10 => "USR1",
        11 => "SEGV",
        12 => "USR2",
        13 => "PIPE",
        14 => "ALRM",
        15 => "TERM",
        24 => "XCPU",
        25 => "XFSZ",
        31 => "SYS",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn ends_are_told_in_words() {
        assert_eq!(Exit::Code(1).words(), "exit code 1");
        assert_eq!(Exit::Signal(9).words(), "killed by signal 9 (KILL)");
        assert_eq!(Exit::Signal(40).words(), "killed by signal 40");
        assert_eq!(Exit::Code(137).words(), "exit code 137 (as after signal 9, KILL)");
        assert!(Exit::Code(0).clean() && !Exit::Unknown.clean());
    }
}
