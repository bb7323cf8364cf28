//! Follows the pods of all jobs in a namespace, and what the Job controller says; tells each job its own.
//! One watch a namespace, however many jobs there are.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Event as Notice, Pod};
use kube::{
    Api,
    runtime::watcher::{self, Event, watcher},
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{
    cluster::{ANSWER, Cluster, SILENCE, Trouble, away},
    pod::{Seen, not_made},
};
use crate::lock::lock;

/// First and longest pause before pods are listed anew: loops hold meanwhile, so it is no longer than their tick.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(1));
/// Before events are: nothing waits for them.
const PAUSE: Duration = Duration::from_secs(2);

/// What a job is told.
#[derive(Debug, Clone)]
pub enum News {
    /// All its pods there are: any other is gone.
    Listed(Vec<Seen>),
    Pod(Seen),
    /// It is no more; as it was last.
    Gone(Seen),
    /// The controller could not make a pod, in words. Milliseconds since 1970.
    NotMade {
        at: i64,
        why: String,
    },
    /// Nothing can be seen since then, and why; until all pods are listed anew.
    Blind {
        since: Instant,
        why: String,
    },
}

/// The watches of all namespaces in use. Cheap to clone.
#[derive(Clone)]
pub struct Watches {
    cluster: Cluster,
    /// By which a pod is its job's.
    label: &'static str,
    namespaces: Arc<Mutex<HashMap<String, Arc<Namespace>>>>,
}

#[derive(Default)]
struct Namespace(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// By uid; none before the first list.
    pods: Option<HashMap<String, Seen>>,
    /// Since when they may be others by now, and why.
    blind: Option<(Instant, String)>,
    jobs: HashMap<String, UnboundedSender<News>>,
}

impl Watches {
    pub fn new(cluster: Cluster, label: &'static str) -> Self {
        Self { cluster, label, namespaces: Arc::default() }
    }

    /// From now on a job is told of its pods, and at once of those that are known. Until the answer is dropped.
    pub fn of(&self, namespace: &str, job: &str) -> UnboundedReceiver<News> {
        let mut namespaces = lock(&self.namespaces);
        let known = namespaces.entry(namespace.to_owned()).or_insert_with(|| self.begin(namespace)).clone();
        drop(namespaces);
        let (told, tells) = unbounded_channel();
        let mut known = lock(&known.0);
        if let Some(pods) = &known.pods {
            // The receiver is still in hand.
            let _ = told.send(News::Listed(pods.values().filter(|pod| pod.job == job).cloned().collect()));
        }
        if let Some((since, why)) = known.blind.clone() {
            let _ = told.send(News::Blind { since, why });
        }
        known.jobs.insert(job.to_owned(), told);
        tells
    }

    fn begin(&self, namespace: &str) -> Arc<Namespace> {
        let known = Arc::new(Namespace::default());
        let (cluster, label, namespace, told) = (self.cluster.clone(), self.label, namespace.to_owned(), Arc::clone(&known));
        tokio::spawn(async move {
            tokio::select! {
                () = pods(cluster.clone(), label, namespace.clone(), Arc::clone(&told)) => {}
                () = notices(cluster.clone(), namespace, told) => {}
                () = cluster.removed() => {}
            }
        });
        known
    }
}

/// A watch that failed is not gone on with: what it would have told is read anew as a list.
async fn pods(cluster: Cluster, label: &str, namespace: String, known: Arc<Namespace>) {
    let config = watcher::Config::default().labels(label);
    let (mut pause, mut ways) = (PAUSES.0, cluster.ways());
    loop {
        ways.mark_unchanged();
        let client = client(&cluster, &known).await;
        let mut stream = Box::pin(watcher(Api::<Pod>::namespaced(client.clone(), &namespace), config.clone()));
        let (mut listing, mut listed) = (HashMap::new(), false);
        let error = loop {
            // A list is an answer, which may take its time; a watch may be silent.
            let next = async { if listed { Ok(stream.next().await) } else { tokio::time::timeout(ANSWER, stream.next()).await } };
            let next = tokio::select! {
                next = next => next,
                // By another way all is listed anew.
                _ = ways.changed() => Ok(None),
            };
            match next {
                Ok(Some(Ok(event))) => {
                    pause = PAUSES.0;
                    cluster.spoke();
                    listed |= matches!(event, Event::InitDone);
                    known.heed(event, label, &mut listing);
                }
                Ok(Some(Err(error))) => break Some(error),
                Ok(None) | Err(_) => break None,
            }
        };
        let now = Instant::now();
        let since = if error.as_ref().is_some_and(silent) { now.checked_sub(SILENCE).unwrap_or(now) } else { now };
        known.lose(since, error.as_ref().map_or_else(unanswered, words));
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// It heard nothing for so long that it took the connection for cut.
fn silent(error: &watcher::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Only what says that pods could not be made: all else shows in the pods themselves.
async fn notices(cluster: Cluster, namespace: String, known: Arc<Namespace>) {
    let config = watcher::Config::default().fields("involvedObject.kind=Job,reason=FailedCreate");
    let mut ways = cluster.ways();
    let mut first = true;
    loop {
        ways.mark_unchanged();
        // The API server has nothing to say about events of which there are none: that watch may be silent.
        let Ok(client) = cluster.client().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let mut stream = Box::pin(watcher(Api::<Notice>::namespaced(client, &namespace), config.clone()));
        loop {
            let next = tokio::select! {
                next = stream.next() => next,
                _ = ways.changed() => None,
            };
            match next {
                Some(Ok(Event::Apply(notice) | Event::InitApply(notice))) => known.notice(&notice),
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    // Once: it goes on without them, and a job whose pods cannot be made does not say why.
                    if std::mem::take(&mut first) {
                        tracing::warn!("the events of namespace {namespace} cannot be seen: {}", words(&error));
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                None => break,
            }
        }
    }
}

/// A client, sooner or later.
async fn client(cluster: &Cluster, known: &Namespace) -> kube::Client {
    loop {
        match cluster.watching().await {
            Ok(client) => return client,
            Err(trouble) => known.lose(Instant::now(), trouble.words),
        }
        tokio::time::sleep(PAUSES.1).await;
    }
}

impl Namespace {
    fn heed(&self, event: Event<Pod>, label: &str, listing: &mut HashMap<String, Seen>) {
        let mut known = lock(&self.0);
        match event {
            Event::Init => listing.clear(),
            Event::InitApply(pod) => listing.extend(Seen::by(&pod, label).map(|seen| (seen.uid.clone(), seen))),
            Event::InitDone => {
                let pods = std::mem::take(listing);
                known
                    .jobs
                    .retain(|job, told| told.send(News::Listed(pods.values().filter(|pod| pod.job == *job).cloned().collect())).is_ok());
                (known.pods, known.blind) = (Some(pods), None);
            }
            Event::Apply(pod) => {
                let Some(seen) = Seen::by(&pod, label) else { return };
                known.pods.get_or_insert_default().insert(seen.uid.clone(), seen.clone());
                known.tell(&seen.job.clone(), News::Pod(seen));
            }
            Event::Delete(pod) => {
                let Some(seen) = Seen::by(&pod, label) else { return };
                known.pods.get_or_insert_default().remove(&seen.uid);
                known.tell(&seen.job.clone(), News::Gone(seen));
            }
        }
    }

    fn notice(&self, notice: &Notice) {
        let Some(job) = &notice.involved_object.name else { return };
        let series = notice.series.as_ref().and_then(|series| series.last_observed_time.as_ref()).map(|at| at.0);
        let at = series.or(notice.last_timestamp.as_ref().map(|at| at.0)).or(notice.event_time.as_ref().map(|at| at.0));
        let news =
            News::NotMade { at: at.map_or(0, |at| at.as_millisecond()), why: not_made(notice.message.as_deref().unwrap_or_default()) };
        lock(&self.0).tell(job, news);
    }

    /// What is known of the pods is no longer what they are, for all that can be said.
    fn lose(&self, since: Instant, why: String) {
        let mut known = lock(&self.0);
        let since = known.blind.as_ref().map_or(since, |(before, _)| *before);
        known.blind = Some((since, why.clone()));
        known.jobs.retain(|_, told| told.send(News::Blind { since, why: why.clone() }).is_ok());
    }
}

impl Known {
    /// A job that no longer listens is forgotten.
    fn tell(&mut self, job: &str, news: News) {
        if self.jobs.get(job).is_some_and(|told| told.send(news).is_err()) {
            self.jobs.remove(job);
        }
    }
}

fn unanswered() -> String {
    away(&format!("no list of pods within {} s", ANSWER.as_secs())).words
}

fn words(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) | watcher::Error::WatchFailed(error) => {
            Trouble::from(error).words
        }
        watcher::Error::WatchError(status) => Trouble::from(&kube::Error::Api(status.clone())).words,
        watcher::Error::NoResourceVersion => error.to_string(),
    }
}
