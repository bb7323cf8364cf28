//! The platform against an API server on paper: pods come and go as wanted, and no failure of it is taken for an end.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    time::Instant,
};

use bytes::Bytes;
use control::job::{Order, QueueSpec};
use kube::Client;
use serde_json::json;
use tempfile::TempDir;

use super::{
    cluster::Cluster,
    fake::{Fake, Mood},
    way::Way,
    *,
};
use crate::queue::Queues;

const JOB: &str = "kj-1";
const GRACE: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(20);

struct House {
    fake: Fake,
    platform: Kubejobs,
    queue: Arc<Queue>,
    _doors: Vec<Door>,
    data: TempDir,
}

fn params() -> Value {
    json!({ "image": "a:1", "namespace": "batch", "cpu": 0.2 })
}

fn platform(data: &TempDir, client: Client) -> Kubejobs {
    let pods_listen = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let way = Way::Started(ClusterSettings { pods_listen, ..ClusterSettings::default() });
    Kubejobs::new(data.path(), Clusters::of(Cluster::of(client, way), pods_listen))
}

impl House {
    fn new() -> Self {
        let (fake, data) = (Fake::new(), tempfile::tempdir().unwrap());
        let queues = Queues::open(&data.path().join("queue")).unwrap();
        let queue = queues.create(JOB, QueueSpec { max_attempts: 3, order: Order::Fifo }).unwrap();
        queue.append(&[Bytes::from_static(b"a")]).unwrap();
        Self { platform: platform(&data, fake.client()), fake, queue, _doors: Vec::new(), data }
    }

    async fn start(&mut self, number: u64) -> Handle {
        let replica = format!("{JOB}-r{number}");
        self._doors.push(self.platform.door(&replica, &params(), &self.queue, None).await.unwrap());
        let launch = Launch {
            job: JOB.to_owned(),
            replica,
            params: params(),
            redis_host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            redis_port: 6379,
            extra_env: Vec::new(),
        };
        self.platform.start(&launch).await.unwrap()
    }

    /// Starts so many and waits until each has a ready pod. Answers with their handles.
    async fn running(&mut self, count: u64) -> Vec<Handle> {
        let mut handles = Vec::new();
        for number in 1..=count {
            handles.push(self.start(number).await);
        }
        self.all_ready(&handles).await;
        handles
    }

    async fn all_ready(&self, handles: &[Handle]) {
        until("all are ready", || {
            handles.iter().all(|handle| {
                let pod = self.pod(handle).and_then(|name| self.fake.object(&format!("pods/{name}")));
                pod.is_some_and(|pod| {
                    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
                    conditions.into_iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
                })
            })
        })
        .await;
    }

    fn pod(&self, handle: &Handle) -> Option<String> {
        self.platform.place(handle)?.strip_prefix("pod ").map(str::to_owned)
    }

    fn pods(&self) -> BTreeSet<String> {
        self.fake.names("pods").into_iter().collect()
    }

    fn parallelism(&self) -> Option<u64> {
        self.fake.object(&format!("jobs/{JOB}"))?["spec"]["parallelism"].as_u64()
    }
}

async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "it did not come to pass: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_chosen_pods_go_and_at_last_all_of_it() {
    let mut house = House::new();
    let handles = house.running(5).await;
    let (first, third) = (house.pod(&handles[0]).unwrap(), house.pod(&handles[2]).unwrap());
    let ends = tokio::join!(house.platform.end(&handles[0], GRACE), house.platform.end(&handles[2], GRACE));
    assert!(ends.0.is_ok() && ends.1.is_ok());
    let left = house.pods();
    assert!(left.len() == 3 && !left.contains(&first) && !left.contains(&third), "{left:?}");
    let mut ended: Vec<String> = house.platform.reap().into_iter().map(|(replica, _)| replica).collect();
    ended.sort();
    assert_eq!(ended, ["kj-1-r1", "kj-1-r3"]);
    // Asking again is harmless, and so is wanting one more.
    house.platform.end(&handles[0], GRACE).await.unwrap();
    let sixth = house.start(6).await;
    house.all_ready(&[sixth]).await;
    assert_eq!(house.parallelism(), Some(4));
    assert_eq!(house.platform.sweep(JOB, &params()).await.unwrap(), 4);
    for kind in ["pods", "jobs", "services", "endpointslices"] {
        assert_eq!(house.fake.names(kind), Vec::<String>::new(), "{kind}");
    }
    until("the job is forgotten", || house.platform.0.jobs.board(JOB).is_none()).await;
}

