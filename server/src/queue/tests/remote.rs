//! A queue that is kept in a Redis: what the embedded one does, it does too; and what happens when the Redis does not.

#[path = "../../../tests/support/redis_server.rs"]
mod server;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use control::job::{Order, QueueSpec};
use control::live::ItemState;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use self::server::Redis;
use super::{
    Fixture, JOB, Worker, counts,
    model::{COMMANDS, REPLICAS, TEXTS, check, elements, pipeline},
};
use crate::queue::{Address, Queue, QueueError, Queues};

fn address(redis: &Redis) -> Address {
    Address::parse(&redis.url()).unwrap()
}

async fn queue_in(redis: &Redis, job: &str, order: Order, items: &[&str]) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let queues = Queues::open(dir.path()).unwrap();
    let queue = queues.create_remote(job, &address(redis), QueueSpec { max_attempts: 3, order }).await.unwrap();
    queue.append(&items.iter().map(|item| Bytes::copy_from_slice(item.as_bytes())).collect::<Vec<_>>()).unwrap();
    queue.seal().unwrap();
    queue.written().await.unwrap();
    Fixture { dir, queue, queues }
}

/// What another server finds, which takes over.
async fn taken_over(redis: &Redis) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let queues = Queues::open(dir.path()).unwrap();
    let queue = queues.load_remote(JOB, &address(redis)).await.unwrap().unwrap();
    Fixture { dir, queue, queues }
}

