//! Loads a job's items: inline, from an upload or from a URL, streamed in order. Items are opaque lines.

use std::net::{IpAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use control::job::Workload;
use futures::TryStreamExt as _;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, BufReader};
use tokio_util::io::StreamReader;

pub use super::submission::ITEM_LIMIT;
use crate::queue::{Queue, QueueError};

/// Most items of one job.
pub const ITEMS_LIMIT: u64 = 10_000_000;
/// Longest uploaded or fetched workload, bytes.
pub const BYTES_LIMIT: u64 = 1 << 30;
/// Longest list of typed items that stays in its submission, bytes.
const INLINE_KEPT: usize = 64 << 10;
/// How long a fetch may take.
const FETCH_TIME: Duration = Duration::from_secs(600);
/// Items are handed to the queue in lots of this many, or of so many bytes.
const LOT: usize = 10_000;
const LOT_BYTES: usize = 4 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    #[error("could not read the upload {upload}: upload the file again")]
    Upload {
        upload: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("could not fetch {url}: {why}")]
    Fetch { url: String, why: String },
    #[error("could not read the workload at line {line}")]
    Read {
        line: u64,
        #[source]
        cause: std::io::Error,
    },
    #[error("line {line} of the workload is longer than {ITEM_LIMIT} bytes")]
    LongItem { line: u64 },
    #[error("the workload has more than {ITEMS_LIMIT} items")]
    TooMany,
    #[error("the workload has no items")]
    Empty,
    #[error("could not put the items into the queue")]
    Queue(#[from] QueueError),
}

/// What a server answers with when it means people: an error or sign-in page, whatever its status says.
const PAGES: [&str; 2] = ["text/html", "application/xhtml"];

/// Ids of uploads are ULIDs: nothing that could name another file.
pub fn is_upload_id(text: &str) -> bool {
    ulid::Ulid::from_string(text).is_ok()
}

pub fn upload_file(uploads: &Path, id: &str) -> PathBuf {
    uploads.join(id)
}

/// A long list of typed items becomes an upload: what was submitted travels with every page of its job.
///
/// # Errors
/// When the file cannot be written.
pub async fn apart(workload: Workload, uploads: &Path) -> std::io::Result<Workload> {
    match workload {
        Workload::Inline { items } if INLINE_KEPT < items.len() => {
            let upload = ulid::Ulid::new().to_string();
            tokio::fs::write(upload_file(uploads, &upload), items).await?;
            Ok(Workload::Upload { upload })
        }
        other => Ok(other),
    }
}

/// A URL that this server is ready to ask: http or https, not a link-local or metadata address.
///
/// # Errors
/// What is wrong and what would be right, in words.
pub fn check_url(text: &str) -> Result<(), String> {
    let url = reqwest::Url::parse(text.trim()).map_err(|error| format!("is not a URL ({error}); such as http://example.org/items.txt"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("must begin with http:// or https://, was {}", url.scheme()));
    }
    match url.host() {
        Some(url::Host::Ipv4(ip)) if forbidden(IpAddr::V4(ip)) => Err(format!("{ip} is an address that this server does not fetch from")),
        Some(url::Host::Ipv6(ip)) if forbidden(IpAddr::V6(ip)) => Err(format!("{ip} is an address that this server does not fetch from")),
        Some(_) => Ok(()),
        None => Err("has no host".to_owned()),
    }
}

/// Link-local addresses hold the metadata services of clouds.
pub fn forbidden(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => forbidden(IpAddr::V4(ip)),
            None => ip.is_unicast_link_local() || ip.is_unspecified() || ip.is_multicast() || ip.segments()[..2] == [0xfd00, 0x0ec2],
        },
    }
}

/// Puts all items into the queue, in order, and seals it. Starts from nothing, so that it may be repeated after a crash.
/// Returns when all of it is kept, which a Redis that is away can hold up.
pub async fn load(workload: &Workload, uploads: &Path, queue: &Queue) -> Result<(), WorkloadError> {
    queue.clear()?;
    match workload {
        Workload::Inline { items } => lines(items.as_bytes(), queue).await?,
        Workload::Upload { upload } => {
            lines(opened(uploads, upload).await?, queue).await?;
        }
        Workload::Url { url } => fetch(url, queue).await?,
    }
    if queue.counts().total == 0 {
        return Err(WorkloadError::Empty);
    }
    queue.seal()?;
    queue.written().await?;
    Ok(())
}

/// GET of a URL as a user gave it, from no address that this server does not fetch from. Only status 200 is an answer.
///
/// # Errors
/// Why there is none, in words.
pub async fn get(url: &str, within: Duration) -> Result<reqwest::Response, String> {
    let parsed = reqwest::Url::parse(url.trim()).map_err(|error| error.to_string())?;
    let host = parsed.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = parsed.port_or_known_default().unwrap_or(80);
    // Resolved once and pinned, so that a name cannot turn into another address after the check.
    let name = host.clone();
    let addresses: Vec<_> = tokio::task::spawn_blocking(move || (name.as_str(), port).to_socket_addrs().map(Iterator::collect))
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| format!("its host cannot be found ({error})"))?;
    if let Some(address) = addresses.iter().find(|address| forbidden(address.ip())) {
        return Err(format!("it leads to {}, which this server does not fetch from", address.ip()));
    }
    let client = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(10))
        .timeout(within)
        .redirect(reqwest::redirect::Policy::none())
        .resolve_to_addrs(&host, &addresses)
        .no_proxy()
        .build()
        .map_err(|error| error.to_string())?;
    let response = client.get(parsed).send().await.map_err(|error| unanswered(&error))?;
    let status = response.status();
    if status.is_redirection() {
        let to = response.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or("another address");
        return Err(format!("it answered {status} and leads to {to}; redirects are not followed, so give that address"));
    }
    if status != reqwest::StatusCode::OK {
        return Err(format!("it answered {status} instead of 200"));
    }
    Ok(response)
}