#[tokio::test]
async fn twenty_starts_are_a_handful_of_requests() {
    let mut house = House::new();
    let before = house.fake.requests();
    house.running(20).await;
    // Job, Service twice, slice, one look, one patch, a claim and a gate for each, and the watches of this fake.
    let writes = house.fake.requests() - before;
    assert!(writes < 150, "{writes}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let rest = house.fake.requests();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(house.fake.requests() - rest <= 2, "at rest nothing is asked: {}", house.fake.requests() - rest);
}

#[tokio::test]
async fn nobody_is_taken_for_ended_while_the_server_does_not_answer() {
    for mood in [Mood::Code(503), Mood::Code(500), Mood::WritesFail(429)] {
        let mut house = House::new();
        let handles = house.running(3).await;
        let chosen = house.pod(&handles[1]).unwrap();
        house.fake.mood(mood);
        let platform = house.platform.clone();
        let handle = handles[1].clone();
        let ending = tokio::spawn(async move { platform.end(&handle, GRACE).await });
        until("the trouble is told", || house.platform.trouble(JOB).is_some_and(|words| words.contains("does not answer"))).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(house.platform.reap().is_empty() && !ending.is_finished());
        house.fake.mood(Mood::Well);
        ending.await.unwrap().unwrap();
        assert!(house.pods().len() == 2 && !house.pods().contains(&chosen));
        until("the trouble is over", || house.platform.trouble(JOB).is_none()).await;
    }
}

#[tokio::test]
async fn while_the_server_does_not_answer_replicas_are_unseen_and_what_is_known_of_them_gets_old() {
    for mood in [Mood::Code(503), Mood::Code(500), Mood::Code(429)] {
        let mut house = House::new();
        house.running(2).await;
        assert_eq!(house.platform.unseen(JOB), None);
        house.fake.mood(mood);
        house.fake.end_pod(&house.pods().into_iter().next().unwrap(), 0);
        until("it is noticed", || house.platform.unseen(JOB).is_some()).await;
        let first = house.platform.unseen(JOB).unwrap();
        assert!(first.why.contains("does not answer"), "{first:?}");
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let later = house.platform.unseen(JOB).unwrap();
        assert!(first.age_ms + 1000 <= later.age_ms, "{first:?} {later:?}");
        assert!(house.platform.reap().is_empty(), "what ended is not known yet");
        let begun = Instant::now();
        house.fake.mood(Mood::Well);
        until("it is seen again", || house.platform.unseen(JOB).is_none()).await;
        assert!(begun.elapsed() < Duration::from_secs(2), "within two ticks: {:?}", begun.elapsed());
        let mut told = Vec::new();
        until("with it comes what happened meanwhile", || {
            told.extend(house.platform.reap());
            !told.is_empty()
        })
        .await;
    }
}

#[tokio::test]
async fn writes_that_are_not_taken_are_unseen_too_until_one_is() {
    let mut house = House::new();
    let handles = house.running(2).await;
    house.fake.mood(Mood::WritesFail(429));
    let (platform, handle) = (house.platform.clone(), handles[0].clone());
    let ending = tokio::spawn(async move { platform.end(&handle, GRACE).await });
    until("it is noticed", || house.platform.unseen(JOB).is_some()).await;
    house.fake.mood(Mood::Well);
    ending.await.unwrap().unwrap();
    assert_eq!(house.platform.unseen(JOB), None);
}

#[tokio::test]
async fn replicas_of_a_server_before_are_unseen_until_the_pods_are_listed() {
    let mut house = House::new();
    let handles = house.running(2).await;
    house.fake.mood(Mood::Code(503));
    let next = platform(&house.data, house.fake.client());
    next.door(&handles[0].replica, &params(), &house.queue, None).await.unwrap();
    assert!(next.alive(&handles[0], &params()));
    assert!(next.unseen(JOB).is_some(), "from the first moment on");
    house.fake.mood(Mood::Well);
    until("they are listed", || next.unseen(JOB).is_none()).await;
}

#[tokio::test]
async fn a_watch_that_is_too_old_begins_anew_and_tells_who_went_meanwhile() {
    let mut house = House::new();
    let handles = house.running(3).await;
    house.fake.mood(Mood::Code(503));
    tokio::time::sleep(Duration::from_millis(50)).await;
    house.fake.remove(&format!("pods/{}", house.pod(&handles[0]).unwrap()));
    house.fake.forget();
    house.fake.mood(Mood::Well);
    let mut told = Vec::new();
    until("it is told", || {
        told.extend(house.platform.reap());
        !told.is_empty()
    })
    .await;
    assert_eq!(told, [("kj-1-r1".to_owned(), Exit::Deleted)]);
    // Whether another one is wanted is said by whoever hears of it.
    house.platform.end(&handles[0], Duration::ZERO).await.unwrap();
    until("two are left", || house.parallelism() == Some(2) && house.pods().len() == 2).await;
    let left: BTreeSet<String> = handles[1..].iter().map(|handle| house.pod(handle).unwrap()).collect();
    assert_eq!(house.pods(), left);
}

#[tokio::test]
async fn a_worker_that_ended_is_told_with_its_code_and_can_be_replaced() {
    let mut house = House::new();
    let handles = house.running(2).await;
    house.fake.end_pod(&house.pod(&handles[1]).unwrap(), 3);
    let mut told = Vec::new();
    until("it is told", || {
        told.extend(house.platform.reap());
        !told.is_empty()
    })
    .await;
    assert_eq!(told, [("kj-1-r2".to_owned(), Exit::Code(3))]);
    house.platform.end(&handles[1], Duration::ZERO).await.unwrap();
    let third = house.start(3).await;
    house.all_ready(&[handles[0].clone(), third]).await;
    assert_eq!(house.parallelism(), Some(2));
}

#[tokio::test]
async fn a_pod_that_nobody_wanted_goes_and_nobody_else() {
    let mut house = House::new();
    let handles = house.running(2).await;
    let stay = house.pods();
    house.fake.set_parallelism(JOB, 4);
    until("there are too many", || house.pods().len() > 2).await;
    until("those go", || house.pods() == stay && house.parallelism() == Some(2)).await;
    assert!(house.platform.reap().is_empty() && handles.len() == 2);
}

#[tokio::test]
async fn a_parallelism_that_somebody_else_set_is_taken_back() {
    let mut house = House::new();
    let handles = house.running(3).await;
    house.fake.set_parallelism(JOB, 3);
    house.platform.end(&handles[0], GRACE).await.unwrap();
    assert_eq!(house.parallelism(), Some(2));
}

#[tokio::test]
async fn a_job_that_was_deleted_by_hand_is_made_again_when_somebody_is_wanted() {
    let mut house = House::new();
    let handles = house.running(2).await;
    house.fake.remove(&format!("jobs/{JOB}"));
    let mut told = Vec::new();
    until("both are told", || {
        told.extend(house.platform.reap());
        told.len() == 2
    })
    .await;
    assert!(told.iter().all(|(_, exit)| *exit == Exit::Deleted), "{told:?}");
    for handle in &handles {
        house.platform.end(handle, Duration::ZERO).await.unwrap();
    }
    let third = house.start(3).await;
    house.all_ready(&[third]).await;
    assert_eq!((house.parallelism(), house.pods().len()), (Some(1), 1));
}

#[tokio::test]
async fn the_next_server_takes_over_who_lives_and_ends_who_is_nobodys() {
    let mut house = House::new();
    let handles = house.running(4).await;
    let next = platform(&house.data, house.fake.client());
    // The second is known to no record, and the ninth never came to be.
    let ninth = Handle { replica: format!("{JOB}-r9"), ..handles[0].clone() };
    let known = [&handles[0], &handles[2], &handles[3], &ninth];
    for handle in known {
        next.door(&handle.replica, &params(), &house.queue, None).await.unwrap();
        assert!(next.alive(handle, &params()));
    }
    let stray = house.pod(&handles[1]).unwrap();
    let stay: BTreeSet<String> = house.pods().into_iter().filter(|pod| *pod != stray).collect();
    // The first server is gone.
    let of_before = std::mem::replace(&mut house.platform, next);
    of_before.0.jobs.0.lock().unwrap().clear();
    drop(of_before);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(house.pods().len(), 4, "nobody goes before all are taken over");
    house.platform.wake(JOB).await.unwrap();
    until("the stray goes", || house.pods() == stay).await;
    assert_eq!(house.platform.reap(), [(ninth.replica.clone(), Exit::Unknown)]);
    house.platform.end(&handles[2], GRACE).await.unwrap();
    let gone = house.pods();
    assert!(gone.len() == 2 && house.parallelism() == Some(2), "{gone:?}");
}

/// What CPU the job's pods were given.
fn given(house: &House) -> Vec<String> {
    let pods = house.fake.names("pods").into_iter().filter_map(|name| house.fake.object(&format!("pods/{name}")));
    pods.map(|pod| pod["spec"]["containers"][0]["resources"]["limits"]["cpu"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn pods_get_other_cpu_while_they_run_newer_ones_too_and_those_of_a_server_before() {
    let mut house = House::new();
    let handles = house.running(2).await;
    let before = house.pods();
    assert_eq!(given(&house), ["200m", "200m"]);
    assert_eq!(house.platform.cpu(JOB).unwrap().millicores, 200);
    house.platform.resize(JOB, &params(), 350);
    until("both have it", || given(&house) == ["350m", "350m"]).await;
    assert_eq!(house.pods(), before, "nobody was restarted");
    let third = house.start(3).await;
    house.all_ready(&[third]).await;
    until("the third has it too", || given(&house) == ["350m", "350m", "350m"]).await;
    house.platform.resize(JOB, &params(), 100);
    until("all have less", || given(&house) == ["100m", "100m", "100m"]).await;

    let next = platform(&house.data, house.fake.client());
    for handle in &handles {
        next.door(&handle.replica, &params(), &house.queue, None).await.unwrap();
        assert!(next.alive(handle, &params()));
    }
    until("the next server knows it", || next.cpu(JOB).is_some_and(|cpu| cpu.millicores == 100)).await;
}

#[tokio::test]
async fn a_cluster_that_cannot_change_cpu_says_so_and_the_pods_keep_theirs() {
    let mut house = House::new();
    let handles = house.running(2).await;
    house.fake.mood(Mood::Old);
    house.platform.resize(JOB, &params(), 350);
    until("it is told", || house.platform.cpu(JOB).is_some_and(|cpu| cpu.refused.is_some())).await;
    let cpu = house.platform.cpu(JOB).unwrap();
    assert!(cpu.millicores == 200 && cpu.refused.unwrap().starts_with("This cluster cannot change the CPU of running pods"));
    assert_eq!((house.platform.trouble(JOB), house.platform.unseen(JOB)), (None, None), "replicas come and go as before");
    house.platform.end(&handles[0], GRACE).await.unwrap();
    assert_eq!(given(&house), ["200m"]);
}
