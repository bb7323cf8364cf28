//! What a replica prints: files that outlive the server and the replica. Bounded from the head.
//! Processes write them by themselves.
//!
//! The head is cut by freeing its blocks, which leaves a hole: no byte that is written meanwhile is lost,
//! and offsets stay what they were, also after a restart. A log looks long, and takes little.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FallocateFlags, SeekFrom, fallocate, seek},
    io::Errno,
};

use crate::platform::{LogChunk, LogStream, PlatformError, replica_id};

/// As much as a page shows at once.
const CHUNK: u64 = 64 * 1024;
/// Beside the logs, for servers that come later: the limit in bytes.
const LIMIT_FILE: &str = "log_limit";
const DEFAULT_LIMIT: u64 = 1024 * 1024;

/// A replica's files.
///
/// # Errors
/// When a name cannot be that of a folder.
pub fn folder_of(data_dir: &Path, job: &str, replica: &str) -> Result<PathBuf, PlatformError> {
    // Names become paths: nothing in them may lead out of the data folder.
    let plain = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if plain(job) && plain(replica) {
        Ok(data_dir.join("jobs").join(job).join("replicas").join(replica))
    } else {
        Err(PlatformError::Name { name: replica.to_owned() })
    }
}

/// What a replica printed, as `Platform::log` says.
///
/// # Errors
/// As `Platform::log`.
pub fn read(data_dir: &Path, replica: &str, stream: LogStream, from: Option<u64>) -> Result<LogChunk, PlatformError> {
    let unknown = || PlatformError::Name { name: replica.to_owned() };
    let (job, _) = replica_id::split(replica).ok_or_else(unknown)?;
    let folder = folder_of(data_dir, job, replica)?;
    Logs::open(&folder).read(stream, from).map_err(|cause| match cause.kind() {
        ErrorKind::NotFound => PlatformError::NoLog { replica: replica.to_owned() },
        _ => PlatformError::ReadLog { replica: replica.to_owned(), cause },
    })
}

/// The two logs of one replica.
#[derive(Debug, Clone)]
pub struct Logs {
    folder: PathBuf,
    /// Bytes for each log.
    limit: u64,
}

impl Logs {
    /// For a replica that starts now.
    ///
    /// # Errors
    /// When the limit cannot be written down.
    pub fn create(folder: &Path, limit: u64) -> io::Result<Self> {
        fs::write(folder.join(LIMIT_FILE), limit.to_string())?;
        Ok(Self { folder: folder.to_owned(), limit })
    }

    /// For a replica that was started earlier.
    pub fn open(folder: &Path) -> Self {
        let limit = fs::read_to_string(folder.join(LIMIT_FILE)).ok().and_then(|text| text.trim().parse().ok());
        Self { folder: folder.to_owned(), limit: limit.unwrap_or(DEFAULT_LIMIT) }
    }