/// An error page never becomes a workload.
async fn fetch(url: &str, queue: &Queue) -> Result<(), WorkloadError> {
    let fail = |why: String| WorkloadError::Fetch { url: url.to_owned(), why };
    let response = get(url, FETCH_TIME).await.map_err(fail)?;
    let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if PAGES.iter().any(|page| kind.trim_start().to_ascii_lowercase().starts_with(page)) {
        return Err(fail(format!("it answered with a web page ({kind}) instead of a list of items, one a line")));
    }
    let body = response.bytes_stream().map_err(std::io::Error::other);
    lines(StreamReader::new(body), queue).await
}

/// Why a request has no answer: what the system said, without the layers between.
fn unanswered(error: &reqwest::Error) -> String {
    let mut root: &dyn std::error::Error = error;
    while let Some(source) = root.source() {
        root = source;
    }
    match error {
        error if error.is_timeout() => "it did not answer in time".to_owned(),
        error if error.is_connect() => format!("no connection to it ({root})"),
        _ => root.to_string(),
    }
}

async fn lines(reader: impl AsyncBufRead + Unpin, queue: &Queue) -> Result<(), WorkloadError> {
    let mut items = Items::of(reader);
    let mut lot = Lot::default();
    while let Some(item) = items.next().await? {
        lot.add(item);
        if lot.is_full() {
            queue.append(&std::mem::take(&mut lot).items)?;
            // No faster than they are kept, or they would pile up in memory.
            queue.written().await?;
            tokio::task::yield_now().await;
        }
    }
    queue.append(&lot.items)?;
    Ok(())
}

/// How many items a workload has; `None` when that is known only by fetching it, or where no uploads are.
pub async fn count(workload: &Workload, uploads: Option<&Path>) -> Result<Option<u64>, WorkloadError> {
    match (workload, uploads) {
        (Workload::Inline { items }, _) => Items::of(items.as_bytes()).count().await.map(Some),
        (Workload::Upload { upload }, Some(uploads)) => Items::of(opened(uploads, upload).await?).count().await.map(Some),
        _ => Ok(None),
    }
}

async fn opened(uploads: &Path, upload: &str) -> Result<BufReader<tokio::fs::File>, WorkloadError> {
    let file = tokio::fs::File::open(upload_file(uploads, upload)).await;
    file.map(|file| BufReader::with_capacity(1 << 16, file)).map_err(|cause| WorkloadError::Upload { upload: upload.to_owned(), cause })
}

/// The items of a text. Splits on LF. The last line counts with or without its LF; a CR at the end of a line and
/// empty lines are dropped.
struct Items<R> {
    reader: R,
    buffer: Vec<u8>,
    line: u64,
    bytes: u64,
    items: u64,
}

impl<R: AsyncBufRead + Unpin> Items<R> {
    fn of(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), line: 0, bytes: 0, items: 0 }
    }

    /// The next item, until there are no more.
    async fn next(&mut self) -> Result<Option<&[u8]>, WorkloadError> {
        loop {
            self.buffer.clear();
            self.line += 1;
            let line = self.line;
            let limited = &mut tokio::io::AsyncReadExt::take(&mut self.reader, ITEM_LIMIT as u64 + 2);
            let read = limited.read_until(b'\n', &mut self.buffer).await.map_err(|cause| WorkloadError::Read { line, cause })?;
            self.bytes += read as u64;
            let text = self.text();
            if text.len() > ITEM_LIMIT {
                return Err(WorkloadError::LongItem { line });
            }
            self.items += u64::from(!text.is_empty());
            if self.items > ITEMS_LIMIT || self.bytes > BYTES_LIMIT {
                return Err(WorkloadError::TooMany);
            }
            if !text.is_empty() {
                return Ok(Some(&self.buffer[text]));
            }
            if read == 0 {
                return Ok(None);
            }
        }
    }

    /// Where in the buffer the line's own text is.
    fn text(&self) -> std::ops::Range<usize> {
        let text = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        // Editors of some systems begin files with a byte-order mark; it is no part of the first item.
        let marked = self.line == 1 && text.starts_with(BYTE_ORDER_MARK);
        if marked { BYTE_ORDER_MARK.len()..text.len() } else { 0..text.len() }
    }

    async fn count(mut self) -> Result<u64, WorkloadError> {
        while self.next().await?.is_some() {}
        Ok(self.items)
    }
}

/// Items on their way to the queue.
#[derive(Default)]
struct Lot {
    items: Vec<Bytes>,
    bytes: usize,
}

impl Lot {
    fn add(&mut self, item: &[u8]) {
        self.items.push(Bytes::copy_from_slice(item));
        self.bytes += item.len();
    }

    fn is_full(&self) -> bool {
        LOT <= self.items.len() || LOT_BYTES <= self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lot_is_full_by_number_or_by_size() {
        let filled = |size: usize| {
            let mut lot = Lot::default();
            while !lot.is_full() {
                lot.add(&vec![b'x'; size]);
            }
            lot.items.len()
        };
        assert_eq!(filled(8), 10_000);
        assert_eq!(filled(ITEM_LIMIT), 4);
    }
}
