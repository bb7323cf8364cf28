//! The Go compiler: found, judged, and called so that only what the modules pin is built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::place::sources;
use crate::setup::install;
use crate::tree::{command, find_program};

/// Where Go's own archive unpacks itself, often without being on PATH.
const USUAL: &str = "/usr/local/go/bin/go";
/// The first that fetches a newer one of itself, through the module proxy, when a module asks for it.
const FETCHES_ITSELF: Version = Version(1, 21, 0);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Version(u32, u32, u32);

pub struct Go {
    program: PathBuf,
    /// Whether it must fetch a newer one of itself.
    old: bool,
}

impl Go {
    /// The Go of this machine; Debian's is installed if there is none and it is new enough.
    ///
    /// # Errors
    /// None that can build the modules.
    pub fn find() -> Result<Self> {
        let wanted = wanted()?;
        let needs = format!("Go {} is needed to build Kubernetes", text(wanted));
        let place = "https://go.dev/dl/ has one to unpack in /usr/local";
        let Some(program) = program() else {
            let debian_helps = debian_has().is_some_and(|version| FETCHES_ITSELF <= version);
            if !debian_helps {
                bail!("{needs}, and there is none: {place}");
            }
            if !rustix::process::geteuid().is_root() {
                bail!("{needs}, and there is none\ntype:    sudo apt-get install -y golang-go");
            }
            install(&["golang-go"])?;
            return Self::find();
        };
        let output = command(&program).arg("version").env("GOTOOLCHAIN", "local").output().context("could not start go")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let found = said.split_whitespace().find_map(|word| version(word.strip_prefix("go")?));
        let found = found.with_context(|| format!("{} does not say its version: {said}", program.display()))?;
        if found < wanted && found < FETCHES_ITSELF {
            bail!("{needs}, and {} is {}: {place}", program.display(), text(found));
        }
        Ok(Self { program, old: found < wanted })
    }

    /// Builds the program in a folder of `end2end/cluster` exactly as its `go.mod` and `go.sum` say.
    pub fn build(&self, folder: &Path, out: &Path, kubernetes: &str) -> Command {
        let mut go = command(&self.program);
        go.args(["build", "-v", "-trimpath", "-ldflags"])
            .arg(format!("-s -w -X k8s.io/component-base/version.gitVersion={kubernetes}"))
            .arg("-o")
            .args([out, Path::new(".")])
            .current_dir(folder)
            .env("CGO_ENABLED", "0")
            .env("GOFLAGS", "-buildvcs=false -mod=readonly");
        if self.old {
            go.env("GOTOOLCHAIN", "auto");
        }
        go
    }
}

fn program() -> Option<PathBuf> {
    find_program("go").or_else(|| Some(PathBuf::from(USUAL)).filter(|path| path.is_file()))
}

/// What the module of Kubernetes asks for.
fn wanted() -> Result<Version> {
    let path = sources().join("kube/go.mod");
    let text = fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
    let line = text.lines().find_map(|line| line.strip_prefix("go "));
    line.and_then(version).with_context(|| format!("{}: no line says which Go it needs", path.display()))
}

/// Which one apt-get would install.
fn debian_has() -> Option<Version> {
    let output = command("apt-cache").args(["policy", "golang-go"]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let candidate = text.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?;
    version(candidate.rsplit(':').next()?)
}

/// `1.26.4`, `1.19~1`, `1.25rc1`: the numbers up to what is none.
fn version(text: &str) -> Option<Version> {
    let mut numbers = text.trim().split('.').map_while(|part| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    });
    Some(Version(numbers.next()?, numbers.next()?, numbers.next().unwrap_or(0)))
}

fn text(Version(major, minor, patch): Version) -> String {
    format!("{major}.{minor}.{patch}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers() {
        assert_eq!(version("1.26.4"), Some(Version(1, 26, 4)));
        assert_eq!(version("1.19~1"), Some(Version(1, 19, 0)));
        assert_eq!(version("1.25rc1"), Some(Version(1, 25, 0)));
        assert_eq!(version("(none)"), None);
        assert!(version("1.9.7") < version("1.26"));
    }

    #[test]
    fn the_module_says_what_it_needs() {
        assert!(FETCHES_ITSELF < wanted().unwrap());
    }
}
