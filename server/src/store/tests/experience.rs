//! What completed jobs leave to those after them.

use control::live::Record;

use super::House;
use crate::store::{Experience, Lesson};

#[tokio::test]
async fn jobs_with_one_program_learn_from_each_other_and_only_once() {
    let house = House::new().await;
    let lesson = |log_mean, held| Lesson { items: 100, log_mean, log_sd: 0.5, held };
    for (job, lesson) in [("a", lesson(6.0, Some(true))), ("b", lesson(8.0, Some(false))), ("c", lesson(7.0, None))] {
        house.job(job).await;
        house.store.learn(job, vec![1], lesson).await.unwrap();
        house.store.learn(job, vec![1], Lesson { log_mean: 99.0, ..lesson }).await.unwrap();
    }
    let learnt = house.store.experience(&[1]).await.unwrap();
    assert_eq!(learnt.record, Record { jobs: 3, foretold: 2, held: 1 });
    let history = learnt.history.unwrap();
    assert_eq!((history.jobs, history.log_mean, history.log_sd), (3, 7.0, 0.5));
    assert_eq!(house.store.experience(&[2]).await.unwrap(), Experience::default());
}
