//! `cargo xtask image`: the server as an image of one static program and its pages, with nothing else in it.
//! `deploy/Containerfile` makes the same of the folder that `--tree` writes.

use std::env::consts::ARCH;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{self, Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::build::{browser_part, page_files};
use crate::cluster::image::{Layer, must_be_static};
use crate::setup::{Need, set_up};
use crate::steps::{Show, Steps};
use crate::tree::{cargo, command, root, site};

/// As the chart calls it.
pub const NAME: &str = "localhost/asperathos:0.1.0";
/// Nobody in particular, by number: the image has no list of users.
const USER: &str = "65532:65532";
const ENTRY: &str = "/asperathos";
const COMMAND: &str = "serve";
const ENVIRONMENT: [(&str, &str); 4] = [
    ("ASPERATHOS_SITE", "/site"),
    ("ASPERATHOS_DATA", "/data/asperathos"),
    ("ASPERATHOS_LISTEN", "0.0.0.0:1500"),
    ("ASPERATHOS_ALLOW_REMOTE", "true"),
];
/// By which the server knows whom it speaks with when prices come by https.
const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";

pub fn image(out: &Path, name: &str, tree: bool) -> Result<()> {
    let out = path::absolute(out)?;
    let mut steps = Steps::new(5);
    set_up(&mut steps, Need::Image)?;
    if !browser_part(&mut steps)?.ok {
        bail!("the browser part could not be built");
    }
    page_files(&mut steps)?;
    let mut server = build(&["--release", "-p", "server"]);
    ensure!(steps.run("server without libraries", &mut server, Show::Progress)?.ok, "the server could not be built");
    steps.own("image", || {
        if tree {
            fill(&out, "release")?;
        } else {
            write("release", &out, name)?;
        }
        Ok(((), out.display().to_string()))
    })
}

/// An image of the server that was built for it, and of the pages that are there.
pub fn write(profile: &str, out: &Path, name: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    fill(folder.path(), profile)?;
    Layer::of_server(folder.path(), ENTRY, COMMAND, USER, &ENVIRONMENT)?.write(out, name, &[])
}

/// Builds programs without libraries, in a target folder of their own: other builds beside it would wait for the lock.
pub fn build(what: &[&str]) -> Command {
    let mut build = cargo(&["build", "--target", &target(), "--target-dir", "target/image"]);
    build.args(what);
    build
}

/// Where such a program lies after that.
pub fn built(profile: &str, name: &str) -> PathBuf {
    root().join("target/image").join(target()).join(profile).join(name)
}

fn target() -> String {
    format!("{ARCH}-unknown-linux-musl")
}

/// Puts the image's root together.
fn fill(folder: &Path, profile: &str) -> Result<()> {
    let binary = built(profile, "asperathos");
    let inside = folder.join(ENTRY.trim_start_matches('/'));
    fs::create_dir_all(folder).with_context(|| format!("could not make {}", folder.display()))?;
    // What a debugger reads is most of it.
    let stripped = command("strip").arg("-o").args([&inside, &binary]).status().context("could not start strip")?;
    ensure!(stripped.success(), "could not copy {}", binary.display());
    must_be_static(&binary, &fs::read(&inside)?)?;
    if site().join("pkg").is_dir() {
        copy(&site(), &folder.join("site"))?;
    }
    // Where volumes are mounted; a folder that a volume lies over needs no owner.
    for name in ["data", "tmp"] {
        let inside = folder.join(name);
        fs::create_dir_all(&inside)?;
        fs::set_permissions(&inside, fs::Permissions::from_mode(0o1777))?;
    }
    let authorities = Path::new("/").join(AUTHORITIES);
    if authorities.is_file() {
        let inside = folder.join(AUTHORITIES);
        fs::create_dir_all(inside.parent().unwrap_or(folder))?;
        fs::copy(&authorities, &inside).context("could not copy the certificates of authorities")?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("could not list {}", from.display()))? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to)?;
        } else {
            fs::copy(&from, &to).with_context(|| format!("could not copy {}", from.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last stage of the Containerfile, as instructions and what follows them.
    fn last_stage() -> Vec<(String, String)> {
        let text = fs::read_to_string(root().join("deploy/Containerfile")).unwrap().replace("\\\n", " ");
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let all: Vec<(String, String)> =
            lines.filter_map(|line| line.split_once(' ')).map(|(one, two)| (one.to_owned(), two.trim().to_owned())).collect();
        let last = all.iter().rposition(|(instruction, _)| instruction == "FROM").unwrap();
        all[last..].to_vec()
    }

    #[test]
    fn the_containerfile_says_the_same() {
        let mut wanted = vec![
            ("FROM", "scratch".to_owned()),
            ("COPY", "--from=build /image/ /".to_owned()),
            ("USER", USER.to_owned()),
            ("ENTRYPOINT", format!("[\"{ENTRY}\"]")),
            ("CMD", format!("[\"{COMMAND}\"]")),
        ];
        let variables: Vec<String> = ENVIRONMENT.iter().map(|(name, value)| format!("{name}={value}")).collect();
        wanted.insert(3, ("ENV", variables.join(" ")));
        let said = last_stage();
        let said: Vec<(&str, String)> =
            said.iter().map(|(one, two)| (one.as_str(), two.split_whitespace().collect::<Vec<_>>().join(" "))).collect();
        assert_eq!(said, wanted);
    }

    #[test]
    fn the_chart_calls_it_by_its_name() {
        let values = fs::read_to_string(root().join("deploy/helm/asperathos/values.yaml")).unwrap();
        assert!(values.contains(&format!("name: {NAME}\n")));
    }
}
