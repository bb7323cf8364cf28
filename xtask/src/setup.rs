//! What the machine must have: asks, installs when it may, or says the one line to type.

use std::env;
use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::steps::Steps;
use crate::tree::{command, find_program, root};

/// For what the machine is made ready.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Build and show: compiler and browser target; fonts if npm is there.
    Demo,
    /// Also a browser, its fonts, and ordinary Redis clients.
    Test,
    /// Build the server's image: as for the demo, and a C compiler for programs without libraries.
    Image,
    /// Run a Kubernetes of our own; of the others only what images of the server need.
    Cluster,
}

/// Something that Debian has.
struct Package {
    name: &'static str,
    why: &'static str,
    present: fn() -> bool,
    needed: &'static [Need],
}

const ALL: &[Need] = &[Need::Demo, Need::Test, Need::Image, Need::Cluster];
const IMAGE: &[Need] = &[Need::Image, Need::Cluster];
const TEST: &[Need] = &[Need::Test];
const CLUSTER: &[Need] = &[Need::Cluster];

const PACKAGES: [Package; 14] = [
    Package { name: "build-essential", why: "a C compiler", present: has_cc, needed: ALL },
    Package { name: "nodejs", why: "browser tests and fonts", present: || has("node"), needed: TEST },
    Package { name: "npm", why: "browser tests and fonts", present: || has("npm"), needed: TEST },
    Package { name: "chromium", why: "browser tests", present: || has("chromium"), needed: TEST },
    Package { name: "fonts-dejavu-core", why: "text in screenshots", present: has_dejavu, needed: TEST },
    Package { name: "redis-server", why: "redis-cli, and the comparison in benches", present: has_redis, needed: TEST },
    Package { name: "python3-redis", why: "the ordinary Python client in tests", present: has_python_redis, needed: TEST },
    Package { name: "musl-tools", why: "the server without libraries", present: || has("musl-gcc"), needed: IMAGE },
    Package { name: "containerd", why: "containers", present: || has("containerd") && has("ctr"), needed: CLUSTER },
    Package { name: "runc", why: "containers", present: || has("runc"), needed: CLUSTER },
    Package { name: "containernetworking-plugins", why: "the pods' network", present: has_bridge_plugin, needed: CLUSTER },
    Package { name: "iproute2", why: "the pods' network", present: || has("ip"), needed: CLUSTER },
    Package { name: "nftables", why: "addresses of Services", present: || has("nft"), needed: CLUSTER },
    Package { name: "openssl", why: "certificates", present: || has("openssl"), needed: CLUSTER },
];

fn has(program: &str) -> bool {
    find_program(program).is_some()
}

fn has_cc() -> bool {
    has("cc")
}

fn has_redis() -> bool {
    has("redis-server") && has("redis-cli")
}

fn has_dejavu() -> bool {
    fs::exists("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf").unwrap_or(false)
}

fn has_bridge_plugin() -> bool {
    fs::exists("/usr/lib/cni/bridge").unwrap_or(false)
}

/// Debian's own Python, for which the package is; another `python3` may come first on PATH.
fn has_python_redis() -> bool {
    succeeds(Command::new("/usr/bin/python3").args(["-c", "import redis"]))
}

/// `cargo xtask setup`.
pub fn everything() -> Result<()> {
    set_up(&mut Steps::new(1), Need::Test)
}

/// Makes the machine ready, as the first step of another command.
pub fn set_up(steps: &mut Steps, need: Need) -> Result<()> {
    steps.own("set-up", || {
        let mut done = Vec::new();
        packages(need, &mut done)?;
        if matches!(need, Need::Image | Need::Cluster) {
            // Programs for images, which have no libraries.
            rust_target(&format!("{}-unknown-linux-musl", env::consts::ARCH), &mut done)?;
        }
        if need != Need::Cluster {
            rust_target("wasm32-unknown-unknown", &mut done)?;
            node_modules(need, &mut done)?;
        }
        Ok(((), if done.is_empty() { "nothing is missing".to_owned() } else { format!("installed {}", done.join(", ")) }))
    })
}

fn packages(need: Need, done: &mut Vec<String>) -> Result<()> {
    let missing: Vec<&Package> = PACKAGES.iter().filter(|package| package.needed.contains(&need) && !(package.present)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    let reasons: Vec<String> = missing.iter().map(|package| format!("{} ({})", package.name, package.why)).collect();
    if !rustix::process::geteuid().is_root() || !has("apt-get") {
        bail!("missing: {}\ntype:    sudo apt-get install -y {}", reasons.join(", "), names.join(" "));
    }
    eprintln!("installing {}", reasons.join(", "));
    install(&names)?;
    // Only the programs are wanted: the services that Debian starts with them would hold port 6379, and folders.
    for service in ["redis-server", "containerd"].iter().filter(|service| names.contains(service)) {
        stop_service(service);
    }
    done.extend(names.into_iter().map(str::to_owned));
    Ok(())
}

/// Installs packages of Debian, as root.
pub fn install(names: &[&str]) -> Result<()> {
    quietly(command("apt-get").arg("update"))?;
    quietly(command("apt-get").args(["install", "-y", "--no-install-recommends"]).args(names).env("DEBIAN_FRONTEND", "noninteractive"))
}

fn stop_service(name: &str) {
    if succeeds(Command::new("systemctl").args(["disable", "--now", name])) {
        return;
    }
    let _ = succeeds(Command::new("service").args([name, "stop"]));
}

fn rust_target(target: &str, done: &mut Vec<String>) -> Result<()> {
    let libraries = command("rustc").args(["--print", "target-libdir", "--target", target]).output()?;
    if fs::exists(String::from_utf8_lossy(&libraries.stdout).trim()).unwrap_or(false) {
        return Ok(());
    }
    if !has("rustup") {
        bail!("the Rust target {target} is missing, and rustup is not there to install it");
    }
    quietly(command("rustup").args(["target", "add", target]))?;
    done.push(target.to_owned());
    Ok(())
}

/// The fonts and the browser tests come from npm, exactly as locked.
fn node_modules(need: Need, done: &mut Vec<String>) -> Result<()> {
    let folder = root().join("end2end");
    let lock = fs::read(folder.join("package-lock.json"))?;
    let stamp = folder.join("node_modules/.installed-lock");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    if !has("npm") {
        if need != Need::Test {
            eprintln!("npm is not installed: the pages will use the system's fonts");
            return Ok(());
        }
        bail!("npm is missing");
    }
    quietly(command("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder))?;
    fs::write(stamp, lock)?;
    done.push("npm packages".to_owned());
    Ok(())
}

fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Runs without output; all of it is in the error when it fails.
fn quietly(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        bail!("{command:?} failed:\n{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
