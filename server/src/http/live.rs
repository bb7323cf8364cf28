//! Live streams: cursors over the store's sequence, resumed by `Last-Event-ID`. Slow clients lag and never lose.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use control::live::Frame;
use futures::Stream;
use serde::Deserialize;
use tokio::sync::watch;

use super::Web;
use super::failure::Failure;
use super::guard::Session;
use crate::clock::now_ms;
use crate::store::StoreError;
use crate::words::chain;

/// Frames read at once.
const LOT: u32 = 200;
/// Longest silence of the stream of all jobs.
const SILENCE: Duration = Duration::from_secs(1);
/// Frames are kept an hour: who had read everything a minute ago cannot have missed one since.
const LAG: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
pub struct Start {
    #[serde(default)]
    after: i64,
}

/// A reconnect is the same query: the browser says what it saw last.
fn cursor(headers: &HeaderMap, start: &Start) -> i64 {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    last.unwrap_or(start.after)
}

type Events = std::pin::Pin<Box<dyn Stream<Item = Result<Event, Infallible>> + Send>>;

fn sse(stream: Events) -> Sse<axum::response::sse::KeepAliveStream<Events>> {
    Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(5)))
}

/// Every frame of one job after the cursor.
pub async fn job(
    State(web): State<Web>,
    Path(id): Path<String>,
    Query(start): Query<Start>,
    Extension(session): Extension<Session>,
    headers: HeaderMap,
) -> Result<Sse<axum::response::sse::KeepAliveStream<Events>>, Failure> {
    // An unknown job would be silent for ever.
    web.server.manager.row(&id).await?;
    let state = Cursor::new(&web, session, cursor(&headers, &start));
    Ok(sse(Box::pin(futures::stream::unfold((state, id), |(mut state, id)| async move {
        loop {
            if let Some(event) = state.ready.next() {
                return Some((Ok(event), (state, id)));
            }
            let frames = match state.read(&id).await {
                Ok(Read::Frames(frames)) => frames,
                // Frames that this client has not seen are gone: it has to load the page again.
                Ok(Read::Gap { floor }) => {
                    state.seq = floor;
                    return Some((Ok(Event::default().event("gap").data("reload")), (state, id)));
                }
                Err(error) => {
                    tracing::error!("live stream of {id}: {}", chain(&error));
                    return None;
                }
            };
            if frames.is_empty() {
                if !state.wait().await {
                    return None;
                }
                continue;
            }
            let mut events = Vec::with_capacity(frames.len());
            for frame in frames {
                state.seq = frame.seq;
                if let Ok(event) = Event::default().id(frame.seq.to_string()).json_data(&frame) {
                    events.push(event);
                }
            }
            state.ready = events.into_iter();
        }
    }))))
}

/// Summaries of jobs that changed after the cursor.
pub async fn jobs(
    State(web): State<Web>,
    Query(start): Query<Start>,
    Extension(session): Extension<Session>,
    headers: HeaderMap,
) -> Sse<axum::response::sse::KeepAliveStream<Events>> {
    let state = Cursor::new(&web, session, cursor(&headers, &start));
    sse(Box::pin(futures::stream::unfold(state, |mut state| async move {
        loop {
            let (seq, changed) = match state.web.store.jobs_changed_after(state.seq, 1000).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::error!("live stream of jobs: {}", chain(&error));
                    return None;
                }
            };
            state.seq = state.seq.max(seq);
            if !changed.is_empty() {
                // Many jobs tick at the same second: one message carries them all.
                tokio::time::sleep(Duration::from_millis(100)).await;
                let event = Event::default().id(state.seq.to_string()).json_data(&changed).unwrap_or_default();
                return Some((Ok(event), state));
            }
            match tokio::time::timeout(SILENCE, state.wait()).await {
                Ok(true) => {}
                Ok(false) => return None,
                // Nothing changed; the page has to know that it would have heard.
                Err(_) => return Some((Ok(Event::default().data("[]")), state)),
            }
        }
    })))
}

struct Cursor {
    web: Web,
    seq: i64,
    changes: watch::Receiver<i64>,
    session: Session,
    signed_out: watch::Receiver<u64>,
    ready: std::vec::IntoIter<Event>,
    /// When this stream had last read all that there was.
    whole_at: Option<Instant>,
}

enum Read {
    Frames(Vec<Frame>),
    /// Frames up to this one are gone, and the cursor stands before it.
    Gap {
        floor: i64,
    },
}

impl Cursor {
    fn new(web: &Web, session: Session, seq: i64) -> Self {
        let (changes, signed_out) = (web.store.seq(), web.signed_out.subscribe());
        Self { web: web.clone(), seq, changes, session, signed_out, ready: Vec::new().into_iter(), whole_at: None }
    }

    /// The next frames of a job. Only a stream that begins or lags can have missed some.
    async fn read(&mut self, job: &str) -> Result<Read, StoreError> {
        let began = Instant::now();
        let frames = self.web.store.frames_after(job, self.seq, LOT).await?;
        if self.whole_at.is_none_or(|at| LAG < began.duration_since(at)) {
            // After the frames: what is removed between the two reads is then noticed.
            let floor = self.web.store.frames_floor(job).await?;
            if self.seq < floor {
                return Ok(Read::Gap { floor });
            }
        }
        if frames.len() < LOT as usize {
            self.whole_at = Some(began);
        }
        Ok(Read::Frames(frames))
    }

    /// Until something was committed; false when the server stops, or the person has signed out.
    async fn wait(&mut self) -> bool {
        loop {
            tokio::select! {
                changed = self.changes.changed() => return changed.is_ok(),
                () = self.web.stop.cancelled() => return false,
                _ = self.signed_out.changed() => match self.web.store.session(&self.session.0, now_ms()).await {
                    Ok(Some(_)) => {}
                    Ok(None) => return false,
                    Err(error) => {
                        tracing::error!("could not look up the session of a live stream: {}", chain(&error));
                        return false;
                    }
                },
            }
        }
    }
}
