//! Clusters by their names.

use super::House;
use crate::store::ClusterRow;

fn row(id: &str, name: &str, sealed: Option<&[u8]>) -> ClusterRow {
    let (id, name) = (id.to_owned(), name.to_owned());
    let (namespace, changed_by) = (Some("batch".to_owned()), "ada".to_owned());
    ClusterRow { id, name, namespace, pods_listen: None, sealed: sealed.map(<[u8]>::to_vec), changed_at: 1, changed_by }
}

#[tokio::test]
async fn a_name_is_one_cluster() {
    let house = House::new().await;
    let store = &house.store;
    assert!(store.put_cluster(row("1", "b", Some(b"one"))).await.unwrap());
    assert!(store.put_cluster(row("2", "a", None)).await.unwrap());
    assert!(!store.put_cluster(row("3", "a", None)).await.unwrap(), "the name is given");
    assert!(store.put_cluster(row("1", "b", Some(b"two"))).await.unwrap(), "it is changed");
    assert_eq!(store.clusters().await.unwrap(), [row("2", "a", None), row("1", "b", Some(b"two"))]);
    store.remove_cluster("a").await.unwrap();
    assert_eq!(store.clusters().await.unwrap(), [row("1", "b", Some(b"two"))]);
}
