//! The extension commands: exactly one result an attempt, and nothing lost or doubled by sending again.

use control::{job::Order, live::ItemState};

use super::{Worker, counts, queue_of};

type Taken = Option<(i64, i64, String)>;

#[tokio::test]
async fn take_and_done_may_be_sent_again() {
    let fixture = queue_of(Order::Fifo, 3, &["a", "b"]);
    let mut worker = Worker::of(&fixture.queue, "r0").await;
    let first: Taken = worker.say("ASPERATHOS.TAKE").await;
    assert_eq!(first, Some((0, 1, "a".to_owned())));
    assert_eq!(worker.say::<Taken>("ASPERATHOS.TAKE 1").await, first);
    for _ in 0..2 {
        assert_eq!(worker.say::<i64>("ASPERATHOS.DONE 0 1 result").await, 1);
    }
    assert_eq!(worker.say::<i64>("LLEN job:results").await, 1);
    assert_eq!(counts(&fixture.queue), [1, 0, 1, 0]);
    assert_eq!(worker.say::<String>("ASPERATHOS.STATE").await, "go");
    worker.say::<Taken>("ASPERATHOS.TAKE").await;
    worker.say::<i64>("ASPERATHOS.DONE 1 1 other").await;
    assert_eq!(worker.say::<Taken>("ASPERATHOS.TAKE 0.01").await, None);
    assert_eq!(worker.say::<String>("ASPERATHOS.STATE").await, "over");
}

#[tokio::test]
async fn an_attempt_that_lost_its_item_cannot_complete_it() {
    let fixture = queue_of(Order::Fifo, 3, &["a"]);
    let (mut lost, mut next) = (Worker::of(&fixture.queue, "lost").await, Worker::of(&fixture.queue, "next").await);
    lost.say::<Taken>("ASPERATHOS.TAKE").await;
    fixture.queue.replica_ended("lost", false, "connection lost").unwrap();
    assert_eq!(next.say::<Taken>("ASPERATHOS.TAKE").await, Some((0, 2, "a".to_owned())));
    assert_eq!(lost.say::<i64>("ASPERATHOS.DONE 0 1 stale").await, 0);
    assert_eq!(lost.say::<i64>("ASPERATHOS.FAIL 0 1 stale").await, 0);
    assert_eq!(next.say::<i64>("ASPERATHOS.DONE 0 2 fresh").await, 1);
    assert_eq!(fixture.queue.result(0).unwrap().unwrap(), "fresh");
    assert!(lost.refused("ASPERATHOS.DONE 7 1 x").await.contains("no item 7"));
}

#[tokio::test]
async fn failing_often_enough_kills_an_item_and_others_go_first() {
    let fixture = queue_of(Order::Lifo, 2, &["good", "bad"]);
    let mut worker = Worker::of(&fixture.queue, "r0").await;
    assert_eq!(worker.say::<Taken>("ASPERATHOS.TAKE").await.unwrap().2, "bad");
    assert_eq!(worker.say::<i64>("ASPERATHOS.FAIL 1 1 first").await, 1);
    assert_eq!(worker.say::<i64>("ASPERATHOS.FAIL 1 1 first").await, 1);
    assert_eq!(worker.say::<Taken>("ASPERATHOS.TAKE").await.unwrap().2, "good");
    worker.say::<i64>("ASPERATHOS.DONE 0 1 fine").await;
    assert_eq!(worker.say::<Taken>("ASPERATHOS.TAKE").await, Some((1, 2, "bad".to_owned())));
    worker.say::<i64>("ASPERATHOS.FAIL 1 2 second").await;
    assert_eq!(counts(&fixture.queue), [0, 0, 1, 1]);
    assert_eq!(fixture.queue.items(Some(ItemState::Dead), 0, 1)[0].error.as_deref(), Some("second"));
    assert_eq!(worker.say::<Vec<String>>("LRANGE job:errors 0 -1").await, ["first", "second"]);
}
