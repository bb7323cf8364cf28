//! Debian's Python with the Redis client as the root of an image: packages unpacked, nothing installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::image::Layer;
use super::place::Place;
use crate::tree::find_program;

/// The package whose dependencies are all that is needed.
const PACKAGE: &str = "python3-redis";
/// Where in the image a script lies.
const APP: &str = "app";
/// What a program has no use for.
const LEFT_OUT: [&str; 5] = ["usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian", "usr/lib/valgrind"];

/// An image's root with a script as its program.
pub fn with_script(place: &Place, script: &Path) -> Result<Layer> {
    let text = fs::read(script).with_context(|| format!("could not read {}", script.display()))?;
    let name = script.file_name().context("a script has a name")?.to_string_lossy();
    let path = format!("{APP}/{name}");
    Layer::of_tree(&tree(place)?, (&path, &text), &["/usr/bin/python3", "-u", &format!("/{path}")])
}

/// The root file system, made once.
fn tree(place: &Place) -> Result<PathBuf> {
    let folder = place.bin().join("python");
    if folder.join("usr/bin/python3").exists() {
        return Ok(folder);
    }
    ensure!(find_program("apt-get").is_some(), "the image of Python is made of Debian's packages, and apt-get is not here");
    let unpacked = place.bin().join("python.new");
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked).with_context(|| format!("could not empty {}", unpacked.display()))?;
    }
    let packages = unpacked.join("packages");
    fs::create_dir_all(&packages).with_context(|| format!("could not make {}", packages.display()))?;
    let names = closure()?;
    let download = || said(Command::new("apt-get").arg("download").args(&names).current_dir(&packages));
    // Its lists may name versions that are no longer there.
    if download().is_err() {
        said(Command::new("apt-get").arg("update"))?;
        download()?;
    }
    for entry in fs::read_dir(&packages)?.flatten() {
        said(Command::new("dpkg-deb").arg("-x").arg(entry.path()).arg(&unpacked))?;
    }
    for path in LEFT_OUT.map(|path| unpacked.join(path)).iter().chain([&packages]).filter(|path| path.exists()) {
        fs::remove_dir_all(path).with_context(|| format!("could not remove {}", path.display()))?;
    }
    fs::rename(&unpacked, &folder).with_context(|| format!("could not make {}", folder.display()))?;
    Ok(folder)
}

/// Names of the packages to unpack: libraries and Python's own. Tools for installing and Perl are depended on, but not used.
fn closure() -> Result<Vec<String>> {
    let no = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"].map(|kind| format!("--no-{kind}"));
    let text = said(Command::new("apt-cache").args(["depends", "--recurse"]).args(no).arg(PACKAGE))?;
    let names = chosen(&text);
    if names.is_empty() {
        bail!("apt-cache knows no {PACKAGE}: run apt-get update");
    }
    Ok(names)
}

/// Lines at the margin name packages; the others say who depends on whom, and those between <> are not real.
fn chosen(text: &str) -> Vec<String> {
    let used = |name: &&str| ["lib", "python3", "zlib1g"].iter().any(|start| name.starts_with(start)) && !name.starts_with("libperl");
    text.lines().filter(used).map(str::to_owned).collect()
}

fn said(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("could not start {:?}", command.get_program()))?;
    ensure!(output.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_python_are_chosen() {
        let text = "python3-redis\n  Depends: python3\npython3\n<python3:any>\nlibc6\nlibperl5.36\nperl\nzlib1g\ndpkg\n";
        assert_eq!(chosen(text), ["python3-redis", "python3", "libc6", "zlib1g"]);
    }
}