    /// The file that the process gets. Appending, so that several processes of a tree do not overwrite each other.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn writer(&self, stream: LogStream) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(self.file(stream))
    }

    /// Cuts each log that is over its limit to the newest half of it.
    ///
    /// # Errors
    /// When a log can neither be cut nor copied.
    pub fn trim(&self) -> io::Result<()> {
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            match OpenOptions::new().read(true).write(true).open(self.file(stream)) {
                Ok(file) => trim(&file, self.limit)?,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// At most 64 KiB from an offset, or the newest 64 KiB.
    ///
    /// # Errors
    /// When the log does not exist or cannot be read.
    pub fn read(&self, stream: LogStream, from: Option<u64>) -> io::Result<LogChunk> {
        let file = File::open(self.file(stream))?;
        let end = file.metadata()?.len();
        let head = head(&file, end)?;
        let mut from = from.unwrap_or(end.saturating_sub(CHUNK)).clamp(head, end);
        let mut bytes = vec![0; usize::try_from(CHUNK.min(end - from)).unwrap_or_default()];
        let got = read_at(&file, &mut bytes, from)?;
        bytes.truncate(got);

        let cut = inside_a_character(&bytes);
        bytes.drain(..cut);
        from += cut as u64;
        bytes.truncate(whole_characters(&bytes));
        Ok(LogChunk { from, next: from + bytes.len() as u64, text: String::from_utf8_lossy(&bytes).into_owned() })
    }

    fn file(&self, stream: LogStream) -> PathBuf {
        self.folder.join(match stream {
            LogStream::Stdout => "stdout.log",
            LogStream::Stderr => "stderr.log",
        })
    }
}

/// Where the kept part begins.
fn head(file: &File, end: u64) -> io::Result<u64> {
    match seek(file, SeekFrom::Data(0)) {
        Ok(first) => Ok(first.min(end)),
        Err(Errno::NXIO) => Ok(end),
        // A file system without holes keeps everything.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

fn trim(file: &File, limit: u64) -> io::Result<()> {
    let about = file.metadata()?;
    let end = about.len();
    if end - head(file, end)? <= limit {
        return Ok(());
    }
    // Only whole blocks are freed; the rest of one would read as NUL bytes.
    let block = about.blksize().max(1);
    let cut = (end - limit / 2) / block * block;
    match fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, 0, cut) {
        Ok(()) => Ok(()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => trim_by_copy(file, cut, end),
        Err(error) => Err(error.into()),
    }
}

/// For file systems that cannot free a head: the tail is written anew behind an empty stretch.
/// What is written in this very moment may be lost or come first.
fn trim_by_copy(file: &File, cut: u64, end: u64) -> io::Result<()> {
    let mut tail = vec![0; usize::try_from(end - cut).map_err(io::Error::other)?];
    let got = read_at(file, &mut tail, cut)?;
    file.set_len(0)?;
    file.set_len(end)?;
    file.write_all_at(&tail[..got], cut)
}

fn read_at(file: &File, bytes: &mut [u8], from: u64) -> io::Result<usize> {
    let mut got = 0;
    while got < bytes.len() {
        match file.read_at(&mut bytes[got..], from + got as u64) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

/// Bytes at the start that belong to a character which began before.
fn inside_a_character(bytes: &[u8]) -> usize {
    bytes.iter().take(3).take_while(|byte| **byte & 0b1100_0000 == 0b1000_0000).count()
}

/// Length up to which no character is cut; the rest of it comes with the next chunk.
fn whole_characters(bytes: &[u8]) -> usize {
    let last = bytes.len().saturating_sub(3);
    for place in (last..bytes.len()).rev() {
        let length = match bytes[place] {
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            0x80..=0xBF => continue,
            _ => 1,
        };
        return if bytes.len() < place + length { place } else { bytes.len() };
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_reader_that_follows_sees_every_character_whole() {
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::create(folder.path(), 1 << 20).unwrap();
        let text = "äöü€𝄞 ".repeat(20_000);
        logs.writer(LogStream::Stdout).unwrap().write_all(text.as_bytes()).unwrap();
        let (mut seen, mut at) = (String::new(), 0);
        loop {
            let chunk = logs.read(LogStream::Stdout, Some(at)).unwrap();
            if chunk.text.is_empty() {
                break;
            }
            (seen, at) = (seen + &chunk.text, chunk.next);
        }
        assert!(seen == text);
        let newest = logs.read(LogStream::Stdout, None).unwrap();
        assert_eq!(newest.next, text.len() as u64);
        assert!(text.ends_with(&newest.text));
    }

    #[test]
    fn the_head_is_cut_the_rest_and_its_offsets_stay() {
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::create(folder.path(), 64 * 1024).unwrap();
        let mut writer = logs.writer(LogStream::Stderr).unwrap();
        let text: String = (0..100_000).map(|line| format!("line {line}\n")).collect();
        for part in text.as_bytes().chunks(50_000) {
            writer.write_all(part).unwrap();
            logs.trim().unwrap();
            let kept = fs::metadata(folder.path().join("stderr.log")).unwrap().blocks() * 512;
            assert!(kept <= 64 * 1024 + 4096, "{kept}");
        }
        // A server that comes later knows limit and offsets.
        let logs = Logs::open(folder.path());
        let chunk = logs.read(LogStream::Stderr, Some(0)).unwrap();
        assert!(chunk.from > 0);
        assert_eq!(chunk.text, text[chunk.from as usize..chunk.next as usize]);
        assert_eq!(chunk.next, text.len() as u64);
    }

    #[test]
    fn without_holes_the_tail_is_copied_to_the_same_place() {
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::create(folder.path(), 64 * 1024).unwrap();
        let text: String = (0..30_000).map(|line| format!("line {line}\n")).collect();
        let mut writer = logs.writer(LogStream::Stdout).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
        let file = OpenOptions::new().read(true).write(true).open(logs.file(LogStream::Stdout)).unwrap();
        let end = text.len() as u64;
        let cut = (end - 32 * 1024) / 4096 * 4096;
        trim_by_copy(&file, cut, end).unwrap();
        writer.write_all(b"more\n").unwrap();
        let chunk = logs.read(LogStream::Stdout, Some(0)).unwrap();
        assert_eq!(chunk.text, format!("{}more\n", &text[cut as usize..]));
    }
}
