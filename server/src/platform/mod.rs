//! Where replicas run. A platform starts, finds, measures and ends replicas; it decides nothing.
//! A new one is a file or folder beside `local`, and a line in `catalog`, `check` and `build`.

pub mod backoff;
mod exit;
mod handle;
mod kubejobs;
pub mod local;
mod logs;
mod read;
pub mod replica_id;
mod variables;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use control::plugin::{FieldError, KindInfo, Plugin, PluginSpec, describe};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::DropGuard;

pub use exit::Exit;
pub use handle::{Handle, Place};
use kubejobs::{Adopted, Kubejobs};
pub use kubejobs::{Candidate, ClusterSettings, Clusters, Entry, Keeper, OWN, Standing};
use local::Local;

use crate::queue::Queue;

/// What the reconciler asks of a place where replicas run. Asking twice is harmless everywhere.
#[async_trait]
pub trait Platform: Send + Sync {
    /// Opens a replica's way to its queue, before it starts. Which replica calls is the platform's to know:
    /// by the address that it calls, or by the address that it calls from. `params` as for `start`; `stored` is the address of a former
    /// life, which its worker has in its environment: it is that one or none.
    ///
    /// # Errors
    /// When no address can be had.
    async fn door(&self, replica: &str, params: &Value, queue: &Arc<Queue>, stored: Option<SocketAddr>) -> io::Result<Door>;

    /// Asks the place itself whether it would take a job of these checked params, where it can be asked. Changes nothing.
    ///
    /// # Errors
    /// All that it would refuse, by the path in the platform's spec.
    async fn rehearse(&self, _job: &str, _params: &Value) -> Result<Option<Found>, Vec<FieldError>> {
        Ok(None)
    }

    /// Why a job can never go on, in whole sentences, where what it controls was taken away or has failed.
    fn lost(&self, _job: &str) -> Option<String> {
        None
    }

    /// Whether the replicas are somebody else's, who has them back when the job ends; then with what is to be said of
    /// those that are to go.
    fn lent(&self) -> Option<&'static str> {
        None
    }

    /// Starts one replica, or answers with the living one of the same id: a replica is never doubled.
    /// Everything needed to find it again is in the handle, and in a mark that the replica itself bears.
    ///
    /// # Errors
    /// When the params are not acceptable here, or its folder, its logs or its program fail.
    async fn start(&self, launch: &Launch) -> Result<Handle, PlatformError>;

    /// Is what this handle names still what was started? A living one that an earlier server started is adopted
    /// by this question: `reap` will tell its end. Where that cannot be known at once, it lives until `reap` says otherwise.
    fn alive(&self, handle: &Handle, params: &Value) -> bool;

    /// Finds and adopts a replica of these params whose handle was never stored, by its mark.
    fn find(&self, replica: &str, params: &Value) -> Option<Handle>;

    /// Where a replica runs, for people: `process 4711`, `pod kj-1-abcde`. `None` while it has no place.
    fn place(&self, handle: &Handle) -> Option<String>;

    /// Replicas that ended since the last call, with how they ended. Adopted ones may end as `Exit::Unknown`.
    /// What an ended replica left running is killed. A replica under `end` is told when all of it is gone.
    fn reap(&self) -> Vec<(String, Exit)>;

    /// What each replica used so far and holds now, in the order of the handles. One reading for all.
    /// `None` where nothing could be read yet.
    fn usage(&self, handles: &[Handle]) -> Vec<Option<Usage>>;

    /// How `usage` is read for a job, where that is worth telling and known.
    fn measured(&self, _job: &str) -> Option<Measured> {
        None
    }

    /// What keeps replicas of a job from starting or ending, in one sentence that says what to do.
    fn trouble(&self, _job: &str) -> Option<String> {
        None
    }

    /// Whether what is known of a job's replicas is old and cannot be read anew now. Nobody decides by it then.
    fn unseen(&self, _job: &str) -> Option<Unseen> {
        None
    }

    /// Gives each replica of a job so much CPU from now on, in thousandths of a core; those that run are not restarted.
    /// Whether it came to pass is told by `cpu`.
    fn resize(&self, _job: &str, _params: &Value, _millicores: u32) {}

    /// The CPU of each replica, where it can be changed; `None` also while there is no replica to tell it by.
    fn cpu(&self, _job: &str) -> Option<CpuState> {
        None
    }

    /// Tells people who look at a job with the platform's own tools what happened to it; `over` with its last words.
    fn tell(&self, _job: &str, _params: &Value, _told: &[Told], _over: bool) {}

    /// TERM to its first process, which may finish what it is at; after half of `grace`, or when it is gone,
    /// TERM to the whole tree; KILL after `grace`. Returns when nothing of it is left.
    ///
    /// # Errors
    /// When its processes cannot be read or its cluster asked, or something survives even KILL.
    async fn end(&self, handle: &Handle, grace: Duration) -> Result<(), PlatformError>;

    /// All that live of a job are taken over: they go on, should anything have held them.
    ///
    /// # Errors
    /// When processes cannot be read.
    async fn wake(&self, job: &str) -> Result<(), PlatformError>;

    /// Ends all that there is of a job, known or not. Returns how many there were, when all are gone.
    ///
    /// # Errors
    /// As `end`.
    async fn sweep(&self, job: &str, params: &Value) -> Result<usize, PlatformError>;

    /// At most 64 KiB of what a replica printed, from a byte offset; `None` asks for the newest part.
    ///
    /// # Errors
    /// When there is no such replica, or its log cannot be read.
    async fn log(&self, replica: &str, stream: LogStream, from: Option<u64>) -> Result<LogChunk, PlatformError>;

    /// Keeps every log within its limit. To be called about once a second.
    fn trim(&self);

    /// Whether replicas take seconds to be gone when their work is over. Their job is over before, then.
    fn lingers(&self) -> bool {
        false
    }

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

