//! What was acknowledged survives the death of the server.

use control::{job::Order, live::ItemState};

use super::{Worker, after_a_kill, counts, queue_of};
use crate::queue::Queue;

#[tokio::test]
async fn everything_acknowledged_is_there_after_a_kill() {
    let fixture = queue_of(Order::Fifo, 3, &["a", "b", "c", "d"]);
    let mut worker = Worker::of(&fixture.queue, "r0").await;
    worker.take().await;
    worker.say::<i64>("RPUSH job:results first second").await;
    worker.say::<i64>("LPUSH job:results zero").await;
    worker.say::<i64>("LREM job:processing 0 a").await;
    worker.say::<i64>("RPUSH job e").await;
    worker.say::<()>("SET counter 41").await;
    worker.say::<()>("SET lease me EX 1000").await;
    worker.say::<i64>("RPUSH list 1 2 3 2").await;
    worker.say::<i64>("LREM list 1 2").await;
    worker.say::<i64>("LPUSH list 0").await;
    worker.take().await;
    let mut other = Worker::of(&fixture.queue, "r1").await;
    other.take().await;

    let again = after_a_kill(&fixture);
    assert_eq!(counts(&again.queue), counts(&fixture.queue));
    assert!(again.queue.sealed());
    assert_eq!(again.queue.holds("r0"), ["b"]);
    assert_eq!(again.queue.items_done("r0"), 1);
    assert_eq!(again.queue.result(0).unwrap().unwrap(), "zero");
    // Only the age of what is in flight goes on.
    let ageless = |queue: &Queue| {
        let mut items = queue.items(None, 0, 3);
        items.iter_mut().filter(|item| item.state == ItemState::Processing).for_each(|item| item.service_s = None);
        items
    };
    assert_eq!(ageless(&again.queue), ageless(&fixture.queue));
    let mut worker = Worker::of(&again.queue, "r0").await;
    assert_eq!(worker.say::<Vec<String>>("LRANGE job:results 0 -1").await, ["zero", "first", "second"]);
    assert_eq!(worker.say::<i64>("INCR counter").await, 42);
    assert!((1..=1000).contains(&worker.say::<i64>("TTL lease").await));
    assert_eq!(worker.say::<Vec<String>>("LRANGE list 0 -1").await, ["0", "1", "3", "2"]);

    // The dead replica's item goes back, the living one keeps its own.
    assert_eq!(again.queue.reconcile(&["r0".to_owned()]).unwrap(), 1);
    assert_eq!(worker.say::<Vec<String>>("LRANGE job 0 -1").await, ["c", "d", "e"]);
    assert_eq!(worker.say::<i64>("LREM job:processing 0 b").await, 1);
    worker.say::<i64>("RPUSH job:results third").await;
    assert_eq!(worker.say::<i64>("LLEN job:results").await, 4);
}

/// A worker that finished while the server was away says so when it is back: that was no service time.
#[tokio::test]
async fn an_outage_is_not_taken_for_service() {
    let fixture = queue_of(Order::Fifo, 3, &["a", "b", "c"]);
    let mut worker = Worker::of(&fixture.queue, "r0").await;
    worker.take().await;
    worker.say::<i64>("LREM job:processing 0 a").await;
    worker.take().await;
    tokio::time::sleep(OUTAGE).await;

    let again = after_a_kill(&fixture);
    assert_eq!(again.queue.services_seen(), 1, "what was known is known");
    let ages = again.queue.ages("r0", crate::clock::now_ms());
    assert!(ages.iter().all(|age| u128::from(*age) < OUTAGE.as_millis()), "{ages:?}");
    let mut worker = Worker::of(&again.queue, "r0").await;
    worker.say::<i64>("LREM job:processing 0 b").await;
    assert_eq!((again.queue.items_done("r0"), again.queue.services_seen()), (2, 1));
    assert_eq!(again.queue.items(None, 1, 1)[0].service_s, None);
    worker.take().await;
    worker.say::<i64>("LREM job:processing 0 c").await;
    assert_eq!(again.queue.services_seen(), 2, "what began after it counts");
}

/// Longer than it takes to open a queue and ask it.
const OUTAGE: std::time::Duration = std::time::Duration::from_millis(1500);

#[tokio::test]
async fn a_cleared_and_a_deleted_queue_stay_so() {
    let fixture = queue_of(Order::Fifo, 3, &["a", "b"]);
    fixture.queue.clear().unwrap();
    fixture.queue.append(&["new".into()]).unwrap();
    let again = after_a_kill(&fixture);
    assert_eq!(again.queue.items(None, 0, 9).iter().map(|view| view.item.as_str()).collect::<Vec<_>>(), ["new"]);
    assert!(!again.queue.sealed());
    fixture.queues.delete(super::JOB).unwrap();
    assert!(fixture.queues.load(super::JOB).unwrap().is_none());
}

#[tokio::test]
async fn large_results_are_kept_on_disk() {
    let fixture = queue_of(Order::Fifo, 3, &["a"]);
    let mut worker = Worker::of(&fixture.queue, "r0").await;
    worker.take().await;
    let mut image = vec![7; 5 << 20];
    image[..4].copy_from_slice(b"\x89PNG");
    redis::cmd("RPUSH").arg("job:results").arg(&image).query_async::<()>(&mut worker.redis).await.unwrap();
    worker.say::<i64>("LREM job:processing 0 a").await;
    let again = after_a_kill(&fixture);
    let view = &again.queue.items(None, 0, 1)[0];
    assert_eq!((view.result_bytes, view.result_type.as_deref()), (Some(5 << 20), Some("image/png")));
    assert_eq!(again.queue.result(0).unwrap().unwrap(), image);
}
