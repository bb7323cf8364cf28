//! A backend that answers from memory, and one request through the real router.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use app::{
    App,
    api::what_if::{Course, WhatIfPage},
    backend::{ApiError, Backend, JobCommand, LogChunk, LogStream},
    form::submitted::SubmitForm,
    shell,
    viewer::Viewer,
};
use async_trait::async_trait;
use axum::{body::Body, http::Request};
use control::{
    decision::{Decision, Term},
    form::{Field, FieldKind},
    job::{Bounds, JobSpec, LoopSpec, Objective, Order, Phase, QueueSpec, Workload},
    live::{
        ItemState, ItemView, JobDetail, JobSummary, LoopView, Mark, MarkKind, Point, Record, ReplicaCounts, ReplicaState, ReplicaView,
        Series,
    },
    observation::Items,
    plugin::{Catalog, KindInfo, PluginSpec},
};
use leptos::prelude::*;
use leptos_axum::{AxumRouteListing, LeptosRoutes, generate_route_list};
use serde_json::{Value, json};
use tower::ServiceExt;

#[derive(Clone, Default)]
pub struct Fake {
    pub jobs: Vec<JobSummary>,
}

/// Made once: while Leptos makes the list, no resource of the whole process loads, and another test's page would wait for ever.
static ROUTES: LazyLock<Vec<AxumRouteListing>> = LazyLock::new(|| generate_route_list(App));

/// One GET through the same router that the server builds: status and body.
pub async fn page(path: &str, fake: Fake, viewer: Option<Viewer>, form: Option<SubmitForm>) -> (u16, String) {
    let options = LeptosOptions::builder().output_name("asperathos").build();
    let backend: Arc<dyn Backend> = Arc::new(fake);
    let context = move || {
        provide_context(backend.clone());
        if let Some(viewer) = viewer.clone() {
            provide_context(viewer);
        }
        if let Some(form) = form.clone() {
            provide_context(form);
        }
    };
    let router = axum::Router::new()
        .leptos_routes_with_context(&options, ROUTES.clone(), context, {
            let options = options.clone();
            move || shell(options.clone())
        })
        .with_state(options);
    let request = Request::get(path).header("accept", "text/html").body(Body::empty()).expect("a valid request");
    let response = router.oneshot(request).await.expect("the router always answers");
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), 64 << 20).await.expect("a whole body");
    let html = String::from_utf8(body.to_vec()).expect("pages are text");
    // Markers between text nodes are of no interest here, nor is the data for hydration.
    let html = html.replace("<!>", "");
    let html = html.split("__INCOMPLETE_CHUNKS").next().unwrap_or_default().to_owned();
    (status, html)
}

/// A job halfway through.
pub fn job(id: &str, name: &str, phase: Phase) -> JobSummary {
    JobSummary {
        id: id.to_owned(),
        name: name.to_owned(),
        phase,
        reason: None,
        submitted_at: now() - 60_000,
        started_at: Some(now() - 60_000),
        ended_at: phase.ended().then(now),
        deadline_at: now() + 60_000,
        items: Items { total: 100, waiting: 40, processing: 8, done: 50, dead: 2, ..Items::default() },
        replicas: ReplicaCounts { wanted: 9, running: 8, starting: 1, draining: 0 },
        service_p50_s: Some(1.2),
        service_p95_s: Some(3.4),
        foretold: None,
        untaken_since: None,
        has_output: false,
        dismissed: false,
    }
}

fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}

fn field(name: &str, kind: FieldKind, default: Value) -> Field {
    Field {
        name: name.to_owned(),
        title: name.to_owned(),
        help: format!("Help for {name}."),
        kind,
        unit: None,
        min: Some(0.0),
        max: Some(100.0),
        step: Some(0.1),
        default,
        secret: false,
    }
}

fn info(kind: &str, fields: Vec<Field>) -> KindInfo {
    KindInfo { kind: kind.to_owned(), title: kind.to_owned(), about: format!("About {kind}."), fields }
}

