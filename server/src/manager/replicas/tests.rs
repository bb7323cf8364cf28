//! How replicas go: on a platform that only notes what it is asked, with a real store and a real queue.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;

use async_trait::async_trait;
use control::job::{Order, QueueSpec};
use serde_json::json;

use super::*;
use crate::manager::submission;
use crate::platform::local::Local;
use crate::platform::{ClusterSettings, Clusters, LogChunk, LogStream, Place, PlatformError, Usage};
use crate::queue::Queues;
use crate::store::NewJob;

const JOB: &str = "kj-0123456789abcdef";

/// Starts nothing, and says that all of it lives.
#[derive(Default)]
struct Paper {
    ended: Mutex<Vec<String>>,
    woken: Mutex<Vec<String>>,
    /// How many ends fail yet.
    failures: AtomicU32,
}

#[async_trait]
impl Platform for Paper {
    async fn door(&self, replica: &str, params: &Value, queue: &Arc<Queue>, stored: Option<SocketAddr>) -> std::io::Result<Door> {
        Local::new(std::path::Path::new("/nowhere")).door(replica, params, queue, stored).await
    }

    async fn start(&self, launch: &Launch) -> Result<Handle, PlatformError> {
        Ok(Handle { replica: launch.replica.clone(), job: launch.job.clone(), place: Place::Process { pid: 1, start_ticks: 1 } })
    }

    fn alive(&self, _: &Handle, _: &Value) -> bool {
        true
    }

    fn find(&self, _: &str, _: &Value) -> Option<Handle> {
        None
    }

    fn place(&self, _: &Handle) -> Option<String> {
        None
    }

    fn reap(&self) -> Vec<(String, Exit)> {
        Vec::new()
    }

    fn usage(&self, handles: &[Handle]) -> Vec<Option<Usage>> {
        vec![None; handles.len()]
    }

    async fn end(&self, handle: &Handle, _: Duration) -> Result<(), PlatformError> {
        self.ended.lock().unwrap().push(handle.replica.clone());
        let fails = self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if fails { Err(PlatformError::Survivors { of: handle.replica.clone(), pids: vec![1] }) } else { Ok(()) }
    }

    async fn wake(&self, job: &str) -> Result<(), PlatformError> {
        self.woken.lock().unwrap().push(job.to_owned());
        Ok(())
    }

    async fn sweep(&self, _: &str, _: &Value) -> Result<usize, PlatformError> {
        Ok(0)
    }

    async fn log(&self, replica: &str, _: LogStream, _: Option<u64>) -> Result<LogChunk, PlatformError> {
        Err(PlatformError::NoLog { replica: replica.to_owned() })
    }

    fn trim(&self) {}

    fn grace(&self, _: &Value) -> Duration {
        Duration::ZERO
    }
}

/// One job of four items, with replicas on paper.
struct House {
    store: Store,
    queues: Arc<Queues>,
    paper: Arc<Paper>,
    _dir: tempfile::TempDir,
}

impl House {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store.db")).await.unwrap();
        let queues = Queues::open(&dir.path().join("queue")).unwrap();
        let spec = submission::parse(
            &json!({
                "name": "paper",
                "platform": { "kind": "local", "params": { "command": ["true"] } },
                "workload": { "source": "inline", "items": "a\nb\nc\nd" },
                "objective": { "deadline_s": 60 },
                "replicas": { "min": 1, "max": 4, "initial": 2 },
            }),
            &Clusters::new(ClusterSettings::default()),
        )
        .unwrap();
        let job = NewJob { id: JOB.to_owned(), spec, submitted_at: 1, deadline_at: 60_001, by: "ann".to_owned() };
        store.insert_job(job).await.unwrap();
        let queue = queues.create(JOB, QueueSpec { max_attempts: 3, order: Order::Fifo }).unwrap();
        queue.append(&["a", "b", "c", "d"].map(|item| item.into())).unwrap();
        queue.seal().unwrap();
        Self { store, queues, paper: Arc::default(), _dir: dir }
    }

    fn replicas(&self, wanted: u32) -> Replicas {
        let queue = self.queues.load(JOB).unwrap().unwrap();
        Replicas::new(JOB, json!({}), self.paper.clone(), queue, self.store.clone(), wanted)
    }

    fn ended(&self) -> usize {
        self.paper.ended.lock().unwrap().len()
    }
}

/// Says words to the queue as the first replica does.
async fn say<T: redis::FromRedisValue>(replicas: &Replicas, words: &str) -> T {
    let address: SocketAddr = replicas.living[0].row.addr.parse().unwrap();
    let client = redis::Client::open(format!("redis://{address}/")).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut words = words.split(' ');
    let mut command = redis::cmd(words.next().unwrap());
    words.for_each(|word| {
        command.arg(word);
    });
    command.query_async(&mut connection).await.unwrap()
}

