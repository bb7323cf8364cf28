//! What a cluster needs of the machine and changes on it, so that its end can put it back: bridge, control groups, sysctls.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use procfs::process::Process;

use super::place::{BRIDGE, HOST, Place, write};

pub const CGROUPS: &str = "/sys/fs/cgroup";

/// What the kubelet and the proxy set.
pub const SYSCTLS: [&str; 8] = [
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "net/ipv4/ip_forward",
    "net/ipv4/conf/all/route_localnet",
];

/// Folders that containerd, the kubelet and the CNI plugins make outside of ours.
pub const FOLDERS: [&str; 5] = ["/var/lib/kubelet", "/var/lib/cni", "/var/log/containers", "/usr/libexec/kubernetes", "/run/containerd"];

/// Capabilities without which no pod starts, by their bit in /proc/self/status.
const CAPABILITIES: [(&str, u32); 2] = [("CAP_NET_ADMIN", 12), ("CAP_SYS_ADMIN", 21)];

/// Why this machine cannot run a kubelet, in one sentence; nothing if it can.
pub fn obstacle() -> Option<String> {
    let rule = "a cluster cannot run here:";
    if !rustix::process::geteuid().is_root() {
        return Some(format!("{rule} a kubelet needs root, and this is user {}; call it as root", rustix::process::geteuid().as_raw()));
    }
    let held = Process::myself().and_then(|own| own.status()).map_or(0, |status| status.capeff);
    if let Some((name, _)) = CAPABILITIES.iter().find(|(_, bit)| held & (1 << bit) == 0) {
        return Some(format!("{rule} root has not {name} (a container without privileges?)"));
    }
    // Two commands at once do not meet there.
    let name = format!("asperathos-probe-{}", std::process::id());
    let probe = Path::new(CGROUPS).join(if unified() { "" } else { "cpu" }).join(name);
    if let Err(error) = fs::create_dir(&probe).and_then(|()| fs::remove_dir(&probe)) {
        return Some(format!("{rule} no control group can be made below {CGROUPS} ({error})"));
    }
    None
}

/// # Errors
/// This machine cannot run a kubelet.
pub fn must_do() -> Result<()> {
    match obstacle() {
        Some(sentence) => bail!("{sentence}"),
        None => Ok(()),
    }
}

/// Makes ready what the parts expect, and notes first what was there.
pub fn prepare(place: &Place) -> Result<()> {
    if !is_ours(place) {
        must_be_free()?;
        remember(place)?;
    }
    network(place)?;
    cgroups(place)
}

/// Whether bridge, tables and groups of these names are this cluster's, so that its end may take them away.
pub fn is_ours(place: &Place) -> bool {
    note(place).exists()
}

/// # Errors
/// Another cluster, ours of another folder or someone else's, already uses what this one would.
fn must_be_free() -> Result<()> {
    ensure!(
        !Path::new("/sys/class/net").join(BRIDGE).exists(),
        "the network bridge {BRIDGE} is there already: another cluster runs on this machine, and must be ended first"
    );
    if let Some(table) = nft_tables()?.first() {
        bail!("the nftables table {table} is there already: another Kubernetes runs on this machine, and would lose its network");
    }
    Ok(())
}

fn note(place: &Place) -> PathBuf {
    place.run().join("before")
}

fn remember(place: &Place) -> Result<()> {
    fs::create_dir_all(place.run()).with_context(|| format!("could not make {}", place.run().display()))?;
    let values = SYSCTLS.iter().filter_map(|name| Some(format!("sysctl {name} {}\n", sysctl(name)?)));
    let absent = FOLDERS.iter().filter(|folder| !Path::new(folder).exists()).map(|folder| format!("absent {folder}\n"));
    write(&note(place), values.chain(absent).collect::<String>())
}

/// The value of a sysctl, if this kernel has it.
pub fn sysctl(name: &str) -> Option<String> {
    Some(fs::read_to_string(Path::new("/proc/sys").join(name)).ok()?.trim().to_owned())
}

/// What was noted before the start, put back. Folders that were not there go, unless something is still mounted in them.
pub fn restore(place: &Place) -> Result<()> {
    let Ok(text) = fs::read_to_string(note(place)) else { return Ok(()) };
    for line in text.lines() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["sysctl", name, value] => {
                let path = Path::new("/proc/sys").join(name);
                if sysctl(name).as_deref() != Some(value) {
                    fs::write(&path, value).with_context(|| format!("could not set {} back to {value}", path.display()))?;
                }
            }
            ["absent", folder] => remove(Path::new(folder))?,
            _ => bail!("{}: not understood: {line}", note(place).display()),
        }
    }
    Ok(())
}

/// Removes a folder with all in it; if it is not there, that is as good.
///
/// # Errors
/// Something is mounted in it: what is removed through a mount may be anything.
pub fn remove(folder: &Path) -> Result<()> {
    if let Some(mount) = mounts(folder)?.first() {
        bail!("{} is still mounted: {} is kept", mount.display(), folder.display());
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("could not remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// What is mounted in a folder, innermost first.
pub fn mounts(folder: &Path) -> Result<Vec<PathBuf>> {
    let all = Process::myself()?.mountinfo().context("could not read the mounts")?;
    let mut inside: Vec<PathBuf> = all.into_iter().map(|mount| mount.mount_point).filter(|point| point.starts_with(folder)).collect();
    inside.reverse();
    Ok(inside)
}

/// Tables that a kube-proxy has made, as `FAMILY NAME`.
pub fn nft_tables() -> Result<Vec<String>> {
    let output = Command::new("nft").args(["list", "tables"]).output().context("could not start nft")?;
    ensure!(output.status.success(), "nft list tables: {}", String::from_utf8_lossy(&output.stderr).trim());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let tables = text.lines().filter_map(|line| line.strip_prefix("table ")).map(str::to_owned);
    Ok(tables.filter(|table| table.ends_with(" kube-proxy")).collect())
}

fn network(place: &Place) -> Result<()> {
    if !Path::new("/sys/class/net").join(BRIDGE).exists() {
        ip(&["link", "add", BRIDGE, "type", "bridge"])?;
    }
    ip(&["addr", "replace", &format!("{HOST}/16"), "dev", BRIDGE])?;
    ip(&["link", "set", BRIDGE, "up"])?;
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("could not let the machine forward packets")?;
    fs::create_dir_all(place.run().join("cni")).context("could not make the folder of the network's configuration")
}

pub fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output().context("could not start ip")?;
    ensure!(output.status.success(), "ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

/// One hierarchy of control groups (version 2), not one for each controller (version 1).
fn unified() -> bool {
    Path::new(CGROUPS).join("cgroup.controllers").exists()
}

/// The folders below which control groups are made.
pub fn hierarchies() -> Vec<PathBuf> {
    if unified() {
        return vec![CGROUPS.into()];
    }
    let entries = fs::read_dir(CGROUPS).into_iter().flatten().flatten();
    // Links are second names, such as cpu for cpu,cpuacct.
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).filter(|folder| folder.join("cgroup.procs").exists()).collect()
}

fn cgroups(place: &Place) -> Result<()> {
    for hierarchy in hierarchies() {
        let group = hierarchy.join(place.cgroup());
        fs::create_dir_all(&group).with_context(|| format!("could not make {}", group.display()))?;
        if unified() {
            continue;
        }
        // Empty in a new group of version 1, and no process can join before they are filled.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if let Ok(value) = fs::read_to_string(hierarchy.join(file)) {
                fs::write(group.join(file), value.trim()).with_context(|| format!("could not write {}", group.join(file).display()))?;
            }
        }
    }
    Ok(())
}
