//! What others read of a job without asking its task.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use crate::lock::lock;
use crate::platform::{CpuState, Exit};

#[derive(Debug, Default)]
pub struct Board {
    exits: Mutex<Vec<(String, Exit)>>,
    /// Replicas whose end was told, and who were not asked to go yet: nobody has to wait for them.
    over: Mutex<HashSet<String>>,
    trouble: Mutex<Option<String>>,
    /// Since when what is known of the pods may be wrong, and why.
    unseen: Mutex<Option<(Instant, String)>>,
    cpu: Mutex<Option<CpuState>>,
    /// There are pods of an earlier server, which this one has yet to find.
    adopting: AtomicBool,
    listed: AtomicBool,
    /// Why the job can never go on.
    lost: Mutex<Option<String>>,
    spots: Mutex<HashMap<String, Spot>>,
}

/// Where a replica runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    pub namespace: String,
    pub pod: String,
    pub node: Option<String>,
    /// CPU that it may use now, in thousandths of a core; `None` without a limit.
    pub millicores: Option<u32>,
    /// Memory that it may use; `None` without a limit.
    pub memory_bytes: Option<u64>,
}

impl Board {
    pub fn ended(&self, replica: String, exit: Exit) {
        lock(&self.over).insert(replica.clone());
        lock(&self.exits).push((replica, exit));
    }

    pub fn is_over(&self, replica: &str) -> bool {
        lock(&self.over).contains(replica)
    }

    pub fn forget(&self, replica: &str) {
        lock(&self.over).remove(replica);
    }

    pub fn take_exits(&self) -> Vec<(String, Exit)> {
        std::mem::take(&mut *lock(&self.exits))
    }

    pub fn lose(&self, why: String) {
        *lock(&self.lost) = Some(why);
    }

    pub fn lost(&self) -> Option<String> {
        lock(&self.lost).clone()
    }

    pub fn set_trouble(&self, trouble: Option<String>) {
        *lock(&self.trouble) = trouble;
    }

    pub fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }

    pub fn set_unseen(&self, listed: bool, unseen: Option<(Instant, String)>) {
        *lock(&self.unseen) = unseen;
        self.listed.store(listed, Ordering::Relaxed);
    }

    pub fn adopt(&self) {
        self.adopting.store(true, Ordering::Relaxed);
    }

    pub fn unseen(&self) -> Option<(Instant, String)> {
        let searching = self.adopting.load(Ordering::Relaxed) && !self.listed.load(Ordering::Relaxed);
        let unlisted = || searching.then(|| (Instant::now(), "The pods are being looked for.".to_owned()));
        lock(&self.unseen).clone().or_else(unlisted)
    }

    pub fn set_cpu(&self, cpu: Option<CpuState>) {
        *lock(&self.cpu) = cpu;
    }

    pub fn cpu(&self) -> Option<CpuState> {
        lock(&self.cpu).clone()
    }

    pub fn set_spots(&self, spots: HashMap<String, Spot>) {
        *lock(&self.spots) = spots;
    }

    pub fn spot(&self, replica: &str) -> Option<Spot> {
        lock(&self.spots).get(replica).cloned()
    }
}
