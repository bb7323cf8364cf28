//! What the server does with items: drain, requeue at a replica's end, attempts, retry, waiting takes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use control::{job::Order, live::ItemState};

use super::{Worker, connect, counts, queue_of};
use crate::queue::{Look, QueueError, Start};

#[tokio::test]
async fn a_starved_replica_sees_an_empty_queue_but_true_lengths() {
    let fixture = queue_of(Order::Lifo, 3, &["a", "b"]);
    let (mut starved, mut fed) = (Worker::of(&fixture.queue, "starved").await, Worker::of(&fixture.queue, "fed").await);
    fixture.queue.starve("starved", true);
    assert_eq!(starved.take().await, None);
    assert_eq!(starved.say::<Option<String>>("BRPOPLPUSH job job:processing 0.01").await, None);
    assert_eq!(starved.say::<i64>("LLEN job").await, 2);
    assert_eq!(starved.say::<String>("ASPERATHOS.STATE").await, "drain");
    assert_eq!(fed.take().await.unwrap(), "b");
    fixture.queue.starve("starved", false);
    assert_eq!(starved.take().await.unwrap(), "a");
    assert!(fixture.queue.took_any("starved"));
}

#[test]
fn a_platform_that_sees_work_itself_tells_of_it() {
    let fixture = queue_of(Order::Fifo, 3, &["a", "b", "c"]);
    let queue = &fixture.queue;
    assert!(queue.work_begun("r1").unwrap() && queue.work_begun("r1").unwrap(), "it holds one, however often that is told");
    assert_eq!((queue.holds("r1"), counts(queue)), (vec!["a".to_owned()], [2, 1, 0, 0]));
    assert!(queue.work_done("r1").unwrap());
    assert_eq!(counts(queue), [2, 0, 1, 0]);
    // One that is to go begins nothing more, and what it has done all the same counts.
    queue.starve("r2", true);
    assert!(!queue.work_begun("r2").unwrap());
    assert!(queue.work_done("r2").unwrap() && counts(queue) == [1, 0, 2, 0]);
    queue.work_begun("r3").unwrap();
    assert_eq!(queue.replica_ended("r3", false, "its pod was deleted").unwrap(), 1);
    assert!(queue.work_done("r4").unwrap() && !queue.work_done("r4").unwrap(), "there are no more");
    assert_eq!(counts(queue), [0, 0, 3, 0]);
}

#[tokio::test]
async fn draining_a_naive_worker_ends_when_it_asks_again() {
    let fixture = queue_of(Order::Lifo, 3, &["a", "b"]);
    let mut worker = Worker::of(&fixture.queue, "r0").await;
    worker.take().await;
    fixture.queue.starve("r0", true);
    assert_eq!(worker.take().await, None);
    assert!(fixture.queue.holds("r0").is_empty());
    assert_eq!(counts(&fixture.queue), [1, 0, 1, 0]);
}

#[tokio::test]
async fn a_poison_item_is_dead_with_its_error_and_can_be_retried() {
    let fixture = queue_of(Order::Lifo, 2, &["good", "poison"]);
    let queue = &fixture.queue;
    for attempt in 1..=2 {
        let mut worker = Worker::of(queue, &format!("r{attempt}")).await;
        assert_eq!(worker.take().await.unwrap(), "poison");
        let back = queue.replica_ended(&format!("r{attempt}"), false, "killed by signal 9").unwrap();
        assert_eq!(back, 1);
    }
    assert_eq!(counts(queue), [1, 0, 0, 1]);
    let dead = queue.items(Some(ItemState::Dead), 0, 10);
    assert_eq!((dead[0].index, dead[0].attempts, dead[0].error.as_deref()), (1, 2, Some("killed by signal 9")));
    assert_eq!(queue.retry(&[0]).unwrap(), 0);
    assert_eq!(queue.retry(&[]).unwrap(), 1);
    assert_eq!(counts(queue), [2, 0, 0, 0]);
    assert_eq!(queue.items(None, 1, 1)[0].attempts, 0);
}

#[tokio::test]
async fn errors_pushed_by_a_worker_belong_to_the_item_it_holds() {
    let fixture = queue_of(Order::Fifo, 1, &["a"]);
    let mut worker = Worker::of(&fixture.queue, "r0").await;
    worker.take().await;
    redis::cmd("RPUSH").arg("job:errors").arg("no such file").query_async::<()>(&mut worker.redis).await.unwrap();
    assert_eq!(fixture.queue.items(None, 0, 1)[0].error.as_deref(), Some("no such file"));
    assert_eq!(worker.say::<Vec<String>>("LRANGE job:errors 0 -1").await, ["no such file"]);
}

#[tokio::test]
async fn a_waiting_take_gets_the_item_of_a_replica_that_died() {
    let fixture = queue_of(Order::Lifo, 3, &["a"]);
    let mut first = Worker::of(&fixture.queue, "first").await;
    first.take().await;
    let mut second = Worker::of(&fixture.queue, "second").await;
    let waiting = tokio::spawn(async move { second.say::<Option<String>>("BRPOPLPUSH job job:processing 0").await });
    while fixture.queue.waiters.load(std::sync::atomic::Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    fixture.queue.replica_ended("first", false, "exit code 1").unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), "a");
    assert_eq!(fixture.queue.holds("second"), ["a"]);
}

