//! A job's life: phases, tunings, replicas, its end.

use control::job::Phase;
use control::live::MarkKind;
use serde_json::{Value, json};

use super::super::{ReplicaRow, StoreError};
use super::{House, NOON, new_job};

#[tokio::test]
async fn a_submission_is_a_job_with_its_first_tunings_and_a_mark() {
    let house = House::new().await;
    house.job("kj-a").await;
    let row = house.store.job("kj-a").await.unwrap().unwrap();
    assert_eq!((row.phase, row.by.as_str(), row.spec), (Phase::Created, "ann", new_job("kj-a").spec));
    let loops = house.store.loops("kj-a").await.unwrap();
    assert_eq!(loops.iter().map(|l| (l.name.as_str(), l.revision)).collect::<Vec<_>>(), [("zeal", 1), ("caution", 1)]);
    assert_eq!(house.store.marks("kj-a", 9).await.unwrap()[0].text, "submitted by ann");
    assert!(matches!(house.store.insert_job(new_job("kj-a")).await, Err(StoreError::Write { .. })));
    assert!(house.store.job("kj-b").await.unwrap().is_none());
}

#[tokio::test]
async fn phases_set_start_and_end() {
    let house = House::new().await;
    house.job("kj-a").await;
    for (phase, at) in [(Phase::Running, 1), (Phase::Suspended, 2), (Phase::Running, 3)] {
        house.store.set_phase("kj-a", phase, None, NOON + at).await.unwrap();
    }
    assert_eq!(house.store.unfinished().await.unwrap().len(), 1);
    let seq = house.store.set_phase("kj-a", Phase::Failed, Some("no such program".into()), NOON + 4).await.unwrap();
    let row = house.store.job("kj-a").await.unwrap().unwrap();
    assert_eq!((row.started_at, row.ended_at), (Some(NOON + 1), Some(NOON + 4)));
    assert!(house.store.unfinished().await.unwrap().is_empty());
    let mark = house.store.marks("kj-a", 1).await.unwrap().remove(0);
    assert_eq!((mark.kind, mark.text.as_str()), (MarkKind::Failure, "failed: no such program"));
    // A list that knew of all but the last change hears only of that.
    let (next, changed) = house.store.jobs_changed_after(seq - 1, 10).await.unwrap();
    assert_eq!((next, changed[0].phase, changed.len()), (seq, Phase::Failed, 1));
}

#[tokio::test]
async fn a_late_tick_does_not_bring_an_old_phase_back() {
    let house = House::new().await;
    house.job("kj-a").await;
    let mut stale = super::tick(&house.store, "kj-a", NOON, &[]).await;
    stale.summary.reason = Some("replicas die young".into());
    house.store.tick(stale.clone()).await.unwrap();
    assert_eq!(house.store.jobs(1).await.unwrap()[0].reason.as_deref(), Some("replicas die young"));
    house.store.set_phase("kj-a", Phase::Terminated, Some("by ann".into()), NOON).await.unwrap();
    let seq = house.store.tick(stale).await.unwrap();
    let frame = house.store.frames_after("kj-a", seq - 1, 1).await.unwrap().remove(0);
    assert_eq!(frame.summary.phase, Phase::Terminated);
    let listed = house.store.jobs(1).await.unwrap().remove(0);
    assert_eq!((listed.phase, listed.reason.as_deref()), (Phase::Terminated, Some("by ann")));
}

#[tokio::test]
async fn of_two_tunings_on_one_revision_the_second_is_shown_the_first() {
    let house = House::new().await;
    house.job("kj-a").await;
    let params = json!({"proportional_gain": 2, "guards": {"cooldown_s": 30.0, "largest_step": 1}});
    let tuned = house.store.add_tuning("kj-a", "zeal", 1, params.clone(), "ann", NOON).await.unwrap().unwrap();
    assert_eq!((tuned.revision, &tuned.params), (2, &params));
    assert_eq!(tuned.previous.as_ref().unwrap()["proportional_gain"], 1.0);
    let conflict = house.store.add_tuning("kj-a", "zeal", 1, json!({}), "bob", NOON).await.unwrap().unwrap_err();
    assert_eq!(conflict.current, tuned);
    let mark = house.store.marks("kj-a", 1).await.unwrap().remove(0);
    assert_eq!(mark.text, "guards.largest_step unset → 1, proportional_gain 1 → 2, by ann");
    let frame = house.store.frames_after("kj-a", 0, 9).await.unwrap().pop().unwrap();
    assert_eq!(frame.loops.unwrap()[0], tuned, "pages hear of it at once");
    assert_eq!(frame.marks, [mark]);
    let unknown = house.store.add_tuning("kj-a", "none", 1, json!({}), "bob", NOON).await;
    assert!(matches!(unknown, Err(StoreError::UnknownLoop { .. })));
}

#[tokio::test]
async fn a_tuning_without_a_change_is_no_revision() {
    let house = House::new().await;
    house.job("kj-a").await;
    let tune = async |base, gain: Value| {
        let params = json!({"proportional_gain": gain, "guards": {"cooldown_s": 30.0}});
        house.store.add_tuning("kj-a", "zeal", base, params, "ann", NOON).await.unwrap().unwrap()
    };
    assert_eq!(tune(1, json!(2.0)).await.revision, 2);
    let marks = house.store.marks("kj-a", 9).await.unwrap();
    let same = tune(2, json!(2)).await;
    assert_eq!((same.revision, same.previous.unwrap()["proportional_gain"].as_f64()), (2, Some(1.0)));
    assert_eq!(house.store.marks("kj-a", 9).await.unwrap(), marks, "nothing was tuned");
    let undone = tune(2, json!(1.0)).await;
    assert_eq!((undone.revision, undone.previous), (3, None));
}

#[tokio::test]
async fn replicas_are_found_again_and_go_with_their_job() {
    let house = House::new().await;
    house.job("kj-a").await;
    let mut replica = ReplicaRow {
        id: "kj-a-r1".into(),
        job: "kj-a".into(),
        addr: "127.0.1.1:6379".into(),
        handle: Some(json!({"pid": 7, "started_ticks": 99})),
        state: "busy".into(),
        started_at: NOON,
        ended_at: None,
        ended: None,
        exit: Some(json!({"code": 1})),
        items_done: 3,
    };
    house.store.put_replica(&replica).await.unwrap();
    assert_eq!(house.store.replicas("kj-a", true).await.unwrap(), [replica.clone()]);
    (replica.ended_at, replica.state) = (Some(NOON + 5), "ended".into());
    house.store.put_replica(&replica).await.unwrap();
    assert!(house.store.replicas("kj-a", true).await.unwrap().is_empty());
    assert_eq!(house.store.replicas("kj-a", false).await.unwrap(), [replica]);

    house.tick("kj-a", NOON, &[("done", 1.0)]).await;
    house.store.delete_job("kj-a").await.unwrap();
    house.store.delete_job("kj-a").await.unwrap();
    for _ in 0..2 {
        house.store.housekeeping(NOON).await.unwrap();
    }
    for table in [
        "job",
        "job_state",
        "control_loop",
        "tuning",
        "mark",
        "frame",
        "series",
        "replica",
        "sample_second",
        "sample_minute",
        "sample_hour",
    ] {
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        let left: i64 = sqlx::query_scalar(sql).fetch_one(&house.store.readers).await.unwrap();
        assert_eq!(left, 0, "{table} still holds something");
    }
}
