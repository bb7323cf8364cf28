//! Images without an engine: one layer and what describes it, as an archive that `ctr images import` reads.

use std::env::consts::ARCH;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tar::{Builder, EntryType, Header, HeaderMode};

use super::place::write;

/// A root file system, and how its program is called.
pub struct Layer {
    archive: Builder<Vec<u8>>,
    entry: Vec<String>,
    /// What it is called with when nothing else is said.
    command: Vec<String>,
    /// As whom it runs: `USER:GROUP`; empty is root.
    user: String,
    environment: Vec<String>,
}

impl Layer {
    fn empty() -> Result<Self> {
        let mut archive = Builder::new(Vec::new());
        // The same files make the same image, whoever owns them here.
        archive.mode(HeaderMode::Deterministic);
        archive.follow_symlinks(false);
        let environment = vec!["PATH=/usr/local/bin:/usr/bin:/bin".to_owned()];
        let mut layer = Self { archive, entry: Vec::new(), command: Vec::new(), user: String::new(), environment };
        layer.folder("etc/", 0o755)?;
        layer.folder("tmp/", 0o1777)?;
        Ok(layer)
    }

    /// One static binary, at the root.
    ///
    /// # Errors
    /// It is no program, or one that needs libraries, which no container of it would have.
    pub fn of_binary(binary: &Path) -> Result<Self> {
        let name = binary.file_name().context("a binary has a name")?.to_string_lossy().into_owned();
        let mut layer = Self::empty()?;
        layer.program(&name, binary)?;
        layer.entry = vec![format!("/{name}")];
        Ok(layer)
    }

    /// A folder as the root, and a file beside what is in it. `entry` is the program and its first arguments.
    pub fn of_tree(tree: &Path, more: (&str, &[u8]), entry: &[&str]) -> Result<Self> {
        let mut layer = Self::empty()?;
        layer.archive.append_dir_all(".", tree).with_context(|| format!("could not pack {}", tree.display()))?;
        layer.file(more.0, more.1, 0o644)?;
        layer.entry = entry.iter().map(|&word| word.to_owned()).collect();
        Ok(layer)
    }

    /// A folder as the root, whose program runs as somebody and with variables of its own; `data` and `tmp` are anybody's.
    pub fn of_server(tree: &Path, entry: &str, command: &str, user: &str, environment: &[(&str, &str)]) -> Result<Self> {
        let mut layer = Self::empty()?;
        layer.archive.append_dir_all(".", tree).with_context(|| format!("could not pack {}", tree.display()))?;
        // A tree that is packed for everybody loses what is special about its folders.
        for folder in ["data/", "tmp/"] {
            layer.folder(folder, 0o1777)?;
        }
        layer.entry = vec![entry.to_owned()];
        layer.command = vec![command.to_owned()];
        layer.user = user.to_owned();
        layer.environment.extend(environment.iter().map(|(name, value)| format!("{name}={value}")));
        Ok(layer)
    }

    fn folder(&mut self, path: &str, mode: u32) -> Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Directory);
        header.set_mode(mode);
        header.set_size(0);
        self.archive.append_data(&mut header, path, std::io::empty()).with_context(|| format!("could not pack {path}"))
    }

    /// Adds a static program.
    pub fn program(&mut self, path: &str, binary: &Path) -> Result<()> {
        let bytes = fs::read(binary).with_context(|| format!("could not read {}", binary.display()))?;
        must_be_static(binary, &bytes)?;
        self.file(path, &bytes, 0o755)
    }

    fn file(&mut self, path: &str, bytes: &[u8], mode: u32) -> Result<()> {
        append(&mut self.archive, path, bytes, mode)
    }

    /// Writes the image; `arguments` follow the program.
    ///
    /// # Errors
    /// `name` has no tag, or the archive cannot be written.
    pub fn write(self, out: &Path, name: &str, arguments: &[String]) -> Result<()> {
        let tagged = name.rsplit_once(':').is_some_and(|(name, tag)| !name.is_empty() && !tag.is_empty() && !tag.contains('/'));
        ensure!(tagged, "{name}: an image is called NAME:TAG, such as localhost/worker:1");
        let layer = self.archive.into_inner().context("could not pack the layer")?;
        let entry: Vec<&String> = self.entry.iter().chain(arguments).collect();
        let config = json!({
            "architecture": architecture(),
            "os": "linux",
            "config": {"Entrypoint": entry, "Cmd": self.command, "User": self.user, "Env": self.environment},
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", digest(&layer)?)]},
        })
        .to_string();
        let config_name = format!("{}.json", digest(config.as_bytes())?);
        let manifest = json!([{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]).to_string();
        let mut image = Builder::new(Vec::new());
        append(&mut image, &config_name, config.as_bytes(), 0o644)?;
        append(&mut image, "layer.tar", &layer, 0o644)?;
        append(&mut image, "manifest.json", manifest.as_bytes(), 0o644)?;
        write(out, image.into_inner().context("could not pack the image")?)
    }
}

