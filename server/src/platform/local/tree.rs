//! One reading of /proc, and which of its processes belong to which replica.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use procfs::{
    ProcError, ProcResult,
    process::{Process, Stat, all_processes},
};
use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal},
};

use crate::platform::{
    Handle, Place,
    variables::{JOB_MARK, REPLICA_MARK},
};

/// A process between fork and exec still shows its parent's environment; an older one has settled.
const SETTLED: Duration = Duration::from_secs(2);

/// One process for good, as `Handle` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id {
    pub pid: i32,
    pub start_ticks: u64,
}

impl From<&Handle> for Id {
    fn from(handle: &Handle) -> Self {
        match handle.place {
            // Pids are below 2^22 on Linux; a nonsense one names no process.
            Place::Process { pid, start_ticks } => Self { pid: i32::try_from(pid).unwrap_or(0), start_ticks },
            Place::Pod { .. } => Self { pid: 0, start_ticks: 0 },
        }
    }
}

impl Id {
    /// Is it running (or stopped)? A zombie has ended and only waits for its parent to ask.
    pub fn lives(self) -> bool {
        stat(self.pid).is_ok_and(|stat| stat.starttime == self.start_ticks && !ended(&stat))
    }

    /// Sends a signal to this very process, never to another that was given its pid.
    pub fn signal(self, signal: Signal) {
        let Some(pid) = Pid::from_raw(self.pid) else { return };
        // The descriptor pins the process, whatever its pid means later; only then its start is compared.
        let sent = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pinned) if self.lives() => pidfd_send_signal(pinned, signal),
            // Kernels before 5.3 cannot pin.
            Err(Errno::NOSYS) if self.lives() => kill_process(pid, signal),
            Ok(_) | Err(Errno::NOSYS | Errno::SRCH) => return,
            Err(error) => Err(error),
        };
        if let Err(error) = sent
            && error != Errno::SRCH
        {
            tracing::warn!(pid = self.pid, %error, "a process of a replica could not be signalled");
        }
    }
}

/// What is known of one process that belongs to a replica.
#[derive(Debug, Clone)]
pub struct Member {
    pub id: Id,
    pub owner: Arc<Owner>,
    /// First of its process group, as the first process of every replica is.
    pub leads: bool,
    /// A zombie: ended, but not yet collected by its parent.
    pub ended: bool,
    /// User and system time of the process and of the children that it has waited for. Those are gone,
    /// so that the sum over a tree counts every second once.
    pub cpu_ticks: u64,
    pub memory_bytes: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Owner {
    pub job: String,
    pub replica: String,
}

/// Who belongs to whom. It remembers: whoever once belonged to a replica does so to its end, also when it
/// leaves its group, loses its parent and empties its environment. An environment is read only while a
/// process is new, so that a reading costs one small file for each process of the machine.
#[derive(Debug, Default)]
pub struct Census {
    known: HashMap<Id, Known>,
    last: Option<Reading>,
}

#[derive(Debug)]
struct Reading {
    began: Instant,
    members: Arc<[Member]>,
}

#[derive(Debug)]
struct Known {
    owner: Option<Arc<Owner>>,
    first_seen: Instant,
}

impl Census {
    /// All processes of all replicas as they were at `since` or later, so that many who ask together share a reading.
    /// Roots are replicas whose first process is known by its handle.
    ///
    /// # Errors
    /// When /proc cannot be listed; processes that end meanwhile are no error.
    pub fn members(&mut self, since: Instant, roots: impl FnOnce() -> Vec<Handle>) -> ProcResult<Arc<[Member]>> {
        if let Some(last) = self.last.as_ref().filter(|last| since <= last.began) {
            return Ok(Arc::clone(&last.members));
        }
        let began = Instant::now();
        let members: Arc<[Member]> = self.read(&roots(), began)?.into();
        self.last = Some(Reading { began, members: Arc::clone(&members) });
        Ok(members)
    }

    fn read(&mut self, roots: &[Handle], now: Instant) -> ProcResult<Vec<Member>> {
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        let mut seen: HashMap<i32, Stat> = HashMap::new();
        let mut owners: HashMap<i32, Arc<Owner>> = HashMap::new();
        let roots: HashMap<Id, &Handle> = roots.iter().map(|handle| (handle.into(), handle)).collect();
        let mut known = HashMap::with_capacity(self.known.len());

        for process in all_processes()? {
            let Ok(process) = process else { continue };
            let Ok(stat) = process.stat() else { continue };
            let (pid, id) = (stat.pid, Id { pid: stat.pid, start_ticks: stat.starttime });
            // The server and init are nobody's, whatever their environment says.
            if pid != own && pid != 1 {
                let before = self.known.remove(&id);
                let first_seen = before.as_ref().map_or(now, |known| known.first_seen);
                let settled = before.is_some() && SETTLED <= now.duration_since(first_seen);
                let owner = before
                    .and_then(|known| known.owner)
                    .or_else(|| roots.get(&id).map(|root| Arc::new(Owner { job: root.job.clone(), replica: root.replica.clone() })))
                    .or_else(|| if settled { None } else { marked(&process) });
                owners.extend(owner.clone().map(|owner| (pid, owner)));
                known.insert(id, Known { owner, first_seen });
            }
            seen.insert(pid, stat);
        }
        inherit(&seen, &mut owners, own);

        let (page, mut members) = (procfs::page_size(), Vec::with_capacity(owners.len()));
        for (pid, owner) in owners {
            let Some(stat) = seen.get(&pid) else { continue };
            let id = Id { pid, start_ticks: stat.starttime };
            if let Some(known) = known.get_mut(&id) {
                known.owner = Some(owner.clone());
            }
            let waited = u64::try_from(stat.cutime + stat.cstime).unwrap_or(0);
            members.push(Member {
                id,
                owner,
                leads: stat.pgrp == pid,
                ended: ended(stat),
                cpu_ticks: stat.utime + stat.stime + waited,
                memory_bytes: stat.rss * page,
            });
        }
        self.known = known;
        Ok(members)
    }
}

/// A process without an owner of its own has that of its group's leader, or of its nearest ancestor.
fn inherit(seen: &HashMap<i32, Stat>, owners: &mut HashMap<i32, Arc<Owner>>, own: i32) {
    for stat in seen.values() {
        let mut path = Vec::new();
        let mut at = stat;
        let owner = loop {
            if at.pid == own || at.pid == 1 || path.contains(&at.pid) {
                break None;
            }
            // The leader is in the same reading, so that its group is not one of the same number from before.
            if let Some(owner) = owners.get(&at.pid).or_else(|| owners.get(&at.pgrp)) {
                break Some(owner.clone());
            }
            path.push(at.pid);
            match seen.get(&at.ppid) {
                Some(parent) => at = parent,
                None => break None,
            }
        };
        if let Some(owner) = owner {
            path.push(at.pid);
            for pid in path {
                owners.entry(pid).or_insert_with(|| owner.clone());
            }
        }
    }
}

fn marked(process: &Process) -> Option<Arc<Owner>> {
    let mut environ = process.environ().ok()?;
    let mut take = |name: &str| environ.remove(std::ffi::OsStr::new(name))?.into_string().ok();
    Some(Arc::new(Owner { job: take(JOB_MARK)?, replica: take(REPLICA_MARK)? }))
}

/// The process that now has this pid.
///
/// # Errors
/// When there is none.
pub fn stat(pid: i32) -> Result<Stat, ProcError> {
    Process::new(pid)?.stat()
}

pub fn ended(stat: &Stat) -> bool {
    matches!(stat.state, 'Z' | 'X' | 'x')
}
