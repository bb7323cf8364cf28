//! CPU and memory of pods: from the kubelets, which measure when they are asked; where they refuse, from the metrics
//! API, which lags 10 to 25 s behind. Read for all jobs together, and seldom: a job alone asks once in 25 s.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use http::Request;

use super::{
    cluster::{Cluster, Kind, Trouble, ask},
    job::Spot,
    readings::{Cpu, PodName, Used, of_kubelet, of_metrics_api},
    template::JOB_LABEL,
};
use crate::clock::now_ms;
use crate::lock::lock;
use crate::platform::{Measured, Usage};

/// How far apart the readings for one job of one place are, when nothing changes.
const EVERY: Duration = Duration::from_secs(25);
/// However many jobs there are, a place is not read more often.
const OFTEN: Duration = Duration::from_secs(1);
/// After pods came, or got other CPU, they are read so often, for a while: a few readings tell a first rate.
const HURRIED: Duration = Duration::from_secs(2);
const HURRY: Duration = Duration::from_secs(12);
/// The metrics API knows a new pod only after this.
const LATE_HURRY: Duration = Duration::from_secs(45);
/// The metrics API has nothing new before.
const LAG: Duration = Duration::from_secs(10);
/// A reading that is older says nothing.
const STALE: Duration = Duration::from_secs(90);
/// Kubelets that refused are asked again after this: somebody may have given the right.
const ASK_AGAIN: Duration = Duration::from_secs(600);

/// What pods used when they were last measured. Asking starts the next measuring. Cheap to clone.
#[derive(Clone)]
pub struct Meter {
    cluster: Cluster,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    read: Mutex<HashMap<PodName, (Used, Instant)>>,
    /// When each place was asked last.
    asked: Mutex<HashMap<Place, Instant>>,
    /// By job: its pods with their CPU, and since when they are these.
    changed: Mutex<HashMap<String, (Vec<Spot>, Instant)>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Since when the kubelets are not asked, and why.
    refused: Option<(Instant, String)>,
    /// Why the last reading failed.
    failing: Option<String>,
    /// Something was read.
    works: bool,
}

/// What is asked at once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Place {
    Node(String),
    Namespace(String),
}

impl Meter {
    pub fn new(cluster: Cluster) -> Self {
        Self { cluster, shared: Arc::default() }
    }

