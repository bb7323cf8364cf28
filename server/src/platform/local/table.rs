//! The replicas that this server knows: its children, and those that it adopted. Tells each end once.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Child,
    sync::{Arc, Mutex},
    time::Instant,
};

use rustix::process::Signal;

use super::{
    params,
    spawn::spawn,
    tree::{Census, Id, Member},
};
use crate::lock::lock;
use crate::platform::{
    Exit, Handle, Launch, Place, PlatformError, Usage,
    logs::{Logs, folder_of},
};

pub struct Shared {
    data_dir: PathBuf,
    built: Instant,
    /// Held from the search for a living replica to the end of its start, so that two starts cannot double it.
    starts: Mutex<()>,
    known: Mutex<HashMap<String, Running>>,
    census: Mutex<Census>,
    /// How many `end`s of each replica are under way.
    endings: Arc<Mutex<HashMap<String, usize>>>,
}

struct Running {
    handle: Handle,
    /// None for an adopted one, whose exit status goes to another parent.
    child: Option<Child>,
    logs: Logs,
    cpu: CpuTotal,
}

impl Shared {
    pub fn new(data_dir: &Path) -> Self {
        Self {
            data_dir: data_dir.to_owned(),
            built: Instant::now(),
            starts: Mutex::default(),
            known: Mutex::default(),
            census: Mutex::default(),
            endings: Arc::default(),
        }
    }

    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub fn folder(&self, job: &str, replica: &str) -> Result<PathBuf, PlatformError> {
        folder_of(&self.data_dir, job, replica)
    }

    /// Starts a replica, unless it lives already.
    pub fn start(&self, launch: &Launch) -> Result<Handle, PlatformError> {
        let replica = &launch.replica;
        let params = params::check(&launch.params).map_err(|errors| PlatformError::Params { replica: replica.clone(), errors })?;
        let folder = self.folder(&launch.job, replica)?;
        let _one_at_a_time = lock(&self.starts);
        // Unknown living ones are of servers before: any reading since this one was built has them.
        if let Some(living) = self.find(replica, self.built) {
            return Ok(living);
        }
        let (child, handle, logs) = spawn(launch, &params, &folder)?;
        let running = Running { handle: handle.clone(), child: Some(child), logs, cpu: CpuTotal::default() };
        if let Some(Running { child: Some(mut ended), .. }) = lock(&self.known).insert(replica.clone(), running) {
            // The replica before of the same name had ended, unreaped: only its zombie is left to collect.
            drop(ended.try_wait());
        }
        Ok(handle)
    }

    /// From now on `reap` will tell the end of this living replica.
    pub fn adopt(&self, handle: &Handle) {
        // A name that leads to no folder is of no replica of ours.
        let Ok(folder) = self.folder(&handle.job, &handle.replica) else { return };
        lock(&self.known).entry(handle.replica.clone()).or_insert_with(|| Running {
            handle: handle.clone(),
            child: None,
            logs: Logs::open(&folder),
            cpu: CpuTotal::default(),
        });
    }

    /// The living first process of a replica, known or among the processes as they were at `since` or later.
    pub fn find(&self, replica: &str, since: Instant) -> Option<Handle> {
        let known = lock(&self.known).get(replica).map(|running| running.handle.clone());
        if let Some(handle) = known.filter(|handle| Id::from(handle).lives()) {
            return Some(handle);
        }
        let members =
            self.members(since).inspect_err(|error| tracing::warn!(replica, %error, "a replica could not be searched for")).ok()?;
        // Its descendants bear the mark too, but are younger.
        let first = members
            .iter()
            .filter(|member| member.owner.replica == replica && member.leads && member.id.lives())
            .min_by_key(|member| (member.id.start_ticks, member.id.pid))?;
        let handle = Handle {
            replica: replica.to_owned(),
            job: first.owner.job.clone(),
            place: Place::Process { pid: first.id.pid.cast_unsigned(), start_ticks: first.id.start_ticks },
        };
        self.adopt(&handle);
        Some(handle)
    }

    /// Every process of every known replica, and of marked ones, as they were at `since` or later.
    /// Ended ones too, while their parents have not waited for them.
    pub fn members(&self, since: Instant) -> Result<Arc<[Member]>, PlatformError> {
        lock(&self.census).members(since, || self.handles()).map_err(|cause| PlatformError::ReadProcesses { cause })
    }

