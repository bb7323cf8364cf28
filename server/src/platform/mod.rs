//! Where replicas run. A platform starts, finds, measures and ends replicas; it decides nothing.
//! A new one is a file or folder beside `local`, and a line in `catalog`, `check` and `build`.

pub mod backoff;
mod exit;
pub mod local;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use control::plugin::{FieldError, KindInfo, Plugin, PluginSpec, describe};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use exit::Exit;
use local::Local;

/// What the reconciler asks of a place where replicas run. Asking twice is harmless everywhere.
#[async_trait]
pub trait Platform: Send + Sync {
    /// Starts one replica, or answers with the living one of the same id: a replica is never doubled.
    /// Everything needed to find it again is in the handle, and in the environment of the process.
    ///
    /// # Errors
    /// When the params are not acceptable here, or its folder, its logs or its program fail.
    async fn start(&self, launch: &Launch) -> Result<Handle, PlatformError>;

    /// Is the process of this handle still the one that was started? False when it is gone or its pid was reused.
    /// A living one that an earlier server started is adopted by this question: `reap` will tell its end.
    fn alive(&self, handle: &Handle) -> bool;

    /// Finds and adopts a replica whose handle was never stored, by its mark in the environment.
    fn find(&self, replica: &str) -> Option<Handle>;

    /// Replicas that ended since the last call, with how they ended. Adopted ones end as `Exit::Unknown`.
    /// What an ended replica left running is killed. A replica under `end` is told when all of it is gone.
    fn reap(&self) -> Vec<(String, Exit)>;

    /// What each whole tree used so far and holds now, in the order of the handles. One reading for all.
    fn usage(&self, handles: &[Handle]) -> Vec<Usage>;

    /// TERM to its first process, which may finish what it is at; after half of `grace`, or when it is gone,
    /// TERM to the whole tree; KILL after `grace`. Returns when every process of it is gone.
    ///
    /// # Errors
    /// When processes cannot be read, or some survive even KILL (stuck in the kernel, or of another user).
    async fn end(&self, handle: &Handle, grace: Duration) -> Result<(), PlatformError>;

    /// CONT to every process of a job.
    ///
    /// # Errors
    /// When processes cannot be read.
    async fn wake(&self, job: &str) -> Result<(), PlatformError>;

    /// KILL to every process of a job, known or not. Returns how many there were, when all are gone.
    ///
    /// # Errors
    /// As `end`.
    async fn sweep(&self, job: &str) -> Result<usize, PlatformError>;

    /// At most 64 KiB of what a replica printed, from a byte offset; `None` asks for the newest part.
    ///
    /// # Errors
    /// When there is no such replica, or its log cannot be read.
    fn log(&self, replica: &str, stream: LogStream, from: Option<u64>) -> Result<LogChunk, PlatformError>;

    /// Keeps every log within its limit. To be called about once a second.
    fn trim(&self);

    /// How long a replica with these checked params may take from TERM to its end.
    fn grace(&self, params: &Value) -> Duration;
}

/// One replica to start.
#[derive(Debug, Clone)]
pub struct Launch {
    pub job: String,
    /// `<job>-r<N>`.
    pub replica: String,
    /// Of the platform's kind, as `check` accepted them.
    pub params: Value,
    /// Where its queue listens; every replica has an address of its own.
    pub redis_host: IpAddr,
    pub redis_port: u16,
    /// From monitors and the like; stronger than the user's own variables, weaker than ours.
    pub extra_env: Vec<(String, String)>,
}

/// Names one process for good: a pid alone may be reused, a pid with its start time is not.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Handle {
    pub replica: String,
    pub job: String,
    pub pid: u32,
    /// Clock ticks from the machine's boot to the start of the process (`/proc/<pid>/stat`, field 22).
    pub start_ticks: u64,
}

/// What the whole tree of a replica takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU seconds used so far. Never falls while this server lives.
    pub cpu_s: f64,
    /// Resident now; memory shared between its processes counts in each.
    pub memory_bytes: u64,
    pub processes: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    Stdout,
    Stderr,
}

/// A piece of a log. Offsets are bytes since the start of the replica, also after the head was cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogChunk {
    /// Later than asked when the head was cut.
    pub from: u64,
    /// Where to go on reading.
    pub next: u64,
    pub text: String,
}

#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    #[error("replica {replica} cannot be started: {}", sentences(errors))]
    Params { replica: String, errors: Vec<FieldError> },
    #[error("{name:?} is not the name of a replica")]
    Name { name: String },
    #[error("could not make the folder {}", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        cause: std::io::Error,
    },
    #[error("could not open the logs of replica {replica}")]
    OpenLogs {
        replica: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("replica {replica} has no log")]
    NoLog { replica: String },
    #[error("could not read the log of replica {replica}")]
    ReadLog {
        replica: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("could not run {program}")]
    Run {
        program: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("could not read the process of replica {replica} after its start")]
    ReadStart {
        replica: String,
        #[source]
        cause: procfs::ProcError,
    },
    #[error("could not read the processes of this machine")]
    ReadProcesses {
        #[source]
        cause: procfs::ProcError,
    },
    #[error("processes of {of} survive KILL: {pids:?}")]
    Survivors { of: String, pids: Vec<i32> },
    #[error("the work on {of} was broken off")]
    Broken {
        of: String,
        #[source]
        cause: tokio::task::JoinError,
    },
}

fn sentences(errors: &[FieldError]) -> String {
    let each: Vec<String> = errors.iter().map(|e| format!("{}: {}", e.field, e.message)).collect();
    each.join("; ")
}

/// Every platform that a submission can choose.
pub fn catalog() -> Vec<KindInfo> {
    vec![describe::<Local>()]
}

/// Checks a choice of platform against this machine too: programs and folders must exist.
/// Answers with the params in full, defaults included.
///
/// # Errors
/// All problems at once, by their path in the spec: `kind`, `params.command`.
pub fn check(spec: &PluginSpec) -> Result<Value, Vec<FieldError>> {
    let checked = match spec.kind.as_str() {
        Local::KIND => local::params::check(&spec.params).map(|params| serde_json::to_value(params).unwrap_or_default()),
        other => {
            return Err(vec![FieldError::new("kind", format!("There is no platform {other:?}; choose {}.", Local::KIND))]);
        }
    };
    checked.map_err(|errors| errors.into_iter().map(|error| error.under("params")).collect())
}

/// The platform of a kind, with its files under `data_dir`. Build each once: it owns its child processes.
pub fn build(kind: &str, data_dir: &Path) -> Option<Arc<dyn Platform>> {
    match kind {
        Local::KIND => Some(Arc::new(Local::new(data_dir))),
        _ => None,
    }
}
