//! The folder that the server serves: WebAssembly and its glue, one style sheet, fonts, pictures,
//! and a `.br` and `.gz` beside each, so that nothing is compressed while people wait.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

use crate::tree::{root, site};

/// Must be LEPTOS_OUTPUT_NAME of .cargo/config.toml.
const NAME: &str = "asperathos";
/// Formats that are compressed already.
const COMPRESSED: [&str; 6] = ["woff2", "png", "ico", "webp", "br", "gz"];
const FONTS: [&str; 2] = ["inter", "jetbrains-mono"];

/// Puts the site together from a WebAssembly file, unless nothing has changed since the last time.
/// Returns one line about what was done.
pub fn assemble(wasm: &Path) -> Result<String> {
    let inputs = inputs(wasm)?;
    let stamp = root().join("target/site.stamp");
    let now = fingerprint(&inputs)?;
    if fs::read_to_string(&stamp).is_ok_and(|before| before == now) && site().join("pkg").is_dir() {
        return Ok("unchanged".to_owned());
    }
    // Built beside and renamed: a running server never sees half of it.
    let fresh = root().join("target/site.new");
    remove_folder(&fresh)?;
    let pkg = fresh.join("pkg");
    fs::create_dir_all(&pkg)?;
    bind(wasm, &pkg)?;
    fs::write(pkg.join(format!("{NAME}.css")), style_sheet()?)?;
    copy_folder(&root().join("public"), &fresh)?;
    copy_fonts(&fresh.join("fonts"))?;
    compress_folder(&fresh)?;
    remove_folder(&site())?;
    fs::rename(&fresh, site()).context("could not put the new site in its place")?;
    fs::write(stamp, now)?;
    let sizes = sizes()?;
    Ok(format!("{} kB of program and style, compressed", sizes.iter().map(|size| size.brotli).sum::<u64>() / 1000))
}

/// One file of the page, in bytes.
pub struct Size {
    pub name: String,
    pub raw: u64,
    pub gzip: u64,
    pub brotli: u64,
}

/// What a browser must load before the page is alive: WebAssembly, glue and style sheet.
pub fn sizes() -> Result<Vec<Size>> {
    ["wasm", "js", "css"]
        .map(|end| {
            let name = format!("{NAME}.{end}");
            let length = |suffix: &str| -> Result<u64> {
                let path = site().join("pkg").join(format!("{name}{suffix}"));
                Ok(fs::metadata(&path).with_context(|| format!("{} is missing", path.display()))?.len())
            };
            Ok(Size { raw: length("")?, gzip: length(".gz")?, brotli: length(".br")?, name: name.clone() })
        })
        .into_iter()
        .collect()
}

fn inputs(wasm: &Path) -> Result<Vec<PathBuf>> {
    let mut inputs = vec![wasm.to_owned(), std::env::current_exe()?];
    for folder in ["style", "public"] {
        list(&root().join(folder), &mut inputs)?;
    }
    inputs.extend(FONTS.iter().map(|font| font_source(font)));
    inputs.sort();
    Ok(inputs)
}

/// Names, sizes and times: enough to know that nothing was touched.
fn fingerprint(inputs: &[PathBuf]) -> Result<String> {
    let mut text = String::new();
    for path in inputs {
        let Ok(about) = fs::metadata(path) else { continue };
        let changed = about.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        text.push_str(&format!("{} {} {changed}\n", path.display(), about.len()));
    }
    Ok(text)
}

fn bind(wasm: &Path, pkg: &Path) -> Result<()> {
    let mut bindgen = Bindgen::new();
    bindgen.input_path(wasm).web(true)?.out_name(NAME).typescript(false).remove_name_section(true).remove_producers_section(true);
    bindgen.generate(pkg).context("wasm-bindgen could not make the JavaScript glue")?;
    fs::rename(pkg.join(format!("{NAME}_bg.wasm")), pkg.join(format!("{NAME}.wasm")))?;
    Ok(())
}

/// The parts in the order that `style/order.txt` names: one a line, `#` for comments.
fn style_sheet() -> Result<String> {
    let folder = root().join("style");
    let order = fs::read_to_string(folder.join("order.txt")).context("could not read style/order.txt")?;
    let mut sheet = String::new();
    for name in order.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let part = fs::read_to_string(folder.join(name)).with_context(|| format!("could not read style/{name}"))?;
        sheet.push_str(&part);
        sheet.push('\n');
    }
    Ok(sheet)
}

fn font_source(font: &str) -> PathBuf {
    root().join(format!("end2end/node_modules/@fontsource-variable/{font}/files/{font}-latin-wght-normal.woff2"))
}

/// Without npm there are no font files; the style sheet then falls back to the system's.
fn copy_fonts(to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for font in FONTS {
        let from = font_source(font);
        if from.is_file() {
            fs::copy(&from, to.join(format!("{font}-latin-wght-normal.woff2")))?;
        }
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    let mut files = Vec::new();
    list(from, &mut files)?;
    for file in files {
        let target = to.join(file.strip_prefix(from)?);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(&file, target)?;
    }
    Ok(())
}

fn compress_folder(folder: &Path) -> Result<()> {
    let mut files = Vec::new();
    list(folder, &mut files)?;
    for file in files {
        let end = file.extension().and_then(|end| end.to_str()).unwrap_or_default();
        if COMPRESSED.contains(&end) {
            continue;
        }
        let content = fs::read(&file)?;
        let beside = |suffix: &str| {
            let mut name = file.clone().into_os_string();
            name.push(suffix);
            PathBuf::from(name)
        };
        let mut brotli = brotli::CompressorWriter::new(fs::File::create(beside(".br"))?, 64 * 1024, 11, 22);
        brotli.write_all(&content)?;
        brotli.flush()?;
        drop(brotli);
        let mut gzip = flate2::write::GzEncoder::new(fs::File::create(beside(".gz"))?, flate2::Compression::best());
        gzip.write_all(&content)?;
        gzip.finish()?;
    }
    Ok(())
}

/// Every file below a folder; none when the folder is not there.
fn list(folder: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, into)?;
        } else {
            into.push(path);
        }
    }
    Ok(())
}

fn remove_folder(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("could not remove {}", folder.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn compressed_copies_lie_beside_and_say_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let text = "body { color: black }\n".repeat(200);
        for name in ["main.css", "LICENSE", "font.woff2"] {
            fs::write(folder.path().join(name), &text).unwrap();
        }
        compress_folder(folder.path()).unwrap();
        for name in ["main.css", "LICENSE"] {
            let beside = |suffix: &str| fs::read(folder.path().join(format!("{name}{suffix}"))).unwrap();
            let mut unpacked = String::new();
            brotli::Decompressor::new(beside(".br").as_slice(), 4096).read_to_string(&mut unpacked).unwrap();
            assert_eq!(unpacked, text);
            unpacked.clear();
            flate2::read::GzDecoder::new(beside(".gz").as_slice()).read_to_string(&mut unpacked).unwrap();
            assert_eq!(unpacked, text);
        }
        assert!(!folder.path().join("font.woff2.br").exists(), "fonts are compressed already");
    }
}
