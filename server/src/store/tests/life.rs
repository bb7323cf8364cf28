//! The writer and the file: groups, failures, crashes, new lives.

use control::job::Phase;

use super::super::{Store, StoreError};
use super::{House, NOON};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_commands_at_once_only_the_bad_one_fails() {
    let house = House::new().await;
    house.job("kj-a").await;
    let good = super::tick(&house.store, "kj-a", NOON, &[("done", 1.0)]).await;
    let asked = (0..200_i64).map(|n| {
        let (store, mut tick) = (house.store.clone(), good.clone());
        tick.at = NOON + n * 1_000;
        if n == 100 {
            // Fails in its last statement, after its samples were written.
            tick.samples = vec![("doomed".to_owned(), 1.0)];
            return tokio::spawn(async move {
                let tick = tick;
                store
                    .write(move |tx| {
                        Box::pin(async move {
                            let job = super::super::jobs::number(&mut tx.conn, "kj-a").await?;
                            super::super::samples::insert(tx, job, tick.at, &tick.samples).await?;
                            Err(StoreError::Closed)
                        })
                    })
                    .await
            });
        }
        tokio::spawn(async move { store.tick(tick).await })
    });
    let answers = futures::future::join_all(asked.collect::<Vec<_>>()).await;
    let mut seqs: Vec<i64> = answers.into_iter().filter_map(|answer| answer.unwrap().ok()).collect();
    let count = seqs.len();
    seqs.sort_unstable();
    seqs.dedup();
    assert_eq!((count, seqs.len()), (199, 199));
    assert!(house.one_series("kj-a", "doomed", NOON, NOON + 200_000, 900).await.points.is_empty());
    assert_eq!(house.one_series("kj-a", "done", NOON, NOON + 200_000, 900).await.points.len(), 199);
    // The id that was rolled back is not used again for something that is not there.
    house.tick("kj-a", NOON, &[("doomed", 2.0)]).await;
    assert_eq!(house.one_series("kj-a", "doomed", NOON, NOON, 900).await.points[0].last, 2.0);
    assert!(matches!(house.store.set_phase("kj-x", Phase::Running, None, NOON).await, Err(StoreError::UnknownJob { .. })));
}

#[tokio::test]
async fn a_new_life_knows_all_that_was_answered_and_counts_on() {
    let house = House::new().await;
    house.job("kj-a").await;
    let last = house.tick("kj-a", NOON, &[("done", 1.0)]).await;
    // As a kill leaves it: the file and its log, taken while the store is still open.
    let crashed = tempfile::tempdir().unwrap();
    for name in ["store.db", "store.db-wal"] {
        std::fs::copy(house.dir.path().join(name), crashed.path().join(name)).unwrap();
    }
    for path in [crashed.path().join("store.db"), house.path()] {
        let again = Store::open(&path).await.unwrap();
        assert_eq!(*again.seq().borrow(), last);
        assert_eq!(again.frames_after("kj-a", 0, 9).await.unwrap().last().unwrap().seq, last);
        assert_eq!(again.unfinished().await.unwrap().len(), 1);
        let next = again.set_phase("kj-a", Phase::Running, None, NOON).await.unwrap();
        assert!(last < next);
    }
}

#[tokio::test]
async fn readers_do_not_wait_for_the_writer() {
    let house = House::new().await;
    house.job("kj-a").await;
    let (open, gate) = tokio::sync::oneshot::channel::<()>();
    let store = house.store.clone();
    let held = tokio::spawn(async move {
        store
            .write(move |tx| {
                Box::pin(async move {
                    tx.next_seq();
                    gate.await.map_err(|_| StoreError::Closed)
                })
            })
            .await
    });
    // Would never end if it waited: the gate opens only afterwards.
    assert_eq!(house.store.jobs(9).await.unwrap().len(), 1);
    open.send(()).unwrap();
    held.await.unwrap().unwrap();
}