fn detail(summary: JobSummary) -> JobDetail {
    let points = |at: fn(i64) -> f64| -> Vec<Point> {
        (0..60)
            .map(|n| {
                let value = at(n);
                Point { at: summary.submitted_at + n * 1000, min: value, max: value, last: value }
            })
            .collect()
    };
    let series = |name: &str, at: fn(i64) -> f64| Series { name: name.to_owned(), points: points(at) };
    let decision = Decision {
        at_ms: 30_000,
        from: 10,
        to: 9,
        wanted: 9.2,
        seen: 0.04,
        terms: vec![Term { name: "p".to_owned(), value: 0.4 }],
        guards: vec!["bounds".to_owned()],
        why: "Nine replicas are enough.".to_owned(),
        revision: 1,
        forecast: None,
        drain: Vec::new(),
    };
    JobDetail {
        record: Record { jobs: 10, foretold: 10, held: 9 },
        seq: 60,
        spec: JobSpec {
            name: summary.name.clone(),
            platform: PluginSpec::new("local", json!({ "command": "./worker" })),
            workload: Workload::Inline { items: "a".to_owned() },
            objective: Objective::within(120.0),
            replicas: Bounds { min: 1, max: 12, initial: 2 },
            monitors: vec![],
            loops: vec![LoopSpec {
                name: "main".to_owned(),
                controller: PluginSpec::new("pid", json!({ "kp": 1.0 })),
                metric: "progress_error".to_owned(),
                actuator: PluginSpec::new("replicas", json!({})),
                interval_s: 1.0,
            }],
            queue: QueueSpec { max_attempts: 3, order: Order::Fifo }.into(),
        },
        loops: vec![LoopView {
            name: "main".to_owned(),
            kind: "pid".to_owned(),
            metric: "progress_error".to_owned(),
            actuator: "replicas".to_owned(),
            revision: 3,
            params: json!({ "kp": 1.5 }),
            author: "Ada".to_owned(),
            tuned_at: summary.submitted_at + 20_000,
            previous: Some(json!({ "kp": 1.0 })),
        }],
        marks: vec![Mark {
            at: summary.submitted_at + 30_000,
            kind: MarkKind::Fewer,
            text: decision.why.clone(),
            loop_name: Some("main".to_owned()),
            decision: Some(decision),
        }],
        series: vec![
            series("done", |n| n as f64),
            series("running", |n| if n < 30 { 10.0 } else { 9.0 }),
            series("wanted", |_| 9.0),
            series("cpu", |n| 0.5 + (n % 7) as f64 / 20.0),
            series("progress_error", |n| (n - 30) as f64 / 500.0),
        ],
        replicas: vec![ReplicaView {
            id: format!("{}-r1", summary.id),
            state: ReplicaState::Busy,
            started_at: summary.submitted_at,
            place: Some("process 4711".to_owned()),
            address: Some("127.94.7.1:6379".to_owned()),
            holds: vec!["shot-0042".to_owned()],
            cpu: 0.9,
            memory_bytes: 12_000_000,
            items_done: 7,
            ended: None,
        }],
        summary,
    }
}

#[async_trait]
impl Backend for Fake {
    fn catalog(&self) -> Catalog {
        Catalog {
            controllers: vec![
                info("pid", vec![field("kp", FieldKind::Number, json!(1.0))]),
                info("threshold", vec![field("size", FieldKind::Integer, json!(1))]),
            ],
            monitors: vec![info("progress", vec![]), info("http_json", vec![field("url", FieldKind::Text, json!(""))])],
            actuators: vec![info("replicas", vec![])],
            platforms: vec![info(
                "local",
                vec![field("command", FieldKind::Text, json!("")), field("env", FieldKind::Map, json!(BTreeMap::from([("A", "1")])))],
            )],
            queue: vec![field("max_attempts", FieldKind::Integer, json!(3))],
        }
    }

    fn metrics(&self) -> Vec<(String, Vec<String>)> {
        vec![("progress".to_owned(), vec!["progress_error".to_owned(), "done".to_owned()])]
    }

    async fn jobs(&self, _limit: u32) -> Result<(i64, Vec<JobSummary>), ApiError> {
        Ok((60, self.jobs.clone()))
    }

    async fn job(&self, id: &str, _width: u32) -> Result<JobDetail, ApiError> {
        let found = self.jobs.iter().find(|job| job.id == id).cloned();
        found.map(detail).ok_or_else(|| ApiError::NotFound { what: format!("job {id}") })
    }

    async fn command(&self, _id: &str, _command: JobCommand, _by: &str) -> Result<(), ApiError> {
        Ok(())
    }

    async fn tune(&self, _id: &str, _loop: &str, base_revision: u32, _params: Value, _by: &str) -> Result<u32, ApiError> {
        Ok(base_revision + 1)
    }

    async fn items(&self, _id: &str, _state: Option<ItemState>, _offset: u64, _limit: u32) -> Result<Vec<ItemView>, ApiError> {
        Ok(vec![ItemView {
            index: 0,
            item: "shot-0001".to_owned(),
            state: ItemState::Done,
            attempts: 1,
            replica: None,
            service_s: Some(1.5),
            error: None,
            result_bytes: Some(1234),
            result_type: Some("image/png".to_owned()),
        }])
    }

    async fn excerpts(&self, _id: &str, indexes: &[u64]) -> Result<Vec<Option<String>>, ApiError> {
        Ok(indexes.iter().map(|index| Some(format!("result of {index}"))).collect())
    }

    async fn what_if(&self, _id: &str, asked: BTreeMap<String, String>) -> Result<WhatIfPage, ApiError> {
        let form = SubmitForm { values: asked, ..SubmitForm::default() };
        let course =
            Course { name: "as it was".to_owned(), done_s: Some(90.0), deadline_s: Some(100.0), replica_seconds: 180.0, peak: 2, moves: 0 };
        Ok(WhatIfPage { laws: self.catalog().controllers, form, courses: vec![course], ..WhatIfPage::default() })
    }

    async fn retry_items(&self, _id: &str, _indexes: Vec<u64>) -> Result<u64, ApiError> {
        Ok(1)
    }

    async fn replica_log(&self, _id: &str, _replica: &str, _stream: LogStream, _from: Option<u64>) -> Result<LogChunk, ApiError> {
        Ok(LogChunk { from: 0, next: 22, text: "hello from the worker\n".to_owned() })
    }
}
