//! The live stream: a cursor that neither skips nor repeats.

use serde_json::json;

use super::{House, NOON};

#[tokio::test]
async fn a_cursor_sees_every_frame_once() {
    let house = House::new().await;
    house.job("kj-a").await;
    house.job("kj-b").await;
    let start = *house.store.seq().borrow();
    let store = house.store.clone();
    let template = super::tick(&store, "kj-a", NOON, &[("done", 0.0)]).await;
    let other = super::tick(&store, "kj-b", NOON, &[]).await;
    let writing = tokio::spawn(async move {
        let mut written = Vec::new();
        for n in 0..300_i64 {
            let mut tick = template.clone();
            tick.at = NOON + n * 1_000;
            let (seq, noise) = tokio::join!(store.tick(tick), store.tick(other.clone()));
            noise.unwrap();
            written.push(seq.unwrap());
        }
        written
    });
    let (mut seen, mut cursor, mut news) = (Vec::new(), start, house.store.seq());
    while seen.len() < 300 {
        news.changed().await.unwrap();
        news.borrow_and_update();
        // Small pages, so that one wake needs several of them.
        loop {
            let page = house.store.frames_after("kj-a", cursor, 3).await.unwrap();
            let Some(last) = page.last() else { break };
            cursor = last.seq;
            seen.extend(page.iter().map(|frame| frame.seq));
        }
    }
    assert_eq!(seen, writing.await.unwrap());
}

#[tokio::test]
async fn a_page_and_its_stream_meet_without_a_gap() {
    let house = House::new().await;
    house.job("kj-a").await;
    let mut tick = super::tick(&house.store, "kj-a", NOON, &[("done", 4.0), ("cpu", f64::NAN)]).await;
    tick.memories = vec![("zeal".to_owned(), json!({"sum": 0.1}))];
    house.store.tick(tick).await.unwrap();
    let page = house.store.detail("kj-a", NOON, NOON + 60_000, 100, 50).await.unwrap().unwrap();
    assert_eq!(page.series.len(), 1, "what is not finite is left out");
    assert_eq!((page.series[0].points[0].last, page.loops.len(), page.marks.len()), (4.0, 2, 1));
    assert!(house.store.frames_after("kj-a", page.seq, 9).await.unwrap().is_empty());
    let seq = house.tick("kj-a", NOON + 1_000, &[("done", 5.0)]).await;
    let frames = house.store.frames_after("kj-a", page.seq, 9).await.unwrap();
    assert_eq!((frames.len(), frames[0].seq, frames[0].samples["done"]), (1, seq, 5.0));
    assert_eq!(house.store.memories("kj-a").await.unwrap()["zeal"], json!({"sum": 0.1}));
}

#[tokio::test]
async fn a_cursor_behind_the_kept_frames_is_told() {
    let house = House::new().await;
    house.job("kj-a").await;
    let old = house.tick("kj-a", NOON, &[]).await;
    let kept = house.tick("kj-a", NOON + 3_600_000, &[]).await;
    assert_eq!(house.store.frames_floor("kj-a").await.unwrap(), 0);
    house.store.housekeeping(NOON + 3_600_001).await.unwrap();
    assert_eq!(house.store.frames_floor("kj-a").await.unwrap(), old);
    let left: Vec<_> = house.store.frames_after("kj-a", 0, 9).await.unwrap().iter().map(|f| f.seq).collect();
    assert_eq!(left, [kept]);
}