/// # Errors
/// It is no program, or one that needs libraries, which no container of it would have.
pub fn must_be_static(binary: &Path, bytes: &[u8]) -> Result<()> {
    ensure!(bytes.starts_with(b"\x7fELF"), "{}: not a program of Linux", binary.display());
    ensure!(
        !asks_for_loader(bytes),
        "{}: linked to libraries, which the image would lack; build it with --target {ARCH}-unknown-linux-musl",
        binary.display()
    );
    Ok(())
}

fn append(archive: &mut Builder<Vec<u8>>, path: &str, bytes: &[u8], mode: u32) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(mode);
    header.set_size(bytes.len() as u64);
    archive.append_data(&mut header, path, bytes).with_context(|| format!("could not pack {path}"))
}

/// SHA-256 in hexadecimal, by the program that every Linux has: a library for it would cost everybody's first build seconds.
fn digest(bytes: &[u8]) -> Result<String> {
    let mut program =
        Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("could not start sha256sum")?;
    let mut input = program.stdin.take().context("sha256sum has no input")?;
    // It says nothing before its input ends.
    input.write_all(bytes).context("sha256sum does not read")?;
    drop(input);
    let output = program.wait_with_output().context("could not wait for sha256sum")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let digest = said.split_whitespace().next().unwrap_or_default();
    ensure!(digest.len() == 64, "sha256sum said: {said}");
    Ok(digest.to_owned())
}

/// This machine, in the words of images.
fn architecture() -> &'static str {
    match ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Whether a 64-bit ELF file names a loader (a program header of type `PT_INTERP`), as all do that need libraries.
fn asks_for_loader(elf: &[u8]) -> bool {
    const PT_INTERP: u64 = 3;
    let number = |at: usize, size: usize| -> Option<u64> {
        let bytes = elf.get(at..at.checked_add(size)?)?;
        Some(bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    };
    let (Some(table), Some(size), Some(count)) = (number(32, 8), number(54, 2), number(56, 2)) else { return false };
    let header = |index: u64| usize::try_from(table + index * size).ok().and_then(|at| number(at, 4));
    (0..count).any(|index| header(index) == Some(PT_INTERP))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn unpack(archive: impl Read) -> Vec<(String, u32, Vec<u8>)> {
        let mut archive = tar::Archive::new(archive);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap(), bytes)
        });
        entries.collect()
    }

    #[test]
    fn an_image_says_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir_all(tree.join("usr/bin")).unwrap();
        fs::write(tree.join("usr/bin/tool"), "#!").unwrap();
        std::os::unix::fs::symlink("tool", tree.join("usr/bin/link")).unwrap();
        let out = folder.path().join("image.tar");
        let layer = Layer::of_tree(&tree, ("worker.py", b"print(1)"), &["/usr/bin/tool"]).unwrap();
        layer.write(&out, "localhost/worker:1", &["--fast".to_owned()]).unwrap();

        let image = unpack(fs::File::open(&out).unwrap());
        let [config, layer, manifest] = &image[..] else { panic!("{} files", image.len()) };
        let manifest: serde_json::Value = serde_json::from_slice(&manifest.2).unwrap();
        assert_eq!(manifest[0]["Config"], config.0.as_str());
        assert_eq!(manifest[0]["RepoTags"][0], "localhost/worker:1");
        assert_eq!(config.0, format!("{}.json", digest(&config.2).unwrap()));
        let config: serde_json::Value = serde_json::from_slice(&config.2).unwrap();
        assert_eq!(config["config"]["Entrypoint"], json!(["/usr/bin/tool", "--fast"]));
        assert_eq!(config["rootfs"]["diff_ids"][0], format!("sha256:{}", digest(&layer.2).unwrap()));
        let files = unpack(&layer.2[..]);
        let file = |name: &str| files.iter().find(|(path, ..)| path.trim_start_matches("./") == name).unwrap();
        assert_eq!(file("tmp/").1 & 0o7777, 0o1777);
        assert_eq!(file("worker.py").2, b"print(1)");
        assert_eq!(file("usr/bin/tool").2, b"#!");
        assert!(file("usr/bin/link").2.is_empty());
    }

    #[test]
    fn what_cannot_run_in_an_image_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("script.sh");
        fs::write(&text, "echo").unwrap();
        let said = |path: &Path| Layer::of_binary(path).err().unwrap().to_string();
        assert!(said(&text).contains("not a program"));
        // This very test is linked to the C library.
        assert!(said(&std::env::current_exe().unwrap()).contains("-unknown-linux-musl"));
        assert!(said(Path::new("/nowhere")).contains("/nowhere"));
        let unnamed = Layer::of_tree(folder.path(), ("x", b""), &["/x"]).unwrap().write(&folder.path().join("o"), "worker", &[]);
        assert!(unnamed.unwrap_err().to_string().contains("NAME:TAG"));
    }
}