#[tokio::test]
async fn a_client_that_left_while_waiting_takes_nothing() {
    let fixture = queue_of(Order::Lifo, 3, &[]);
    let worker = Worker::of(&fixture.queue, "r0").await;
    let mut leaver = connect(worker.address, "").await;
    let waiting = tokio::spawn(async move { redis::cmd("BLPOP").arg("job").arg(0).query_async::<()>(&mut leaver).await });
    let waiters = &fixture.queue.waiters;
    while waiters.load(std::sync::atomic::Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    waiting.abort();
    while waiters.load(std::sync::atomic::Ordering::SeqCst) != 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut other = Worker::of(&fixture.queue, "r1").await;
    other.say::<i64>("RPUSH job late").await;
    assert_eq!(counts(&fixture.queue), [1, 0, 0, 0]);
}

#[test]
fn a_sealed_queue_takes_no_workload_until_it_is_cleared() {
    let fixture = queue_of(Order::Fifo, 3, &["a"]);
    assert!(matches!(fixture.queue.append(&[Bytes::from("b")]), Err(QueueError::Sealed)));
    fixture.queue.clear().unwrap();
    assert!(!fixture.queue.sealed());
    fixture.queue.append(&[Bytes::from("b"), Bytes::from("c")]).unwrap();
    assert_eq!(counts(&fixture.queue), [2, 0, 0, 0]);
    let large = Bytes::from(vec![0; (1 << 20) + 1]);
    assert!(matches!(fixture.queue.append(&[large]), Err(QueueError::ItemTooLarge { .. })));
}

#[tokio::test]
async fn watchers_learn_of_completions() {
    let fixture = queue_of(Order::Fifo, 3, &["a"]);
    let mut changed = fixture.queue.changed();
    let mut worker = Worker::of(&fixture.queue, "r0").await;
    worker.take().await;
    assert!(!changed.has_changed().unwrap());
    worker.say::<i64>("LREM job:processing 1 a").await;
    changed.changed().await.unwrap();
}

#[tokio::test]
async fn a_long_walk_over_items_is_one_of_bounded_pieces() {
    let fixture = queue_of(Order::Fifo, 3, &["aaaa", "bb", "cccc", "dd", "eeeeeeeeee", "f"]);
    let mut worker = Worker::of(&fixture.queue, "r0").await;
    for _ in 0..3 {
        let item = worker.take().await.unwrap();
        worker.say::<i64>(&format!("LREM job:processing 1 {item}")).await;
    }
    for (state, expected) in [
        (None, vec![vec!["aaaa", "bb"], vec!["cccc", "dd"], vec!["eeeeeeeee…"], vec!["f"]]),
        (Some(ItemState::Done), vec![vec!["aaaa", "bb"], vec!["cccc"]]),
        (Some(ItemState::Waiting), vec![vec!["dd"], vec!["eeeeeeeee…"], vec!["f"]]),
    ] {
        let (mut pieces, mut from) = (Vec::new(), 0);
        loop {
            let piece = fixture.queue.look(Look { state, start: Start::Index(from), limit: 2, text: 9, bytes: 8 });
            let Some(last) = piece.last() else { break };
            from = last.index + 1;
            pieces.push(piece.into_iter().map(|view| view.item).collect::<Vec<_>>());
        }
        assert_eq!(pieces, expected);
    }
    assert_eq!(fixture.queue.items(Some(ItemState::Waiting), 1, 9)[0].item, "eeeeeeeeee");
    assert_eq!(fixture.queue.items(None, 99, 9), []);
}

#[tokio::test]
async fn the_queue_of_an_ended_job_leaves_memory_and_comes_back_when_it_is_asked_for() {
    let fixture = queue_of(Order::Fifo, 1, &["a", "b"]);
    let (queues, job) = (&fixture.queues, super::JOB);
    assert_eq!(queues.close_unused(Duration::ZERO), 1, "its job holds it");
    let mut worker = Worker::of(&fixture.queue, "r0").await;
    worker.take().await;
    fixture.queue.replica_ended("r0", false, "exit code 1").unwrap();
    let forgotten = Arc::downgrade(&fixture.queue);
    let queues = queues.clone();
    drop((fixture.queue, worker));
    assert_eq!(queues.close_unused(Duration::from_secs(60)), 1, "a page may ask for it again in a moment");
    // Connections end soon after their replica.
    while 0 < queues.close_unused(Duration::ZERO) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(forgotten.upgrade().is_none());
    let again = queues.load(job).unwrap().unwrap();
    assert_eq!(counts(&again), [1, 0, 0, 1]);
    assert_eq!(again.retry(&[]).unwrap(), 1);
    assert!(Arc::ptr_eq(&again, &queues.load(job).unwrap().unwrap()));
    drop(fixture.dir);
}
