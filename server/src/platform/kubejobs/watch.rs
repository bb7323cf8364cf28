//! Follows the pods of all jobs in a namespace, and what the Job controller says; tells each job its own.
//! One watch a namespace, however many jobs there are.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Event as Notice, Pod};
use kube::{
    Api,
    runtime::watcher::{self, Event, watcher},
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{
    cluster::{Cluster, Trouble},
    pod::{Seen, not_made},
    template::JOB_LABEL,
};
use crate::platform::lock::lock;

/// First and longest pause before a watch that failed is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

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
    /// Nothing can be seen now, and why.
    Blind(String),
}

/// The watches of all namespaces in use. Cheap to clone.
#[derive(Clone)]
pub struct Watches {
    cluster: Cluster,
    namespaces: Arc<Mutex<HashMap<String, Arc<Namespace>>>>,
}

#[derive(Default)]
struct Namespace(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// By uid; none before the first list.
    pods: Option<HashMap<String, Seen>>,
    jobs: HashMap<String, UnboundedSender<News>>,
}

impl Watches {
    pub fn new(cluster: Cluster) -> Self {
        Self { cluster, namespaces: Arc::default() }
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
        known.jobs.insert(job.to_owned(), told);
        tells
    }

    fn begin(&self, namespace: &str) -> Arc<Namespace> {
        let known = Arc::new(Namespace::default());
        tokio::spawn(pods(self.cluster.clone(), namespace.to_owned(), Arc::clone(&known)));
        tokio::spawn(notices(self.cluster.clone(), namespace.to_owned(), Arc::clone(&known)));
        known
    }
}

async fn pods(cluster: Cluster, namespace: String, known: Arc<Namespace>) {
    let client = client(&cluster, &known).await;
    let config = watcher::Config::default().labels(JOB_LABEL);
    let mut stream = Box::pin(watcher(Api::<Pod>::namespaced(client, &namespace), config));
    let (mut pause, mut listing) = (PAUSES.0, HashMap::new());
    while let Some(event) = stream.next().await {
        match event {
            Ok(event) => {
                pause = PAUSES.0;
                known.heed(event, &mut listing);
            }
            Err(error) => {
                known.tell_all(&News::Blind(words(&error)));
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

/// Only what says that pods could not be made: all else shows in the pods themselves.
async fn notices(cluster: Cluster, namespace: String, known: Arc<Namespace>) {
    let client = client(&cluster, &known).await;
    let config = watcher::Config::default().fields("involvedObject.kind=Job,reason=FailedCreate");
    let mut stream = Box::pin(watcher(Api::<Notice>::namespaced(client, &namespace), config));
    while let Some(event) = stream.next().await {
        match event {
            Ok(Event::Apply(notice) | Event::InitApply(notice)) => known.notice(&notice),
            Ok(_) => {}
            Err(error) => {
                tracing::debug!("the events of namespace {namespace} cannot be seen: {}", words(&error));
                tokio::time::sleep(PAUSES.1).await;
            }
        }
    }
}

/// A client, sooner or later.
async fn client(cluster: &Cluster, known: &Namespace) -> kube::Client {
    loop {
        match cluster.client().await {
            Ok(client) => return client,
            Err(trouble) => known.tell_all(&News::Blind(trouble.words)),
        }
        tokio::time::sleep(PAUSES.1).await;
    }
}

impl Namespace {
    fn heed(&self, event: Event<Pod>, listing: &mut HashMap<String, Seen>) {
        let mut known = lock(&self.0);
        match event {
            Event::Init => listing.clear(),
            Event::InitApply(pod) => listing.extend(Seen::of(&pod).map(|seen| (seen.uid.clone(), seen))),
            Event::InitDone => {
                let pods = std::mem::take(listing);
                known
                    .jobs
                    .retain(|job, told| told.send(News::Listed(pods.values().filter(|pod| pod.job == *job).cloned().collect())).is_ok());
                known.pods = Some(pods);
            }
            Event::Apply(pod) => {
                let Some(seen) = Seen::of(&pod) else { return };
                known.pods.get_or_insert_default().insert(seen.uid.clone(), seen.clone());
                known.tell(&seen.job.clone(), News::Pod(seen));
            }
            Event::Delete(pod) => {
                let Some(seen) = Seen::of(&pod) else { return };
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

    fn tell_all(&self, news: &News) {
        lock(&self.0).jobs.retain(|_, told| told.send(news.clone()).is_ok());
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

fn words(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) | watcher::Error::WatchFailed(error) => {
            Trouble::from(error).words
        }
        watcher::Error::WatchError(status) => Trouble::from(&kube::Error::Api(status.clone())).words,
        watcher::Error::NoResourceVersion => error.to_string(),
    }
}
