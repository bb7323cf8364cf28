//! Live data: a server-sent stream into signals. Opened in effects only, so never on the server;
//! closed when the page goes. The stream goes on after the `seq` of the first paint: no gap, no double fetch.

use std::{cell::Cell, rc::Rc, time::Duration};

use control::{
    job::JobSpec,
    live::{Frame, JobSummary, LoopView, Mark, Point, Record, ReplicaView},
    plugin::KindInfo,
};
use leptos::{prelude::*, task::spawn_local};
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{EventSource, MessageEvent};

use crate::{
    api::{
        ask::{Question, ask},
        error::ApiError,
        jobs::{JobPage, Refused, WIDTH},
    },
    chart::{
        kinds::{Facts, SeriesMap, by_name},
        model,
    },
    ui::{post::Post, time::zone},
};

/// Marks kept on a page; older ones are in the decisions table of the server.
const MARKS: usize = 500;
/// How often the age of the newest news is said again.
const TICK: Duration = Duration::from_millis(500);
/// Frames come every second; after this time without one the page's clock goes on by itself.
const SILENT_MS: f64 = 1300.0;
/// Ticks between two attempts to open a stream that the browser gave up.
const REOPEN_TICKS: u32 = 6;

/// One job as its page sees it now.
#[derive(Clone, Copy)]
pub struct JobLive {
    pub id: StoredValue<String>,
    pub spec: StoredValue<JobSpec>,
    /// What the laws of its loops declare.
    pub laws: StoredValue<Vec<KindInfo>>,
    pub summary: RwSignal<JobSummary>,
    pub series: RwSignal<SeriesMap>,
    /// Oldest first.
    pub marks: RwSignal<Vec<Mark>>,
    pub loops: RwSignal<Vec<LoopView>>,
    pub replicas: RwSignal<Vec<ReplicaView>>,
    /// The server's clock, in whole seconds between two frames. Milliseconds since 1970.
    pub now: RwSignal<i64>,
    /// Seconds since the newest frame; `None` before the first.
    pub age: RwSignal<Option<f64>>,
    /// Why nothing comes any more: the person has signed out, or the job was deleted.
    pub cut: RwSignal<Option<ApiError>>,
    /// The form that was refused without scripts.
    pub refused: StoredValue<Option<Refused>>,
    /// Minutes east of UTC.
    pub zone: Signal<i32>,
    /// How forecasts of this program did before.
    pub record: Record,
    seq: StoredValue<i64>,
}

impl JobLive {
    pub fn new(page: JobPage) -> Self {
        let detail = page.detail;
        Self {
            id: StoredValue::new(detail.summary.id.clone()),
            spec: StoredValue::new(detail.spec),
            laws: StoredValue::new(page.laws),
            series: RwSignal::new(by_name(&detail.series)),
            summary: RwSignal::new(detail.summary),
            marks: RwSignal::new(detail.marks),
            loops: RwSignal::new(detail.loops),
            replicas: RwSignal::new(detail.replicas),
            now: RwSignal::new(page.now),
            age: RwSignal::new(None),
            cut: RwSignal::new(None),
            refused: StoredValue::new(page.refused),
            zone: zone(),
            record: detail.record,
            seq: StoredValue::new(detail.seq),
        }
    }

    /// Takes one frame in. Frames that were seen already are dropped.
    pub fn apply(&self, frame: Frame) {
        if frame.seq <= self.seq.get_value() {
            return;
        }
        self.seq.set_value(frame.seq);
        self.series.update(|series| {
            for (name, value) in &frame.samples {
                let point = Point { at: frame.at, min: *value, max: *value, last: *value };
                model::push(series.entry(name.clone()).or_default(), point, 2 * WIDTH as usize);
            }
        });
        if !frame.marks.is_empty() {
            self.marks.update(|marks| {
                marks.extend(frame.marks);
                let surplus = marks.len().saturating_sub(MARKS);
                marks.drain(..surplus);
            });
        }
        if let Some(loops) = frame.loops {
            self.loops.set(loops);
        }
        self.replicas.set(frame.replicas);
        self.now.set(frame.at);
        self.summary.set(frame.summary);
    }

    /// Builds something from all that charts need, without subscribing.
    pub fn with_facts<T>(&self, build: impl FnOnce(&Facts) -> T) -> T {
        let (summary, series, marks) = (self.summary.read_untracked(), self.series.read_untracked(), self.marks.read_untracked());
        let (now, zone) = (self.now.get_untracked(), self.zone.get_untracked());
        self.spec.with_value(|spec| build(&Facts { summary: &summary, spec, series: &series, marks: &marks, now, zone }))
    }

    pub fn ended(&self) -> bool {
        self.summary.read().phase.ended()
    }

    /// A form's state, with what the server said when it was sent without scripts.
    pub fn post(&self, path: &str) -> Post {
        let post = Post::default();
        let error = self.refused.with_value(|refused| refused.as_ref().filter(|one| one.path == path).map(|one| one.error.clone()));
        post.answer.set(error.map(Err));
        post
    }

