//! Who may come in.

use super::{House, NOON};

#[tokio::test]
async fn a_link_opens_once() {
    let house = House::new().await;
    house.store.put_token("link", b"hash", "admin", NOON + 1).await.unwrap();
    assert_eq!(house.store.session(b"hash", NOON).await.unwrap(), None, "a link is not a session");
    let (one, two) = tokio::join!(house.store.take_link(b"hash", NOON), house.store.take_link(b"hash", NOON));
    let mut both = [one.unwrap(), two.unwrap()];
    both.sort();
    assert_eq!(both, [None, Some("admin".to_owned())]);
}

#[tokio::test]
async fn what_is_expired_opens_nothing() {
    let house = House::new().await;
    house.store.put_token("link", b"link", "admin", NOON).await.unwrap();
    house.store.put_token("session", b"tab", "admin", NOON).await.unwrap();
    house.store.put_token("api", b"script", "ci", NOON + 1).await.unwrap();
    assert_eq!(house.store.session(b"tab", NOON - 1).await.unwrap().as_deref(), Some("admin"));
    assert_eq!(house.store.session(b"script", NOON).await.unwrap().as_deref(), Some("ci"));
    assert_eq!(house.store.session(b"tab", NOON).await.unwrap(), None);
    assert_eq!(house.store.take_link(b"link", NOON).await.unwrap(), None);
    house.store.housekeeping(NOON).await.unwrap();
    assert_eq!(house.store.session(b"tab", NOON - 1).await.unwrap(), None, "housekeeping took it away");
}
