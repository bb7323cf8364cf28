//! What happens to a job, told to the cluster as Events of its Kubernetes Job: `kubectl describe job` shows it.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{
    cluster::{Cluster, Kind},
    template::MANAGER,
};
use crate::lock::lock;
use crate::platform::Told;

/// A job may tell so many Events at once, and one more each so often: the limits of Kubernetes' own clients.
const BURST: u32 = 25;
const EVERY: Duration = Duration::from_secs(300);
/// Events that wait for a slow cluster; what comes on top is not told.
const WAITING: usize = 256;
/// A cluster that does not allow Events is asked again after this.
const ASK_AGAIN: Duration = Duration::from_secs(600);
/// The longest note that the API takes, in bytes.
const LONGEST: usize = 1024;

/// Tells Events of all jobs, one after the other, and never holds anybody up. They are for people: one that gets lost
/// is no failure.
pub struct Events {
    cluster: Cluster,
    /// By job.
    known: Mutex<HashMap<String, Known>>,
    /// To the task that tells; it begins with the first Event.
    telling: Mutex<Option<Sender<(Event, ObjectReference)>>>,
}

/// A Job that Events can be about.
struct Known {
    job: ObjectReference,
    told: u32,
    /// When the last of `told` was forgiven.
    since: Instant,
    /// Each Event has an action of its own: else later ones only count the first up, with its words.
    number: u64,
}

impl Events {
    pub fn new(cluster: Cluster) -> Self {
        Self { cluster, known: Mutex::default(), telling: Mutex::default() }
    }

    /// There is a Kubernetes Job of this name by now; it may be another one than before.
    pub fn know(&self, namespace: &str, job: &str, uid: &str) {
        let reference = ObjectReference {
            api_version: Some("batch/v1".to_owned()),
            kind: Some("Job".to_owned()),
            name: Some(job.to_owned()),
            namespace: Some(namespace.to_owned()),
            uid: Some(uid.to_owned()),
            ..ObjectReference::default()
        };
        let mut known = lock(&self.known);
        let fresh = || Known { job: reference.clone(), told: 0, since: Instant::now(), number: 0 };
        known.entry(job.to_owned()).or_insert_with(fresh).job = reference.clone();
    }

    /// Tells something of a job. What has its end is told in any case and forgotten then.
    pub fn tell(&self, job: &str, told: &[Told], over: bool) {
        let mut known = lock(&self.known);
        let Some(of) = known.get_mut(job) else { return };
        let job_object = of.job.clone();
        let events: Vec<Event> = told.iter().filter_map(|told| of.event(told, over, Instant::now())).collect();
        if over {
            known.remove(job);
        }
        drop(known);
        let mut telling = lock(&self.telling);
        let sender = telling.get_or_insert_with(|| {
            let (sender, receiver) = channel(WAITING);
            tokio::spawn(publish(self.cluster.clone(), receiver));
            sender
        });
        for event in events {
            if sender.try_send((event, job_object.clone())).is_err() {
                tracing::debug!("job {job}: an Event more than the cluster takes is not told");
            }
        }
    }
}

impl Known {
    /// `None` when the job has told more than its share.
    fn event(&mut self, told: &Told, over: bool, now: Instant) -> Option<Event> {
        while 0 < self.told && EVERY <= now.duration_since(self.since) {
            (self.told, self.since) = (self.told - 1, self.since + EVERY);
        }
        if self.told == 0 {
            self.since = now;
        }
        if BURST <= self.told && !over {
            return None;
        }
        self.told += 1;
        self.number += 1;
        Some(Event {
            type_: if told.warns { EventType::Warning } else { EventType::Normal },
            reason: told.reason.to_owned(),
            note: Some(shortened(&told.text)),
            action: format!("{}{}", told.reason, self.number),
            secondary: None,
        })
    }
}

fn shortened(text: &str) -> String {
    let mut end = text.len().min(LONGEST - '…'.len_utf8());
    if end == text.len() {
        return text.to_owned();
    }
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

async fn publish(cluster: Cluster, mut events: Receiver<(Event, ObjectReference)>) {
    let mut refused: Option<Instant> = None;
    while let Some((event, job)) = events.recv().await {
        if refused.is_some_and(|at| at.elapsed() < ASK_AGAIN) {
            continue;
        }
        let Ok(client) = cluster.client().await else { continue };
        // A recorder remembers what it told, to count the same up; each of these is another one.
        let recorder = Recorder::new(client, Reporter { controller: MANAGER.to_owned(), instance: None });
        match cluster.ask(recorder.publish(&event, &job)).await {
            Ok(()) => refused = None,
            Err(trouble) if trouble.kind == Kind::Refused => {
                tracing::warn!("Events of Jobs are not told for a while: {}", trouble.words);
                refused = Some(Instant::now());
            }
            Err(trouble) => tracing::debug!("an Event was not told: {}", trouble.words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        Known { job: ObjectReference::default(), told: 0, since: Instant::now(), number: 0 }
    }

    fn more() -> Told {
        Told { reason: "ScaledUp", warns: false, text: "2 more.".to_owned() }
    }

    #[test]
    fn a_job_tells_its_share_and_always_its_end() {
        let (mut known, now) = (known(), Instant::now());
        let told = (0..40).filter_map(|_| known.event(&more(), false, now)).count();
        assert_eq!(told, 25);
        assert!(known.event(&more(), true, now).is_some(), "the end is told");
        let later = now + EVERY * 2;
        let told = (0..40).filter_map(|_| known.event(&more(), false, later)).count();
        assert_eq!(told, 1, "26 were told, and two are forgiven");
    }

    #[test]
    fn each_event_is_one_of_its_own() {
        let mut known = known();
        let mut action = || known.event(&more(), false, Instant::now()).unwrap().action;
        assert_ne!(action(), action());
    }

    #[test]
    fn a_note_is_never_longer_than_the_cluster_takes() {
        assert_eq!(shortened("as it is"), "as it is");
        let long = shortened(&"ä".repeat(1000));
        assert!(long.len() <= LONGEST && long.ends_with("ä…"));
    }
}
