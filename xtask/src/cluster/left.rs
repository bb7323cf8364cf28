//! What of a cluster is on the machine: processes, mounts, network, control groups, sysctls, folders.
//! After `down` it must be nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use procfs::process::{ProcState, all_processes};

use super::machine::{FOLDERS, SYSCTLS, hierarchies, mounts, nft_tables, sysctl};
use super::place::Place;

/// The machine, as far as a cluster changes it.
pub struct Machine {
    links: BTreeSet<String>,
    sysctls: BTreeMap<&'static str, Option<String>>,
    folders: Vec<&'static str>,
}

impl Machine {
    /// Before a cluster starts.
    pub fn look() -> Result<Self> {
        Ok(Self {
            links: links()?,
            sysctls: SYSCTLS.iter().map(|name| (*name, sysctl(name))).collect(),
            folders: FOLDERS.into_iter().filter(|folder| Path::new(folder).exists()).collect(),
        })
    }

    /// What a cluster has added or changed since, by kind.
    pub fn traces(&self, place: &Place) -> Result<BTreeMap<&'static str, Vec<String>>> {
        let now = Self::look()?;
        let mut found = BTreeMap::new();
        found.insert("processes", processes(place)?.into_iter().map(|process| format!("{} {}", process.pid, process.line)).collect());
        found.insert("mounts", mounts(&place.run())?.iter().map(|path| path.display().to_string()).collect());
        found.insert("network links", now.links.difference(&self.links).cloned().collect());
        found.insert("nftables", nft_tables()?);
        let groups = hierarchies().into_iter().map(|hierarchy| hierarchy.join(place.cgroup())).filter(|group| group.exists());
        found.insert("control groups", groups.map(|group| group.display().to_string()).collect());
        let changed = now.sysctls.iter().filter(|(name, value)| self.sysctls.get(*name) != Some(value));
        found.insert("sysctls", changed.map(|(name, value)| format!("{name} = {}", value.as_deref().unwrap_or("gone"))).collect());
        let mut folders: Vec<String> =
            now.folders.iter().filter(|folder| !self.folders.contains(folder)).map(|&folder| folder.to_owned()).collect();
        if place.run().exists() {
            folders.push(place.run().display().to_string());
        }
        found.insert("folders", folders);
        found.retain(|_, what: &mut Vec<String>| !what.is_empty());
        Ok(found)
    }
}

fn links() -> Result<BTreeSet<String>> {
    let entries = fs::read_dir("/sys/class/net").context("could not list the network links")?;
    Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

/// A process of a cluster, and where it was found.
struct Found {
    pid: i32,
    line: String,
    /// In the cluster's control group: of a pod.
    inside: bool,
}

/// The parts of a cluster, what holds its containers, and the containers themselves.
fn processes(place: &Place) -> Result<Vec<Found>> {
    let (run, bin) = (place.run().display().to_string(), place.bin().display().to_string());
    let group = format!("/{}/", place.cgroup());
    let mut found = Vec::new();
    for process in all_processes().context("could not list the processes")?.flatten() {
        // Each may end while it is looked at.
        let Ok(stat) = process.stat() else { continue };
        if stat.state().is_ok_and(|state| state == ProcState::Zombie) {
            continue;
        }
        let words = process.cmdline().unwrap_or_default();
        let program = words.first().map_or("", String::as_str);
        let of_containerd = Path::new(program).file_name().is_some_and(|name| name.to_string_lossy().starts_with("containerd"));
        let line = words.join(" ");
        let inside = process.cgroups().is_ok_and(|groups| groups.into_iter().any(|entry| entry.pathname.starts_with(&group)));
        if inside || program.starts_with(&bin) || of_containerd && line.contains(&run) {
            found.push(Found { pid: process.pid, line, inside });
        }
    }
    Ok(found)
}

/// What runs in containers, and the shims that hold it: they outlive a containerd that was killed.
pub fn containers(place: &Place) -> Result<Vec<i32>> {
    let found = processes(place)?.into_iter();
    Ok(found.filter(|process| process.inside || process.line.contains("containerd-shim")).map(|process| process.pid).collect())
}
