//! Live streams: cursors over the store's sequence, resumed by `Last-Event-ID`. Slow clients lag and never lose.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::response::sse::{Event, KeepAlive, Sse};
use control::live::Frame;
use futures::Stream;
use serde::Deserialize;
use tokio::sync::watch;

use super::Web;
use super::failure::Failure;
use super::guard::Session;
use crate::clock::now_ms;
use crate::lock::lock;
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

/// Streams of one session that stay open. A browser opens six connections to a server at most, and requests need some:
/// the pages beyond get what there is and an end, and their browser asks again with the same cursor.
const OPEN_STREAMS: usize = 4;
/// How soon it asks again.
const AGAIN: Duration = Duration::from_secs(1);

/// The open streams of each session; counted down when a stream is dropped.
#[derive(Clone, Default)]
pub struct Streams(Arc<Mutex<HashMap<Vec<u8>, usize>>>);

struct Place {
    streams: Streams,
    session: Vec<u8>,
}

impl Streams {
    /// A place for one more stream of this session, if there is one.
    fn place(&self, session: &Session) -> Option<Place> {
        let mut open = lock(&self.0);
        let count = open.entry(session.0.clone()).or_default();
        if *count >= OPEN_STREAMS {
            return None;
        }
        *count += 1;
        Some(Place { streams: self.clone(), session: session.0.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = lock(&self.streams.0);
        if let Some(count) = open.get_mut(&self.session) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.session);
            }
        }
    }
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
    let state = Cursor::new(&web, session, &headers, &start);
    Ok(sse(Box::pin(futures::stream::unfold((state, id), |(mut state, id)| async move {
        loop {
            if let Some(event) = state.ready.next() {
                return Some((Ok(event), (state, id)));
            }
            if let Stay::Short { told: true } = state.stay {
                return None;
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
            if let Some(again) = state.again(frames.is_empty()) {
                return Some((Ok(again), (state, id)));
            }
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
                    events.push(if matches!(state.stay, Stay::Short { .. }) { event.retry(AGAIN) } else { event });
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
    let state = Cursor::new(&web, session, &headers, &start);
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
            if let Stay::Short { told } = &mut state.stay {
                if std::mem::replace(told, true) {
                    return None;
                }
                let event = Event::default().id(state.seq.to_string()).retry(AGAIN).json_data(&changed).unwrap_or_default();
                return Some((Ok(event), state));
            }
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
    stay: Stay,
}

/// How long a stream stays open.
enum Stay {
    /// Until the page goes; a browser's stream holds one of its session's places.
    Long { _place: Option<Place> },
    /// Until it has told what there was.
    Short { told: bool },
}

enum Read {
    Frames(Vec<Frame>),
    /// Frames up to this one are gone, and the cursor stands before it.
    Gap {
        floor: i64,
    },
}

impl Cursor {
    fn new(web: &Web, session: Session, headers: &HeaderMap, start: &Start) -> Self {
        let seq = cursor(headers, start);
        // Programs with a token have as many connections as they want.
        let stay = if headers.contains_key(AUTHORIZATION) {
            Stay::Long { _place: None }
        } else {
            let place = web.streams.place(&session);
            place.map_or(Stay::Short { told: false }, |place| Stay::Long { _place: Some(place) })
        };
        let (changes, signed_out) = (web.store.seq(), web.signed_out.subscribe());
        Self { web: web.clone(), seq, changes, session, signed_out, ready: Vec::new().into_iter(), whole_at: None, stay }
    }

    /// The end of a short stream: when to ask again. Without any event a browser would keep its own, longer pause.
    fn again(&mut self, nothing: bool) -> Option<Event> {
        let Stay::Short { told } = &mut self.stay else { return None };
        *told = true;
        nothing.then(|| Event::default().retry(AGAIN).comment("nothing new"))
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

#[cfg(test)]
mod tests {
    use super::{OPEN_STREAMS, Session, Streams};

    #[test]
    fn a_browsers_requests_find_a_connection_however_many_pages_it_shows() {
        let streams = Streams::default();
        let (ann, bob) = (Session(vec![1]), Session(vec![2]));
        let mut places: Vec<_> = (0..OPEN_STREAMS).map(|_| streams.place(&ann)).collect();
        assert!(places.iter().all(Option::is_some) && streams.place(&ann).is_none());
        assert!(streams.place(&bob).is_some(), "each session has its own");
        places.pop();
        assert!(streams.place(&ann).is_some(), "a page that goes makes room");
        places.clear();
        assert!(streams.0.lock().unwrap().is_empty());
    }
}