/// What there was before a job, where its work and its replicas are somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    pub replicas: usize,
    /// The first and the last of the items, counted from 1.
    pub from: u64,
    pub to: u64,
}

/// A replica's way to its queue.
pub struct Door {
    /// What the replica calls, and what is stored to open the same door again.
    pub address: SocketAddr,
    /// Dropped, the replica's connections end.
    pub open: DropGuard,
}

/// What the whole of a replica takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU seconds used so far. Never falls while this server lives. 0 where `cores` is told.
    pub cpu_s: f64,
    /// Cores in the mean of the last seconds, from a source that tells no seconds.
    pub cores: Option<f64>,
    /// Cores that it may use, where there is a limit.
    pub cpu_limit: Option<f64>,
    /// Resident now; memory shared between its processes counts in each.
    pub memory_bytes: u64,
    /// Bytes above which it is killed, where there is a limit.
    pub memory_limit: Option<u64>,
    pub processes: u32,
    /// How long ago this was read.
    pub age_ms: u64,
}

/// The CPU of a job's replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuState {
    /// What each is to have, in thousandths of a core; what most have, where that was refused.
    pub millicores: u32,
    /// Why they cannot have what they were to, in whole sentences.
    pub refused: Option<String>,
}

/// How CPU and memory are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// From where and how old, as the end of a sentence, and more sentences where that needs a reason.
    pub how: String,
    /// Why nothing can be read now, in whole sentences.
    pub fails: Option<String>,
}

/// Something that happened to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// One word, such as `ScaledUp`.
    pub reason: &'static str,
    /// Somebody should look at it.
    pub warns: bool,
    /// Whole sentences.
    pub text: String,
}

/// Replicas that cannot be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    /// How old what is known of them is.
    pub age_ms: u64,
    /// Whole sentences: what is the matter.
    pub why: String,
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
    #[error("{of} could not be ended in time. {why}")]
    Cluster { of: String, why: String },
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

/// Whether the work of a job on such a platform is there before it: then a submission brings none.
pub fn has_work(kind: &str) -> bool {
    kind == Adopted::KIND
}

/// Every platform that a submission can choose.
pub fn catalog() -> Vec<KindInfo> {
    vec![describe::<Local>(), describe::<Kubejobs>(), describe::<Adopted>()]
}

/// Checks a choice of platform against this machine and its clusters too: programs and folders must exist.
/// Answers with the params in full, defaults included.
///
/// # Errors
/// All problems at once, by their path in the spec: `kind`, `params.command`.
pub fn check(spec: &PluginSpec, clusters: &Clusters) -> Result<Value, Vec<FieldError>> {
    match spec.kind.as_str() {
        Local::KIND => local::params::check(&spec.params)
            .map(|params| serde_json::to_value(params).unwrap_or_default())
            .map_err(|errors| errors.into_iter().map(|error| error.under("params")).collect()),
        Kubejobs::KIND => kubejobs::check(&spec.params, clusters),
        Adopted::KIND => kubejobs::check_adopted(&spec.params, clusters),
        other => {
            let known: Vec<String> = catalog().into_iter().map(|info| info.kind).collect();
            Err(vec![FieldError::new("kind", format!("There is no platform {other:?}; choose {}.", known.join(" or ")))])
        }
    }
}

/// The platform of a kind, with its files under `data_dir`. Build each once: it owns its replicas.
pub fn build(kind: &str, data_dir: &Path, clusters: &Clusters) -> Option<Arc<dyn Platform>> {
    match kind {
        Local::KIND => Some(Arc::new(Local::new(data_dir))),
        Kubejobs::KIND => Some(Arc::new(Kubejobs::new(data_dir, clusters.clone()))),
        Adopted::KIND => Some(Arc::new(Adopted::new(clusters.clone()))),
        _ => None,
    }
}