    pub fn of(&self, spot: &Spot) -> Option<Usage> {
        let read = lock(&self.shared.read);
        let (used, at) = *read.get(&(spot.namespace.clone(), spot.pod.clone()))?;
        let age = at.elapsed() + used.age;
        let (cpu_s, cores) = match used.cpu {
            Cpu::Seconds(seconds) => (seconds, None),
            Cpu::Cores(cores) => (0.0, Some(cores)),
        };
        (age < STALE).then(|| Usage {
            cpu_s,
            cores,
            cpu_limit: spot.millicores.map(|limit| f64::from(limit) / 1000.0),
            memory_bytes: used.memory_bytes,
            memory_limit: spot.memory_bytes,
            processes: 1,
            age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// How they are measured, once that is known.
    pub fn how(&self) -> Option<Measured> {
        let state = lock(&self.shared.state);
        let how = match &state.refused {
            None => "from the kubelets, which measure when they are asked: each 25 s for one job, more often for many".to_owned(),
            Some((_, why)) => format!("from the metrics API, which is 10 to 25 s behind. {why}"),
        };
        (state.works || state.failing.is_some()).then(|| Measured { how, fails: state.failing.clone() })
    }

    /// Measures a job's pods for whoever asks next, if it is time to; `jobs` is how many jobs there are.
    pub fn measure(&self, job: &str, spots: Vec<Spot>, jobs: usize) {
        let by_kubelets = lock(&self.shared.state).refused.as_ref().is_none_or(|(at, _)| ASK_AGAIN < at.elapsed());
        let place = |spot: &Spot| {
            let node = spot.node.clone()?;
            Some(if by_kubelets { Place::Node(node) } else { Place::Namespace(spot.namespace.clone()) })
        };
        let places: BTreeSet<Place> = spots.iter().filter_map(place).collect();
        let unchanged = self.unchanged(job, spots);
        for place in places {
            if self.turn(&place, jobs, unchanged) {
                let meter = self.clone();
                tokio::spawn(async move { meter.read(place).await });
            }
        }
    }

    /// How long a job's pods and their CPU are what they are.
    fn unchanged(&self, job: &str, spots: Vec<Spot>) -> Duration {
        let mut changed = lock(&self.shared.changed);
        let now = Instant::now();
        let (known, since) = changed.entry(job.to_owned()).or_insert_with(|| (Vec::new(), now));
        if *known != spots {
            (*known, *since) = (spots, now);
        }
        since.elapsed()
    }

    /// Forgets a job that is over.
    pub fn forget(&self, job: &str) {
        lock(&self.shared.changed).remove(job);
    }

    fn turn(&self, place: &Place, jobs: usize, unchanged: Duration) -> bool {
        let mut asked = lock(&self.shared.asked);
        asked.retain(|_, at| at.elapsed() < STALE);
        let places = asked.len() + usize::from(!asked.contains_key(place));
        let calm = pause(places, jobs);
        let pause = match place {
            Place::Node(_) if unchanged < HURRY => HURRIED,
            Place::Namespace(_) if unchanged < LATE_HURRY => LAG,
            Place::Node(_) => calm,
            Place::Namespace(_) => calm.max(LAG),
        };
        if asked.get(place).is_some_and(|at| at.elapsed() < pause) {
            return false;
        }
        asked.insert(place.clone(), Instant::now());
        true
    }

    async fn read(&self, place: Place) {
        let outcome = match &place {
            Place::Node(node) => self.text(&format!("/api/v1/nodes/{node}/proxy/metrics/resource")).await.map(|text| of_kubelet(&text)),
            Place::Namespace(namespace) => self.metrics_api(namespace).await,
        };
        let mut state = lock(&self.shared.state);
        match outcome {
            Ok(pods) => {
                (state.failing, state.works) = (None, true);
                if matches!(place, Place::Node(_)) {
                    state.refused = None;
                    // On its way to the kubelet the API server has read the node from its store: both are there.
                    self.cluster.spoke();
                }
                drop(state);
                let now = Instant::now();
                let mut read = lock(&self.shared.read);
                read.retain(|_, (_, at)| at.elapsed() < STALE);
                read.extend(pods.into_iter().map(|(pod, used)| (pod, (used, now))));
            }
            // What it does not allow it will not allow in a second either.
            Err(trouble) if matches!(place, Place::Node(_)) && trouble.kind == Kind::Refused => {
                tracing::warn!("the kubelets are not asked for CPU and memory, the metrics API is: {}", trouble.words);
                state.refused = Some((Instant::now(), trouble.words));
            }
            Err(trouble) => {
                if trouble.is_stranger() {
                    self.cluster.refused_us(&trouble);
                }
                if state.failing.is_none() {
                    tracing::warn!("CPU and memory of pods cannot be read ({place:?}): {}", trouble.words);
                }
                state.failing = Some(trouble.words);
            }
        }
    }

    async fn metrics_api(&self, namespace: &str) -> Result<HashMap<PodName, Used>, Trouble> {
        let label = JOB_LABEL.replace('/', "%2F");
        let path = format!("/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods?labelSelector={label}");
        let text = self.text(&path).await.map_err(|trouble| match trouble.kind {
            Kind::Gone => Trouble { kind: Kind::Gone, words: "The cluster has no metrics API. Install metrics-server.".to_owned() },
            _ => trouble,
        })?;
        let unread =
            |error: serde_json::Error| Trouble { kind: Kind::Away, words: format!("The metrics API answers what it should not: {error}.") };
        of_metrics_api(&text, now_ms()).map_err(unread)
    }

    async fn text(&self, path: &str) -> Result<String, Trouble> {
        let client = self.cluster.client().await?;
        let request = Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError).map_err(|error| Trouble::from(&error))?;
        ask(client.request_text(request)).await
    }
}

/// How far apart readings of one place are, so that all together are one a job in 25 s.
fn pause(places: usize, jobs: usize) -> Duration {
    let fair = EVERY * u32::try_from(places).unwrap_or(u32::MAX) / u32::try_from(jobs.max(1)).unwrap_or(u32::MAX);
    fair.clamp(OFTEN, EVERY * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_one_a_job_in_25_seconds_and_no_more_than_one_a_second() {
        assert_eq!(pause(1, 1), Duration::from_secs(25));
        assert_eq!(pause(1, 5), Duration::from_secs(5));
        assert_eq!(pause(4, 10), Duration::from_secs(10));
        assert_eq!(pause(1, 1000), Duration::from_secs(1));
        assert_eq!(pause(100, 1), Duration::from_secs(50), "one job on a hundred nodes costs more: two requests a second");
        assert_eq!(pause(1, 0), Duration::from_secs(25));
    }
}
