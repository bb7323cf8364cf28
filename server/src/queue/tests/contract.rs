//! The contract with workers written for the original: lease workers, naive workers, and what they do to each other.

use control::{job::Order, live::ItemState};

use super::{Worker, counts, queue_of};

#[tokio::test]
async fn a_lease_worker_does_every_item_last_line_first() {
    let fixture = queue_of(Order::Lifo, 3, &["a", "b", "c"]);
    let mut worker = Worker::of(&fixture.queue, "r0").await;
    let mut order = String::new();
    while 0 < worker.say::<i64>("LLEN job").await + worker.say::<i64>("LLEN job:processing").await {
        let item: Option<String> = worker.say("BRPOPLPUSH job job:processing 2").await;
        let item = item.unwrap();
        worker.say::<()>(&format!("SETEX job:leased_by_session:{item} 60 me")).await;
        assert_eq!(fixture.queue.holds("r0"), [item.as_str()]);
        worker.say::<i64>(&format!("RPUSH job:results result-of-{item}")).await;
        assert_eq!(worker.say::<i64>(&format!("LREM job:processing 0 {item}")).await, 1);
        worker.say::<i64>(&format!("DEL job:leased_by_session:{item} me")).await;
        order += &item;
    }
    assert_eq!(order, "cba");
    assert_eq!(counts(&fixture.queue), [0, 0, 3, 0]);
    assert_eq!(fixture.queue.items_done("r0"), 3);
    assert_eq!(fixture.queue.result(1).unwrap().unwrap(), "result-of-b");
    assert_eq!(worker.say::<Vec<String>>("LRANGE job:results 0 -1").await, ["result-of-c", "result-of-b", "result-of-a"]);
    let views = fixture.queue.items(Some(ItemState::Done), 0, 10);
    assert_eq!(views[1].result_type.as_deref(), Some("text/plain"));
    assert!(views.iter().all(|view| view.service_s.is_some() && view.attempts == 1));
    assert_eq!(fixture.queue.service().completed, 3);
}

#[tokio::test]
async fn fifo_hands_out_the_first_line_whichever_end_is_named() {
    let fixture = queue_of(Order::Fifo, 3, &["a", "b", "c", "d"]);
    let mut worker = Worker::of(&fixture.queue, "r0").await;
    assert_eq!(worker.take().await.unwrap(), "a");
    assert_eq!(worker.say::<String>("LMOVE job job:processing RIGHT LEFT").await, "b");
    assert_eq!(worker.say::<String>("RPOP job").await, "c");
    assert_eq!(worker.say::<Vec<String>>("BLPOP job 1").await, ["job", "d"]);
}

#[tokio::test]
async fn a_naive_worker_completes_an_item_by_taking_the_next_and_the_last_by_ending_well() {
    let fixture = queue_of(Order::Lifo, 3, &["a", "b", "c"]);
    let mut naive = Worker::of(&fixture.queue, "naive").await;
    let mut careful = Worker::of(&fixture.queue, "careful").await;
    naive.take().await;
    naive.take().await;
    assert_eq!(counts(&fixture.queue), [1, 1, 1, 0]);
    let item = careful.take().await.unwrap();
    careful.say::<i64>(&format!("LREM job:processing 0 {item}")).await;
    assert_eq!(naive.take().await, None);
    assert_eq!(counts(&fixture.queue), [0, 1, 2, 0]);
    assert_eq!(fixture.queue.replica_ended("careful", true, "exit code 0").unwrap(), 0);
    assert_eq!(fixture.queue.replica_ended("naive", true, "exit code 0").unwrap(), 0);
    assert_eq!(counts(&fixture.queue), [0, 0, 3, 0]);
}

#[tokio::test]
async fn a_worker_with_threads_that_proves_careful_takes_back_what_seemed_done() {
    let fixture = queue_of(Order::Fifo, 3, &["a", "b", "c"]);
    let mut worker = Worker::of(&fixture.queue, "r0").await;
    worker.take().await;
    worker.take().await;
    assert_eq!(counts(&fixture.queue), [1, 1, 1, 0]);
    assert_eq!(worker.say::<i64>("LREM job:processing 0 b").await, 1);
    assert_eq!(counts(&fixture.queue), [1, 1, 1, 0]);
    assert_eq!(fixture.queue.holds("r0"), ["a"]);
    assert_eq!(fixture.queue.replica_ended("r0", false, "killed by signal 9").unwrap(), 1);
    assert_eq!(counts(&fixture.queue), [2, 0, 1, 0]);
}

