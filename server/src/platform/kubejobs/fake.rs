//! An API server on paper, with a Job controller and a node: it does what the real ones do, and fails as it is told.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use http::{Method, Request, Response, StatusCode};
use kube::{Client, client::Body};
use serde_json::{Value, json};

use super::overlay;

/// How the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Well,
    /// Every request fails with this code.
    Code(u16),
    /// Requests that write fail with this code; reads and watches are answered.
    WritesFail(u16),
    /// It is of a version that cannot change the CPU of running pods.
    Old,
}

#[derive(Clone)]
pub struct Fake(Arc<Mutex<World>>);

struct World {
    mood: Mood,
    version: u64,
    /// By kind and name: `pods/kj-1-a`.
    objects: BTreeMap<String, Value>,
    /// What watches tell: version, kind, event.
    events: Vec<(u64, String, Value)>,
    /// Watches from before this version are told 410.
    oldest: u64,
    made: u64,
    requests: u64,
    /// Whoever set the parallelism by hand.
    rival: bool,
}

impl Fake {
    pub fn new() -> Self {
        let world = World {
            mood: Mood::Well,
            version: 1,
            objects: BTreeMap::new(),
            events: Vec::new(),
            oldest: 0,
            made: 0,
            requests: 0,
            rival: false,
        };
        let fake = Self(Arc::new(Mutex::new(world)));
        let controlled = Arc::downgrade(&fake.0);
        tokio::spawn(async move {
            while let Some(world) = controlled.upgrade() {
                world.lock().unwrap().control();
                drop(world);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        fake
    }

    pub fn client(&self) -> Client {
        let fake = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let fake = fake.clone();
            async move { Ok::<_, Infallible>(fake.answer(request).await) }
        });
        Client::new(service, "batch")
    }

    pub fn mood(&self, mood: Mood) {
        self.world().mood = mood;
    }

    /// Watches must begin anew: what happened meanwhile they never hear.
    pub fn forget(&self) {
        let mut world = self.world();
        world.version += 1;
        world.oldest = world.version;
    }

    pub fn requests(&self) -> u64 {
        self.world().requests
    }

    pub fn object(&self, path: &str) -> Option<Value> {
        self.world().objects.get(path).cloned()
    }

    pub fn names(&self, kind: &str) -> Vec<String> {
        self.world().objects.keys().filter_map(|path| path.strip_prefix(kind)?.strip_prefix('/')).map(str::to_owned).collect()
    }

    /// By hand: an object and, for a Job, its pods are gone in an instant, whoever watches.
    pub fn remove(&self, path: &str) {
        self.world().remove(path);
    }

    pub fn set_parallelism(&self, job: &str, to: u64) {
        let mut world = self.world();
        world.rival = true;
        world.change(&format!("jobs/{job}"), |job| job["spec"]["parallelism"] = json!(to));
    }

    pub fn end_pod(&self, name: &str, exit_code: i32) {
        self.world().change(&format!("pods/{name}"), |pod| {
            pod["status"]["phase"] = json!(if exit_code == 0 { "Succeeded" } else { "Failed" });
            pod["status"]["containerStatuses"] = worker(&json!({ "terminated": { "exitCode": exit_code } }));
        });
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let body = body.collect_bytes().await.unwrap();
        let (path, query) = (parts.uri.path().to_owned(), parts.uri.query().unwrap_or_default().to_owned());
        {
            let mut world = self.world();
            world.requests += 1;
            match world.mood {
                Mood::Code(code) => return failure(code, "the server is on fire"),
                Mood::WritesFail(code) if parts.method != Method::GET => return failure(code, "the server is on fire"),
                Mood::Old if path.ends_with("/resize") => return failure(404, "the server could not find the requested resource"),
                Mood::Well | Mood::Old | Mood::WritesFail(_) => {}
            }
        }
        // `…/namespaces/batch/KIND[/NAME[/PART]]`
        let rest = path.split("/namespaces/batch/").nth(1).unwrap_or_default();
        let mut names = rest.splitn(3, '/');
        let (kind, name, part) = (names.next().unwrap_or_default().to_owned(), names.next(), names.next());
        let at = format!("{kind}/{}", name.unwrap_or_default());
        match (parts.method, name) {
            (Method::GET, None) if query.contains("watch=true") => self.watch(&kind, &query).await,
            (Method::GET, None) => {
                let world = self.world();
                let items: Vec<&Value> =
                    world.objects.iter().filter(|(path, _)| path.starts_with(&format!("{kind}/"))).map(|(_, object)| object).collect();
                success(&json!({ "metadata": { "resourceVersion": world.version.to_string() }, "items": items }))
            }
            (Method::GET, Some(_)) if part == Some("log") => Response::new(Body::from(b"a line\n".to_vec())),
            (Method::GET, Some(_)) => self.object(&at).map_or_else(|| failure(404, "not found"), |object| success(&object)),
            (Method::PATCH, Some(_)) => {
                self.world().patch(&at, part, &serde_json::from_slice(&body).unwrap(), query.contains("fieldManager"), &query)
            }
            (Method::DELETE, Some(_)) => self.world().delete(&at),
            _ => failure(405, "not here"),
        }
    }

    /// Waits for what is new and ends; watchers ask again.
    async fn watch(&self, kind: &str, query: &str) -> Response<Body> {
        let from: u64 = query.split('&').find_map(|part| part.strip_prefix("resourceVersion=")?.parse().ok()).unwrap_or(0);
        loop {
            {
                let world = self.world();
                if matches!(world.mood, Mood::Code(_)) {
                    return failure(503, "the server is on fire");
                }
                if from < world.oldest {
                    let gone = json!({ "kind": "Status", "code": 410, "reason": "Expired", "status": "Failure", "message": "too old" });
                    return Response::new(Body::from(format!("{}\n", json!({ "type": "ERROR", "object": gone })).into_bytes()));
                }
                let news = world.events.iter().filter(|(version, of, _)| from < *version && of == kind);
                let lines: String = news.map(|(_, _, event)| format!("{event}\n")).collect();
                if !lines.is_empty() {
                    return Response::new(Body::from(lines.into_bytes()));
                }
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl World {
    fn tell(&mut self, kind: &str, what: &str, object: &Value) {
        self.events.push((self.version, kind.to_owned(), json!({ "type": what, "object": object })));
    }

    fn put(&mut self, path: &str, mut object: Value, what: &str) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let kind = path.split('/').next().unwrap().to_owned();
        self.objects.insert(path.to_owned(), object.clone());
        self.tell(&kind, what, &object);
        object
    }

    fn change(&mut self, path: &str, change: impl FnOnce(&mut Value)) {
        if let Some(mut object) = self.objects.get(path).cloned() {
            let before = object.clone();
            change(&mut object);
            if object != before {
                self.put(path, object, "MODIFIED");
            }
        }
    }

    fn remove(&mut self, path: &str) {
        if let Some(object) = self.objects.remove(path) {
            self.version += 1;
            let mut last = object;
            last["metadata"]["resourceVersion"] = json!(self.version.to_string());
            self.tell(path.split('/').next().unwrap(), "DELETED", &last);
        }
    }

    fn uid(&mut self) -> String {
        self.made += 1;
        format!("uid-{}", self.made)
    }

    fn patch(&mut self, at: &str, part: Option<&str>, patch: &Value, applies: bool, query: &str) -> Response<Body> {
        let known = self.objects.get(at).cloned();
        let wanted_uid = patch["metadata"]["uid"].as_str();
        if wanted_uid.is_some() && known.as_ref().is_none_or(|known| known["metadata"]["uid"].as_str() != wanted_uid) {
            return failure(if applies || known.is_some() { 409 } else { 404 }, "uid mismatch");
        }
        let Some(mut object) = known else {
            if !applies {
                return failure(404, "not found");
            }
            let mut object = patch.clone();
            object["metadata"]["uid"] = json!(self.uid());
            if at.starts_with("jobs/") {
                object["spec"]["parallelism"] = json!(1);
            }
            if at.starts_with("services/") {
                object["spec"]["clusterIP"] = json!("10.96.0.7");
            }
            return success(&self.put(at, object, "ADDED"));
        };
        if self.rival && query.contains("asperathos-scale") {
            if !query.contains("force=true") {
                return failure(409, "Apply failed with 1 conflict: conflict with \"kubectl\" using batch/v1: .spec.parallelism");
            }
            self.rival = false;
        }
        let before = object.clone();
        if part == Some("status") {
            for condition in patch["status"]["conditions"].as_array().unwrap() {
                set_condition(&mut object, condition["type"].as_str().unwrap(), condition["status"] == "True");
            }
        } else {
            overlay::merge(&mut object, patch);
        }
        if object == before { success(&object) } else { success(&self.put(at, object, "MODIFIED")) }
    }

    fn delete(&mut self, at: &str) -> Response<Body> {
        if !self.objects.contains_key(at) {
            return failure(404, "not found");
        }
        if at.starts_with("pods/") {
            self.change(at, |pod| pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"));
            return success(&self.objects[at]);
        }
        self.remove(at);
        success(&json!({ "kind": "Status", "status": "Success" }))
    }

    fn pods(&self) -> Vec<(String, Value)> {
        self.objects.iter().filter(|(path, _)| path.starts_with("pods/")).map(|(path, pod)| (path.clone(), pod.clone())).collect()
    }

    /// A moment of the Job controller, the garbage collector and the node.
    fn control(&mut self) {
        let leaves = |pod: &Value| !pod["metadata"]["deletionTimestamp"].is_null();
        let ended = |pod: &Value| matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
        for (path, pod) in self.pods() {
            let owner = format!("jobs/{}", pod["metadata"]["labels"]["asperathos.io/job"].as_str().unwrap());
            if leaves(&pod) {
                self.remove(&path);
            } else if !self.objects.contains_key(&owner) {
                self.delete(&path);
            } else if !ended(&pod) {
                let kept = condition(&pod, "asperathos.io/keep");
                self.change(&path, |pod| {
                    pod["status"]["phase"] = json!("Running");
                    pod["status"]["containerStatuses"] = worker(&json!({ "running": {} }));
                    set_condition(pod, "Ready", kept);
                });
            }
        }
        let jobs: Vec<Value> = self.objects.iter().filter(|(path, _)| path.starts_with("jobs/")).map(|(_, job)| job.clone()).collect();
        for job in jobs {
            let name = job["metadata"]["name"].as_str().unwrap().to_owned();
            let mut living: Vec<(String, Value)> = self.pods();
            living.retain(|(_, pod)| pod["metadata"]["labels"]["asperathos.io/job"] == name.as_str() && !leaves(pod) && !ended(pod));
            let ready = living.iter().filter(|(_, pod)| condition(pod, "Ready")).count();
            let counted = json!({ "active": living.len(), "ready": ready });
            if job["status"] != counted {
                self.change(&format!("jobs/{name}"), |job| job["status"] = counted);
            }
            let wanted = job["spec"]["parallelism"].as_u64().unwrap() as usize;
            // Those that are not ready go first, then the newest.
            living.sort_by_key(|(path, pod)| (condition(pod, "Ready"), std::cmp::Reverse(path.clone())));
            for (path, _) in living.iter().take(living.len().saturating_sub(wanted)) {
                self.delete(path);
            }
            for _ in living.len()..wanted {
                let (uid, number) = (self.uid(), self.made);
                let template = &job["spec"]["template"];
                let mut pod = json!({ "metadata": template["metadata"], "spec": template["spec"], "status": { "phase": "Pending" } });
                pod["metadata"]["name"] = json!(format!("{name}-{number:05}"));
                pod["metadata"]["uid"] = json!(uid);
                self.put(&format!("pods/{name}-{number:05}"), pod, "ADDED");
            }
        }
    }
}

fn worker(state: &Value) -> Value {
    json!([{ "name": "worker", "image": "a:1", "imageID": "", "ready": true, "restartCount": 0, "state": state }])
}

fn condition(pod: &Value, name: &str) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|condition| condition["type"] == name && condition["status"] == "True")
}

fn set_condition(object: &mut Value, name: &str, on: bool) {
    let status = json!(if on { "True" } else { "False" });
    if object["status"]["conditions"].is_null() {
        object["status"]["conditions"] = json!([]);
    }
    let conditions = object["status"]["conditions"].as_array_mut().unwrap();
    match conditions.iter_mut().find(|condition| condition["type"] == name) {
        Some(known) => known["status"] = status,
        None => conditions.push(json!({ "type": name, "status": status })),
    }
}

fn success(object: &Value) -> Response<Body> {
    Response::new(Body::from(object.to_string().into_bytes()))
}

fn failure(code: u16, message: &str) -> Response<Body> {
    let status = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message, "reason": "Told" });
    let mut response = success(&status);
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}