    pub fn reap(&self) -> Vec<(String, Exit)> {
        let mut gone = self.handles();
        gone.retain(|handle| !lock(&self.endings).contains_key(&handle.replica) && !Id::from(handle).lives());
        if gone.is_empty() {
            return Vec::new();
        }
        self.kill_leftovers(&gone);
        let mut known = lock(&self.known);
        let mut ended = Vec::new();
        for handle in gone {
            let Some(running) = known.get_mut(&handle.replica).filter(|running| running.handle == handle) else {
                continue;
            };
            let exit = match running.child.as_mut().map(Child::try_wait) {
                None => Exit::Unknown,
                Some(Ok(Some(status))) => status.into(),
                // Its last thread is still on the way out.
                Some(Ok(None)) => continue,
                Some(Err(error)) => {
                    tracing::warn!(replica = handle.replica, %error, "the exit status of a replica could not be read");
                    Exit::Unknown
                }
            };
            trim(&handle.replica, &running.logs);
            known.remove(&handle.replica);
            ended.push((handle.replica, exit));
        }
        ended
    }

    /// A replica is over when its first process is: what that left behind would hold items and memory unseen.
    fn kill_leftovers(&self, gone: &[Handle]) {
        let members = match self.members(Instant::now()) {
            Ok(members) => members,
            Err(error) => return tracing::warn!(%error, "what ended replicas left behind could not be read"),
        };
        for member in members.iter().filter(|member| !member.ended) {
            if gone.iter().any(|handle| handle.replica == member.owner.replica) {
                member.id.signal(Signal::KILL);
            }
        }
    }

    pub fn usage(&self, handles: &[Handle]) -> Vec<Option<Usage>> {
        let members = self.members(Instant::now()).unwrap_or_else(|error| {
            tracing::warn!(%error, "the use of replicas could not be read");
            Arc::default()
        });
        let mut totals: HashMap<&str, (u64, Usage)> = HashMap::new();
        for member in members.iter() {
            let (ticks, usage) = totals.entry(&member.owner.replica).or_default();
            *ticks += member.cpu_ticks;
            if !member.ended {
                usage.memory_bytes += member.memory_bytes;
                usage.processes += 1;
            }
        }
        let mut known = lock(&self.known);
        let total = |handle: &Handle| {
            let (mut ticks, usage) = totals.get(handle.replica.as_str()).copied().unwrap_or_default();
            if let Some(running) = known.get_mut(&handle.replica) {
                ticks = running.cpu.risen_to(ticks);
            }
            Some(Usage { cpu_s: ticks as f64 / procfs::ticks_per_second() as f64, ..usage })
        };
        handles.iter().map(total).collect()
    }

    pub fn trim(&self) {
        // Files are cut outside the lock.
        let all: Vec<(String, Logs)> = lock(&self.known).iter().map(|(replica, running)| (replica.clone(), running.logs.clone())).collect();
        for (replica, logs) in all {
            trim(&replica, &logs);
        }
    }

    /// While the answer is held, `reap` leaves this replica alone: its tree has its grace.
    pub fn ending(&self, replica: &str) -> Ending {
        *lock(&self.endings).entry(replica.to_owned()).or_default() += 1;
        Ending { replica: replica.to_owned(), endings: Arc::clone(&self.endings) }
    }

    fn handles(&self) -> Vec<Handle> {
        lock(&self.known).values().map(|running| running.handle.clone()).collect()
    }
}

pub struct Ending {
    replica: String,
    endings: Arc<Mutex<HashMap<String, usize>>>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let mut endings = lock(&self.endings);
        if let Some(count) = endings.get_mut(&self.replica) {
            *count -= 1;
            if *count == 0 {
                endings.remove(&self.replica);
            }
        }
    }
}

/// The CPU time of a tree that never falls: a process whose parent is gone takes its time with it.
#[derive(Default)]
struct CpuTotal {
    last: u64,
    lost: u64,
}

impl CpuTotal {
    fn risen_to(&mut self, ticks: u64) -> u64 {
        self.lost += self.last.saturating_sub(ticks);
        self.last = ticks;
        self.lost + ticks
    }
}

fn trim(replica: &str, logs: &Logs) {
    if let Err(error) = logs.trim() {
        tracing::warn!(replica, %error, "the logs of a replica could not be trimmed");
    }
}
