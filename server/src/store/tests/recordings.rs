//! Lines of a recording, packed and not, read back in order.

use super::{House, NOON, tick};
use crate::store::Tick;

fn lines(from: usize, to: usize) -> Vec<(String, String)> {
    (from..to).map(|n| ("zeal".to_owned(), format!("{{\"told\":{n}}}"))).collect()
}

#[tokio::test]
async fn lines_come_back_in_order_whether_packed_or_not() {
    let house = House::new().await;
    house.job("j").await;
    for step in 0..60 {
        let recorded = lines(step * 10, step * 10 + 10);
        let tick = Tick { recorded, ..tick(&house.store, "j", NOON + step as i64 * 1000, &[]).await };
        house.store.tick(tick).await.unwrap();
    }
    let read = house.store.recording("j", "zeal").await.unwrap().lines;
    let expected: Vec<String> = lines(0, 600).into_iter().map(|(_, line)| line).collect();
    assert_eq!(read, expected);
    assert!(house.store.recording("j", "caution").await.unwrap().lines.is_empty());
    let packed: i64 = sqlx::query_scalar("SELECT sum(lines) FROM recording_pack").fetch_one(&house.store.readers).await.unwrap();
    assert!(0 < packed && packed < 600, "{packed}");
}