async fn until(what: &str, met: impl Fn() -> bool) {
    for _ in 0..1000 {
        if met() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 10 s: {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_acknowledged_is_there_for_the_next_server() {
    let redis = Redis::start();
    let fixture = queue_in(&redis, JOB, Order::Fifo, &["a", "b", "c", "d"]).await;
    let mut worker = Worker::of(&fixture.queue, "r0").await;
    worker.take().await;
    worker.say::<i64>("RPUSH job:results first second").await;
    worker.say::<i64>("LREM job:processing 0 a").await;
    worker.say::<i64>("RPUSH job e").await;
    worker.say::<()>("SET counter 41").await;
    worker.say::<()>("SETEX lease 1000 me").await;
    worker.say::<i64>("RPUSH list 1 2 3 2").await;
    worker.say::<i64>("LREM list 1 2").await;
    worker.take().await;
    worker.say::<i64>("RPUSH job:errors broken").await;
    let mut other = Worker::of(&fixture.queue, "r1").await;
    other.take().await;

    let again = taken_over(&redis).await;
    assert_eq!(counts(&again.queue), counts(&fixture.queue));
    assert!(again.queue.sealed());
    assert_eq!((again.queue.holds("r0"), again.queue.items_done("r0")), (vec!["b".to_owned()], 1));
    assert_eq!(again.queue.result(0).unwrap().unwrap(), "second");
    assert_eq!(again.queue.items(None, 1, 1)[0].error.as_deref(), Some("broken"));
    let mut worker = Worker::of(&again.queue, "r0").await;
    assert_eq!(worker.say::<Vec<String>>("LRANGE job:results 0 -1").await, ["first", "second"]);
    assert_eq!(worker.say::<i64>("INCR counter").await, 42);
    assert!((1..=1000).contains(&worker.say::<i64>("TTL lease").await));
    assert_eq!(worker.say::<Vec<String>>("LRANGE list 0 -1").await, ["1", "3", "2"]);
    assert_eq!(again.queue.reconcile(&["r0".to_owned()]).unwrap(), 1, "the item of the replica that is gone");
    assert_eq!(worker.say::<Vec<String>>("LRANGE job 0 -1").await, ["c", "d", "e"]);
    assert_eq!(worker.say::<String>("LPOP job:results").await, "first");

    // Whoever was here before is told, and changes nothing any more.
    until("the former server knows", || matches!(fixture.queue.trouble(), Some(QueueError::Lost { .. }))).await;
    assert!(other.refused("LREM job:processing 0 c").await.contains("another server"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_does_with_items_is_the_same() {
    let redis = Redis::start();
    let fixture = queue_in(&redis, JOB, Order::Lifo, &["good", "poison"]).await;
    let queue = &fixture.queue;
    for attempt in 1..=3 {
        let replica = format!("r{attempt}");
        let mut worker = Worker::of(queue, &replica).await;
        assert_eq!(worker.take().await.unwrap(), "poison");
        assert_eq!(queue.replica_ended(&replica, false, "killed by signal 9").unwrap(), 1);
    }
    assert_eq!(counts(queue), [1, 0, 0, 1]);
    queue.written().await.unwrap();
    let again = taken_over(&redis).await;
    let queue = &again.queue;
    let dead = queue.items(Some(ItemState::Dead), 0, 10);
    assert_eq!((dead[0].index, dead[0].attempts, dead[0].error.as_deref()), (1, 3, Some("killed by signal 9")));
    assert_eq!(queue.retry(&[]).unwrap(), 1);
    let (mut starved, mut fed) = (Worker::of(queue, "starved").await, Worker::of(queue, "fed").await);
    queue.starve("starved", true);
    assert_eq!(starved.take().await, None);
    assert_eq!(starved.say::<i64>("LLEN job").await, 2);
    let (index, attempt, item): (u64, u64, String) = fed.say("ASPERATHOS.TAKE").await;
    assert_eq!(fed.say::<i64>(&format!("ASPERATHOS.DONE {index} {attempt} result-of-{item}")).await, 1);
    assert_eq!(queue.result(index).unwrap().unwrap(), format!("result-of-{item}"));
    assert_eq!((counts(queue), queue.services_seen()), ([1, 0, 1, 0], 1));
    queue.clear().unwrap();
    queue.written().await.unwrap();
    assert_eq!(counts(&taken_over(&redis).await.queue), [0, 0, 0, 0]);
}

type States = Vec<(ItemState, u32, Option<String>, Option<u64>)>;

/// States of all items, and all lists.
fn all(fixture: &Fixture) -> (States, [Vec<Bytes>; 3]) {
    let items = fixture.queue.items(None, 0, 1000);
    let states = items.iter().map(|view| (view.state, view.attempts, view.replica.clone(), view.result_bytes)).collect();
    (states, ["job:results", "list", "job:errors"].map(|list| elements(fixture, list)))
}

/// The histories of the embedded queue's model, with a server that dies in between.
#[tokio::test(flavor = "multi_thread")]
async fn random_histories_conserve_items_and_survive_kills() {
    let redis = Redis::start();
    for seed in 0..4 {
        let mut random = StdRng::seed_from_u64(seed);
        let order = if seed % 2 == 0 { Order::Lifo } else { Order::Fifo };
        let lines: Vec<&str> = (0..40).map(|_| *TEXTS.choose(&mut random).unwrap()).collect();
        let mut fixture = queue_in(&redis, JOB, order, &lines).await;
        for step in 0..300 {
            let replica = *REPLICAS.choose(&mut random).unwrap();
            match random.random_range(0..40) {
                0 => drop(fixture.queue.replica_ended(replica, random.random(), "ended").unwrap()),
                1 => drop(fixture.queue.retry(&[]).unwrap()),
                2 => drop(fixture.queue.reconcile(&[replica.to_owned()]).unwrap()),
                _ => {
                    let length = random.random_range(1..6);
                    let mut words = || COMMANDS.choose(&mut random).unwrap().replace("TEXT", TEXTS.choose(&mut random).unwrap());
                    let commands = (0..length).map(|_| words()).collect::<Vec<_>>();
                    pipeline(&fixture, replica, &commands);
                }
            }
            check(&fixture);
            if step % 100 == 99 {
                fixture.queue.written().await.unwrap();
                let before = all(&fixture);
                // The former server reads nothing from now on.
                fixture = taken_over(&redis).await;
                assert_eq!(all(&fixture), before, "seed {seed}, step {step}");
                check(&fixture);
            }
        }
    }
}

/// Takes and completes until nothing is left; returns what it was told to have completed.
async fn work(queue: Arc<Queue>, replica: String) -> Vec<u64> {
    let mut worker = Worker::of(&queue, &replica).await;
    let mut done = Vec::new();
    while worker.say::<String>("ASPERATHOS.STATE").await != "over" {
        let Some((index, attempt, item)) = worker.say::<Option<(u64, u64, String)>>("ASPERATHOS.TAKE 0.2").await else { continue };
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert_eq!(worker.say::<i64>(&format!("ASPERATHOS.DONE {index} {attempt} of-{item}")).await, 1);
        done.push(index);
    }
    done
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_killed_and_comes_back_costs_nothing_but_time() {
    let mut redis = Redis::start();
    let lines: Vec<String> = (0..600).map(|line| format!("line-{line}")).collect();
    let fixture = queue_in(&redis, JOB, Order::Fifo, &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let workers: Vec<_> = (0..4).map(|number| tokio::spawn(work(fixture.queue.clone(), format!("r{number}")))).collect();
    for _ in 0..3 {
        let before = fixture.queue.counts().done;
        until("work goes on", || before + 50 < fixture.queue.counts().done).await;
        redis.kill();
        until("it is noticed", || matches!(fixture.queue.trouble(), Some(QueueError::Away { .. }))).await;
        let still = fixture.queue.counts();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(fixture.queue.counts(), still, "nothing moves meanwhile");
        redis.launch();
    }
    let mut done = Vec::new();
    for worker in workers {
        done.extend(worker.await.unwrap());
    }
    done.sort_unstable();
    assert_eq!(done, (0..600).collect::<Vec<u64>>(), "each once");
    assert_eq!(fixture.queue.result(0).unwrap().unwrap(), "of-line-0", "read back");
    redis.kill();
    redis.launch();
    // It listens before it has read its file.
    until("it is read over a new connection", || fixture.queue.result(1).is_ok_and(|found| found.unwrap() == "of-line-1")).await;
    let again = taken_over(&redis).await;
    assert_eq!(counts(&again.queue), [0, 0, 600, 0]);
    assert!((0..600).all(|index| again.queue.result(index).unwrap().unwrap() == format!("of-line-{index}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_does_not_answer_holds_commands_up_and_none_runs_for_a_client_that_left() {
    let redis = Redis::start();
    let fixture = queue_in(&redis, JOB, Order::Fifo, &["a", "b"]).await;
    let mut worker = Worker::of(&fixture.queue, "r0").await;
    let left = super::connect(worker.address, "").await;
    redis.signal("STOP");
    until("it is noticed", || fixture.queue.trouble().is_some()).await;
    let mut impatient = left.clone();
    let gone = tokio::time::timeout(Duration::from_millis(200), async move {
        redis::cmd("RPOPLPUSH").arg("job").arg("job:processing").query_async::<Option<String>>(&mut impatient).await
    });
    assert!(gone.await.is_err(), "it waits");
    drop(left);
    let patient = tokio::spawn(async move { worker.take().await });
    assert!(matches!(fixture.queue.result(0), Ok(None)));
    assert_eq!(counts(&fixture.queue), [2, 0, 0, 0]);
    redis.signal("CONT");
    assert_eq!(patient.await.unwrap().unwrap(), "a");
    assert_eq!(counts(&fixture.queue), [1, 1, 0, 0]);
    assert!(fixture.queue.trouble().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_forgot_ends_it_with_the_reason() {
    let redis = Redis::start();
    let fixture = queue_in(&redis, JOB, Order::Fifo, &["a", "b"]).await;
    let mut worker = Worker::of(&fixture.queue, "r0").await;
    redis.cli(&["FLUSHALL"]);
    assert!(worker.refused("RPOPLPUSH job job:processing").await.contains("holds nothing of this job any more"));
    assert!(matches!(fixture.queue.written().await, Err(QueueError::Lost { .. })));
    assert!(fixture.queues.load_remote("kj-other", &address(&redis)).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_one_redis_are_apart_and_leave_nothing() {
    let redis = Redis::start();
    let one = queue_in(&redis, JOB, Order::Fifo, &["a"]).await;
    let two = queue_in(&redis, "kj-two", Order::Fifo, &["b", "c"]).await;
    let mut worker = Worker::of(&one.queue, "r0").await;
    worker.take().await;
    assert_eq!((counts(&one.queue), counts(&two.queue)), ([0, 1, 0, 0], [2, 0, 0, 0]));
    drop(one.queue);
    one.queues.delete_remote(JOB, &address(&redis)).await.unwrap();
    assert_eq!(redis.cli(&["KEYS", &format!("*{JOB}*")]), "");
    assert_eq!(counts(&two.queue), [2, 0, 0, 0]);
    assert!(two.queues.load_remote("kj-two", &address(&redis)).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_of_no_use_is_told_in_words_before_there_is_a_job() {
    let (open, locked) = (Redis::start(), Redis::start_with(Some("s3cret")));
    let check = async |url: &str| crate::queue::check(&Address::parse(url).unwrap()).await;
    assert_eq!(check(&open.url()).await, Ok(()));
    assert_eq!(check(&locked.url()).await, Ok(()));
    assert_eq!(open.cli(&["DBSIZE"]), "0", "the check leaves nothing");
    let wrong = locked.url().replace("s3cret", "gu3ss");
    let none = locked.url().replace(":s3cret@", "");
    let nobody = locked.url().replace("127.0.0.1", "127.0.0.2");
    let database = open.url().replace("/0", "/99");
    for (url, says) in [
        (&wrong, "it refuses the name or password"),
        (&none, "it asks for a password; write it into the URL"),
        (&nobody, "nothing listens there"),
        (&database, "DB index is out of range"),
    ] {
        let error = check(url).await.unwrap_err();
        assert!(error.contains(says) && !error.contains("gu3ss") && !error.contains("s3cret"), "{error}");
    }
    open.cli(&["CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru"]);
    assert!(check(&open.url()).await.unwrap_err().contains("noeviction"));
    open.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    open.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    assert!(check(&open.url()).await.unwrap_err().contains("replica"));
}

/// What `docs/queue.md` says of a user of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_little_is_enough() {
    let redis = Redis::start();
    let said = include_str!("../../../../docs/queue.md");
    let rule = said.lines().find_map(|line| line.strip_prefix("ACL SETUSER ")).unwrap();
    let words: Vec<&str> = ["ACL", "SETUSER"].into_iter().chain(rule.split(' ')).collect();
    assert_eq!(redis.cli(&words), "OK");
    let limited = Address::parse(&redis.url().replace("redis://", "redis://asperathos:PASSWORD@")).unwrap();
    assert_eq!(crate::queue::check(&limited).await, Ok(()));
    let dir = tempfile::tempdir().unwrap();
    let queues = Queues::open(dir.path()).unwrap();
    let queue = queues.create_remote(JOB, &limited, QueueSpec { max_attempts: 3, order: Order::Fifo }).await.unwrap();
    queue.append(&["a".into()]).unwrap();
    queue.written().await.unwrap();
    let mut worker = Worker::of(&queue, "r0").await;
    worker.take().await;
    worker.say::<i64>("RPUSH job:results first").await;
    let other = tempfile::tempdir().unwrap();
    let next = Queues::open(other.path()).unwrap();
    let again = next.load_remote(JOB, &limited).await.unwrap().unwrap();
    assert_eq!(again.result(0).unwrap().unwrap(), "first");
    next.delete_remote(JOB, &limited).await.unwrap();
}