#[tokio::test]
async fn an_item_popped_without_processing_is_done_by_its_result() {
    let fixture = queue_of(Order::Fifo, 3, &["a", "b"]);
    let mut worker = Worker::of(&fixture.queue, "r0").await;
    worker.say::<String>("LPOP job").await;
    assert_eq!(counts(&fixture.queue), [1, 1, 0, 0]);
    worker.say::<i64>("RPUSH job:results x").await;
    assert_eq!(counts(&fixture.queue), [1, 0, 1, 0]);
}

#[tokio::test]
async fn duplicated_lines_are_items_of_their_own() {
    let fixture = queue_of(Order::Fifo, 3, &["same", "same", "same"]);
    let (mut a, mut b) = (Worker::of(&fixture.queue, "a").await, Worker::of(&fixture.queue, "b").await);
    a.take().await;
    b.take().await;
    assert_eq!(a.say::<i64>("LREM job:processing 0 same").await, 1);
    assert_eq!(counts(&fixture.queue), [1, 1, 1, 0]);
    assert_eq!(fixture.queue.holds("b"), ["same"]);
    // An idle peer finds no lease and puts the item back, as lease workers do.
    let (pushed, removed): (i64, i64) = redis::pipe()
        .atomic()
        .cmd("RPUSH")
        .arg("job")
        .arg("same")
        .cmd("LREM")
        .arg("job:processing")
        .arg(0)
        .arg("same")
        .query_async(&mut a.redis)
        .await
        .unwrap();
    assert_eq!((pushed, removed), (2, 1));
    assert_eq!(counts(&fixture.queue), [2, 0, 1, 0]);
}

#[tokio::test]
async fn a_peer_that_requeues_twins_loses_neither() {
    let fixture = queue_of(Order::Fifo, 3, &["same", "same"]);
    let (mut a, mut b) = (Worker::of(&fixture.queue, "a").await, Worker::of(&fixture.queue, "b").await);
    a.take().await;
    b.take().await;
    let mut idle = Worker::of(&fixture.queue, "idle").await;
    for text in idle.say::<Vec<String>>("LRANGE job:processing 0 -1").await {
        redis::pipe()
            .atomic()
            .cmd("RPUSH")
            .arg("job")
            .arg(&text)
            .cmd("LREM")
            .arg("job:processing")
            .arg(0)
            .arg(&text)
            .query_async::<()>(&mut idle.redis)
            .await
            .unwrap();
    }
    assert_eq!(counts(&fixture.queue), [2, 0, 0, 0]);
}

#[tokio::test]
async fn giving_an_item_up_puts_the_same_item_back() {
    let fixture = queue_of(Order::Lifo, 3, &["a", "b"]);
    let mut worker = Worker::of(&fixture.queue, "r0").await;
    worker.take().await;
    worker.say::<i64>("LREM job:processing 0 b").await;
    worker.say::<i64>("RPUSH job b").await;
    assert_eq!(counts(&fixture.queue), [2, 0, 0, 0]);
    assert_eq!(worker.take().await.unwrap(), "b");
    assert_eq!(fixture.queue.items(None, 1, 1)[0].attempts, 2);
    // A text that was never there is a new item.
    worker.say::<i64>("LPUSH job new").await;
    assert_eq!(fixture.queue.counts().total, 3);
    assert_eq!(worker.say::<Vec<String>>("LRANGE job 0 -1").await, ["new", "a"]);
}

#[tokio::test]
async fn a_slow_item_that_a_peer_requeued_is_done_once() {
    let fixture = queue_of(Order::Lifo, 3, &["slow"]);
    let (mut slow, mut peer) = (Worker::of(&fixture.queue, "slow").await, Worker::of(&fixture.queue, "peer").await);
    slow.take().await;
    peer.say::<i64>("RPUSH job slow").await;
    peer.say::<i64>("LREM job:processing 0 slow").await;
    assert_eq!(peer.take().await.unwrap(), "slow");
    slow.say::<i64>("RPUSH job:results first").await;
    assert_eq!(slow.say::<i64>("LREM job:processing 0 slow").await, 1);
    peer.say::<i64>("RPUSH job:results second").await;
    assert_eq!(peer.say::<i64>("LREM job:processing 0 slow").await, 0);
    assert_eq!(counts(&fixture.queue), [0, 0, 1, 0]);
    assert_eq!(fixture.queue.result(0).unwrap().unwrap(), "first");
    assert_eq!(peer.say::<i64>("LLEN job:results").await, 2);
}