/// Looks after the replicas until it is so.
async fn until(replicas: &mut Replicas, mut so: impl FnMut(&Replicas) -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while !so(replicas) {
            replicas.reconcile().await.unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.expect("it did not come to pass");
}

#[tokio::test]
async fn a_replica_between_two_steps_of_its_item_is_not_ended() {
    let house = House::new().await;
    let mut replicas = house.replicas(1);
    replicas.reconcile().await.unwrap();
    let item: String = say(&replicas, "RPOPLPUSH job job:processing").await;
    replicas.want(0, 100.0);
    replicas.reconcile().await.unwrap();
    let removed: i64 = say(&replicas, &format!("LREM job:processing 1 {item}")).await;
    // It holds nothing, and has not yet said its result. Two looks may come at once: a look and a tick.
    assert_eq!(removed, 1);
    replicas.reconcile().await.unwrap();
    replicas.reconcile().await.unwrap();
    assert_eq!(house.ended(), 0);
    let began = now_ms();
    until(&mut replicas, |_| house.ended() == 1).await;
    assert!(IDLE_AT_LEAST_MS <= now_ms() - began, "{} ms", now_ms() - began);
}

/// Nearly the two looks: the first of them was before the clock was read.
const IDLE_AT_LEAST_MS: i64 = 150;

#[tokio::test]
async fn a_replica_that_could_not_be_ended_is_asked_again() {
    let house = House::new().await;
    house.paper.failures.store(2, Ordering::SeqCst);
    let mut replicas = house.replicas(1);
    replicas.reconcile().await.unwrap();
    replicas.want(0, 100.0);
    until(&mut replicas, |_| house.ended() == 3).await;
    assert_eq!(replicas.counts().draining, 1);
}

#[tokio::test]
async fn a_drain_goes_on_after_a_restart_before_anybody_is_given_an_item() {
    let house = House::new().await;
    let mut before = house.replicas(2);
    before.reconcile().await.unwrap();
    let _: String = say(&before, "RPOPLPUSH job job:processing").await;
    // The other one is idle, but the busy one is chosen first here: a restart must not choose anew.
    before.living.remove(1);
    before.want(0, 100.0);
    before.reconcile().await.unwrap();
    drop(before);
    while 0 < house.queues.close_unused(Duration::ZERO) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    let mut after = house.replicas(1);
    after.recover(house.store.replicas(JOB, false).await.unwrap()).await.unwrap();
    assert_eq!(*house.paper.woken.lock().unwrap(), [JOB]);
    assert_eq!((after.living.len(), after.counts().draining), (2, 1));
    let nothing: Option<String> = say(&after, "RPOPLPUSH job job:processing").await;
    assert_eq!(nothing, None);
    after.reconcile().await.unwrap();
    assert_eq!((after.living.len(), after.counts().draining), (2, 1), "the one that was to stay stays");
    // Wanted again, it is taken back, and that is remembered too.
    after.want(2, 100.0);
    after.reconcile().await.unwrap();
    assert_eq!(after.counts().draining, 0);
    let rows = house.store.replicas(JOB, true).await.unwrap();
    assert!(rows.iter().all(|row| row.state == STARTING), "{rows:?}");
}

#[tokio::test]
async fn the_idle_one_goes_before_the_busy_one_and_it_is_said() {
    let house = House::new().await;
    let mut replicas = house.replicas(2);
    replicas.reconcile().await.unwrap();
    let _: String = say(&replicas, "RPOPLPUSH job job:processing").await;
    assert_eq!(replicas.take_going(), None);
    replicas.want(1, 100.0);
    replicas.reconcile().await.unwrap();
    assert_eq!(replicas.take_going().as_deref(), Some("r2 goes: not at work yet."));
    replicas.want(0, 100.0);
    replicas.reconcile().await.unwrap();
    let said = replicas.take_going().unwrap();
    assert!(said.starts_with("r1 goes: ") && said.ends_with(" into its item, so first to be free."), "{said}");
    assert_eq!(replicas.take_going(), None, "it is said once");
}

#[tokio::test]
async fn an_adopted_replica_that_ends_when_nothing_waits_has_not_failed() {
    let house = House::new().await;
    let mut replicas = house.replicas(1);
    replicas.reconcile().await.unwrap();
    let first = replicas.living[0].row.id.clone();
    replicas.collect(&[(first, Exit::Unknown)]).await.unwrap();
    let marks = replicas.take_marks();
    // In the middle of the work it is told, and is still no failure.
    let told: Vec<_> = marks.iter().map(|mark| (mark.kind, mark.text.as_str())).collect();
    assert_eq!(told, [(MarkKind::Info, "Replica r1 ended, how is not known (it was started before the server's last start).")]);

    replicas.reconcile().await.unwrap();
    for _ in 0..4 {
        let item: String = say(&replicas, "RPOPLPUSH job job:processing").await;
        let _: i64 = say(&replicas, &format!("LREM job:processing 1 {item}")).await;
    }
    let second = replicas.living[0].row.id.clone();
    replicas.collect(&[(second, Exit::Unknown)]).await.unwrap();
    assert!(replicas.take_marks().is_empty(), "its work was done");
}

#[tokio::test]
async fn an_adopted_replica_that_was_told_to_go_has_not_failed() {
    let house = House::new().await;
    let mut replicas = house.replicas(1);
    replicas.reconcile().await.unwrap();
    let first = replicas.living[0].row.id.clone();
    replicas.want(0, 100.0);
    replicas.reconcile().await.unwrap();
    replicas.collect(&[(first, Exit::Unknown)]).await.unwrap();
    assert!(replicas.take_marks().is_empty());
}
