//! The API server as this program asks it: through `kubectl proxy`, which knows the certificates; and a watch that
//! remembers when Jobs and containers became what they are.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Lists of a thousand Jobs are some megabytes.
const LARGEST: u64 = 256 << 20;

pub struct Api {
    proxy: Child,
    base: String,
}

impl Api {
    pub fn open(mut kubectl: Command) -> Result<Self> {
        let mut proxy = kubectl.args(["proxy", "--port", "0"]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(proxy.stdout.take().context("no pipe")?).read_line(&mut line)?;
        let address = line.trim().rsplit(' ').next().unwrap_or_default();
        if !address.starts_with("127.0.0.1:") {
            let _ = proxy.kill();
            bail!("kubectl proxy said {line:?}");
        }
        let base = format!("http://{address}");
        Ok(Self { proxy, base })
    }

    pub fn text(&self, path: &str) -> Result<String> {
        let mut answer = ureq::get(format!("{}{path}", self.base)).call().with_context(|| format!("GET {path}"))?;
        Ok(answer.body_mut().with_config().limit(LARGEST).read_to_string()?)
    }

    pub fn get(&self, path: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.text(path)?)?)
    }

    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let mut answer = ureq::post(format!("{}{path}", self.base)).send_json(body).with_context(|| format!("POST {path}"))?;
        Ok(answer.body_mut().read_json()?)
    }

    pub fn patch(&self, path: &str, body: &Value) -> Result<Value> {
        let request = ureq::patch(format!("{}{path}", self.base)).content_type("application/merge-patch+json");
        let mut answer = request.send(body.to_string()).with_context(|| format!("PATCH {path}"))?;
        Ok(answer.body_mut().read_json()?)
    }

    /// One that is not there is as good as deleted.
    pub fn delete(&self, path: &str) -> Result<()> {
        let answer = ureq::delete(format!("{}{path}?propagationPolicy=Background", self.base));
        match answer.call() {
            Ok(_) | Err(ureq::Error::StatusCode(404)) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("DELETE {path}")),
        }
    }

    /// Remembers from now on what becomes of the Jobs and pods of a namespace.
    pub fn watch(&self, namespace: &str) -> Arc<Seen> {
        let seen = Arc::<Seen>::default();
        for (path, note) in [
            (format!("/apis/batch/v1/namespaces/{namespace}/jobs?watch=true"), Known::job as fn(&mut Known, &Value)),
            (format!("/api/v1/namespaces/{namespace}/pods?watch=true"), Known::pod),
        ] {
            let (url, seen) = (format!("{}{path}", self.base), Arc::clone(&seen));
            thread::spawn(move || {
                // The API server ends a watch after half an hour and more; then it begins anew with what is there.
                while let Ok(answer) = ureq::get(&url).call() {
                    for line in BufReader::new(answer.into_body().into_reader()).lines() {
                        let Ok(event) = line.map_err(drop).and_then(|line| serde_json::from_str(&line).map_err(drop)) else { break };
                        note(&mut seen.known(), &event);
                    }
                }
            });
        }
        seen
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.proxy.kill();
        let _ = self.proxy.wait();
    }
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[derive(Default)]
pub struct Seen(Mutex<Known>);

impl Seen {
    pub fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All times are those of this program, in milliseconds since 1970.
#[derive(Default)]
pub struct Known {
    pub jobs: HashMap<String, JobSeen>,
    pub pods: HashMap<String, PodSeen>,
}

#[derive(Default, Clone)]
pub struct JobSeen {
    pub made: i64,
    /// When which parallelism was seen first.
    pub parallelism: Vec<(i64, u64)>,
}

#[derive(Default, Clone)]
pub struct PodSeen {
    pub job: String,
    /// Its worker runs.
    pub runs: Option<i64>,
    /// It is on its way out, whoever said so.
    pub leaves: Option<i64>,
    /// Its worker has ended, or it is no more.
    pub ended: Option<i64>,
}

impl Known {
    fn job(&mut self, event: &Value) {
        let (job, now) = (&event["object"], now_ms());
        let Some(name) = job["metadata"]["name"].as_str() else { return };
        let known = self.jobs.entry(name.to_owned()).or_insert_with(|| JobSeen { made: now, ..JobSeen::default() });
        let parallelism = job["spec"]["parallelism"].as_u64().unwrap_or(1);
        if known.parallelism.last().is_none_or(|(_, last)| *last != parallelism) {
            known.parallelism.push((now, parallelism));
        }
    }

    fn pod(&mut self, event: &Value) {
        let (pod, now) = (&event["object"], now_ms());
        let Some(name) = pod["metadata"]["name"].as_str() else { return };
        let known = self.pods.entry(name.to_owned()).or_default();
        if known.job.is_empty() {
            known.job = pod["metadata"]["labels"]["job-name"].as_str().unwrap_or_default().to_owned();
        }
        let state = &pod["status"]["containerStatuses"][0]["state"];
        let over = event["type"] == "DELETED" || state["terminated"].is_object();
        if state["running"].is_object() || over {
            known.runs.get_or_insert(now);
        }
        if pod["metadata"]["deletionTimestamp"].is_string() || event["type"] == "DELETED" {
            known.leaves.get_or_insert(now);
        }
        if over {
            known.ended.get_or_insert(now);
        }
    }

    /// How long the containers of a job have run in all, whether or not they were on their way out; seconds.
    pub fn live_s(&self, job: &str) -> f64 {
        let now = now_ms();
        let ran = |pod: &PodSeen| Some(pod.ended.unwrap_or(now) - pod.runs?);
        self.pods.values().filter(|pod| pod.job == job).filter_map(ran).sum::<i64>() as f64 / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_container_lives_from_its_start_to_its_end() {
        let mut known = Known::default();
        let pod = |kind: &str, state: Value| {
            json!({ "type": kind, "object": {
                "metadata": { "name": "kj-1-abcde", "labels": { "job-name": "kj-1" } },
                "status": { "containerStatuses": [{ "state": state }] } } })
        };
        known.pod(&pod("ADDED", json!({ "waiting": {} })));
        assert_eq!((known.pods["kj-1-abcde"].runs, known.live_s("kj-1")), (None, 0.0));
        known.pod(&pod("MODIFIED", json!({ "running": {} })));
        assert!(known.pods["kj-1-abcde"].runs.is_some() && known.pods["kj-1-abcde"].ended.is_none());
        known.pod(&pod("MODIFIED", json!({ "terminated": {} })));
        known.pod(&pod("DELETED", json!({ "terminated": {} })));
        let seen = &known.pods["kj-1-abcde"];
        assert!(seen.runs <= seen.ended && seen.leaves.is_some() && known.live_s("kj-2") == 0.0);
    }
}