    /// Follows the stream until the page goes or the job has ended.
    pub fn follow(self) {
        let url = move || format!("/live/jobs/{}?after={}", self.id.get_value(), self.seq.get_value());
        let asleep = move || self.summary.read_untracked().phase.ended();
        follow(
            url,
            move |frame| self.apply(frame),
            move |age, since_frame_ms| {
                self.age.set(age);
                let now = self.now.get_untracked();
                // Whole seconds only: countdowns move, charts need not. Not when a frame is about to come and say the same.
                if since_frame_ms < SILENT_MS || asleep() {
                    return 0.0;
                }
                let seconds = (since_frame_ms / 1000.0).floor();
                self.now.set(now + seconds as i64 * 1000);
                seconds * 1000.0
            },
            asleep,
            self.cut,
            // The smallest question that has to find the job.
            move || Question::Submission { from: Some(self.id.get_value()) },
        );
    }
}

/// Opens a stream in an effect, feeds `take`, tells `tick` the age of the newest message in seconds and the
/// milliseconds since the clock last moved (it answers by how many it moved it now), and opens again what broke.
/// A browser does not say why a stream broke: `probe` finds out, and when nothing will come any more, `cut` holds why.
pub fn follow<T: DeserializeOwned + 'static>(
    url: impl Fn() -> String + Copy + 'static,
    take: impl Fn(T) + Copy + 'static,
    tick: impl Fn(Option<f64>, f64) -> f64 + Copy + 'static,
    asleep: impl Fn() -> bool + Copy + 'static,
    cut: RwSignal<Option<ApiError>>,
    probe: impl Fn() -> Question + Copy + 'static,
) {
    Effect::new(move |_| {
        let stream = StoredValue::new_local(Listener::open(&untrack(url), take));
        let (news, moved) = (StoredValue::new_local(None::<f64>), StoredValue::new_local(js_sys::Date::now()));
        let ticks = StoredValue::new_local(0_u32);
        let (away, unseen) = (StoredValue::new_local(false), StoredValue::new_local(false));
        let timer = set_interval_with_handle(
            move || {
                let now = js_sys::Date::now();
                let newest = stream.with_value(|s| s.as_ref().and_then(|s| s.newest()));
                if newest != news.get_value() {
                    news.set_value(newest);
                    moved.set_value(now);
                }
                let by = tick(newest.map(|at| (now - at) / 1000.0), now - moved.get_value());
                moved.update_value(|moved| *moved += by);
                ticks.update_value(|n| *n += 1);
                let gone = stream.with_value(|s| s.as_ref().is_none_or(Listener::closed));
                // A browser opens six connections to a server at most: pages that nobody sees leave them to the others.
                let (hidden, over) = (document().hidden(), cut.read_untracked().is_some());
                // An ended job's page hears nothing: who comes back to it learns whether it is still there.
                if unseen.get_value() && !hidden && !over && asleep() {
                    look(untrack(probe), cut);
                }
                unseen.set_value(hidden);
                if over || hidden || asleep() {
                    stream.set_value(None);
                    away.set_value(true);
                } else if gone && (away.get_value() || ticks.get_value().is_multiple_of(REOPEN_TICKS)) {
                    if !away.get_value() {
                        look(untrack(probe), cut);
                    }
                    away.set_value(false);
                    stream.set_value(Listener::open(&untrack(url), take));
                }
            },
            TICK,
        );
        on_cleanup(move || {
            if let Ok(timer) = timer {
                timer.clear();
            }
            stream.try_update_value(|s| *s = None);
        });
    });
}

/// Why nothing comes; one function for all pages, since each would bring its own copy of the way to the server.
fn look(question: Question, cut: RwSignal<Option<ApiError>>) {
    spawn_local(async move {
        if let Err(why @ (ApiError::Unauthorized | ApiError::NotFound { .. })) = ask(question).await {
            // The page may be gone by now.
            cut.try_set(Some(why));
        }
    });
}

/// An open stream; closed when dropped.
struct Listener {
    source: EventSource,
    newest: Rc<Cell<Option<f64>>>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_gap: Closure<dyn FnMut(MessageEvent)>,
}

impl Listener {
    fn open<T: DeserializeOwned>(url: &str, take: impl Fn(T) + 'static) -> Option<Self> {
        let source = EventSource::new(url).ok()?;
        let newest = Rc::new(Cell::new(None));
        let heard = Rc::clone(&newest);
        let on_message = Closure::new(move |message: MessageEvent| {
            let Some(text) = message.data().as_string() else { return };
            match serde_json::from_slice(text.as_bytes()) {
                Ok(news) => {
                    heard.set(Some(js_sys::Date::now()));
                    take(news);
                }
                // Old pages meet new servers after an update: stale is the truth then, so say nothing new.
                Err(error) => leptos::logging::warn!("a message of the live stream could not be read: {error}"),
            }
        });
        source.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        // The server no longer has what was missed while away: only a whole page has no hole.
        let on_gap = Closure::new(|_: MessageEvent| {
            if let Err(error) = window().location().reload() {
                leptos::logging::warn!("the page could not be loaded again: {error:?}");
            }
        });
        source.add_event_listener_with_callback("gap", on_gap.as_ref().unchecked_ref()).ok()?;
        Some(Self { source, newest, _on_message: on_message, _on_gap: on_gap })
    }

    fn newest(&self) -> Option<f64> {
        self.newest.get()
    }

    fn closed(&self) -> bool {
        self.source.ready_state() == EventSource::CLOSED
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.source.set_onmessage(None);
        self.source.close();
    }
}
