//! `cluster down`: ends what `up` started and takes back what it changed. Nothing of it stays but the built programs.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::mount::{UnmountFlags, unmount};
use rustix::process::Signal;

use super::machine::{self, CGROUPS};
use super::parts::Part;
use super::place::{BRIDGE, Place};
use super::up::ctr;
use super::{left, process};

/// From the last SIGKILL until the kernel has taken away processes and groups.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

pub fn down(place: &Place) -> Result<()> {
    machine::must_do()?;
    let _held = place.lock()?;
    if !machine::is_ours(place) {
        eprintln!("no cluster is there");
        return machine::remove(&place.run());
    }
    let begun = Instant::now();
    // No grace, as all state goes anyway; the kubelet first, which would start the pods anew.
    for part in Part::all().iter().rev().filter(|part| **part != Part::Containerd) {
        process::end(place, *part, Signal::KILL)?;
    }
    if process::alive(place, Part::Containerd).is_some() {
        containers(place);
    }
    process::end(place, Part::Containerd, Signal::TERM)?;
    left_containers(place)?;
    for mount in machine::mounts(&place.run())? {
        unmount(&mount, UnmountFlags::DETACH).with_context(|| format!("could not unmount {}", mount.display()))?;
    }
    for table in machine::nft_tables()? {
        let (family, name) = table.split_once(' ').context("nft names a table without its family")?;
        let output = Command::new("nft").args(["delete", "table", family, name]).output().context("could not start nft")?;
        ensure!(output.status.success(), "nft delete table {table}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    if Path::new("/sys/class/net").join(BRIDGE).exists() {
        machine::ip(&["link", "delete", BRIDGE])?;
    }
    cgroups(place)?;
    traces(place);
    machine::restore(place)?;
    machine::remove(&place.run())?;
    eprintln!("the cluster is down, in {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Ends the containers while their containerd can still take away what belongs to them. What it leaves, the rest of this
/// file finds: nothing is judged here.
fn containers(place: &Place) {
    let lines = |output: std::io::Result<Output>| -> Vec<String> {
        output.map(|output| String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()).unwrap_or_default()
    };
    let tasks = || lines(ctr(place).args(["tasks", "ls", "-q"]).output());
    for name in tasks() {
        let _ = ctr(place).args(["tasks", "kill", "-s", "KILL", &name]).output();
    }
    let begun = Instant::now();
    let running = || lines(ctr(place).args(["tasks", "ls"]).output()).iter().any(|line| line.contains("RUNNING"));
    while running() && begun.elapsed() < PATIENCE {
        thread::sleep(PAUSE);
    }
    for name in tasks() {
        let _ = ctr(place).args(["tasks", "delete", "-f", &name]).output();
    }
    for name in lines(ctr(place).args(["containers", "ls", "-q"]).output()) {
        let _ = ctr(place).args(["containers", "delete", &name]).output();
    }
}

/// A containerd that was killed leaves shims and containers.
fn left_containers(place: &Place) -> Result<()> {
    let begun = Instant::now();
    loop {
        let found = left::containers(place)?;
        if found.is_empty() {
            return Ok(());
        }
        ensure!(begun.elapsed() < PATIENCE, "processes of containers do not end: {found:?}");
        for pid in found {
            process::send(pid, Signal::KILL)?;
        }
        thread::sleep(PAUSE);
    }
}

/// Groups go from the innermost out, as soon as their last process has gone.
fn cgroups(place: &Place) -> Result<()> {
    let begun = Instant::now();
    loop {
        let mut stay = Vec::new();
        for hierarchy in machine::hierarchies() {
            empty(&hierarchy.join(place.cgroup()), &mut stay);
        }
        match stay.first() {
            None => return Ok(()),
            Some(error) if PATIENCE < begun.elapsed() => anyhow::bail!("a control group below {CGROUPS} stays: {error}"),
            Some(_) => thread::sleep(PAUSE),
        }
    }
}

fn empty(group: &Path, stay: &mut Vec<String>) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            empty(&entry.path(), stay);
        }
    }
    if let Err(error) = fs::remove_dir(group)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        stay.push(format!("{}: {error}", group.display()));
    }
}

/// Small files of ours in folders that others may use too.
fn traces(place: &Place) {
    for entry in fs::read_dir("/var/lib/cni/results").into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("asperathos-") {
            let _ = fs::remove_file(entry.path());
        }
    }
    for entry in fs::read_dir("/var/log/containers").into_iter().flatten().flatten() {
        if fs::read_link(entry.path()).is_ok_and(|target| target.starts_with(place.run())) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
