//! Any sequence of what workers and server do conserves every item, and a kill changes nothing.

use bytes::Bytes;
use control::job::Order;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::{Fixture, after_a_kill, counts, queue_of};
use crate::queue::{
    commands::{Call, Outcome, Session, dispatch},
    items::now_ms,
    state::State,
    wire::Reply,
};

pub(super) const REPLICAS: [&str; 4] = ["r0", "r1", "r2", "r3"];
pub(super) const TEXTS: [&str; 5] = ["a", "b", "c", "twin", "new"];
pub(super) const COMMANDS: [&str; 20] = [
    "RPOPLPUSH job job:processing",
    "RPOPLPUSH job job:processing",
    "LPOP job",
    "RPOP job 2",
    "RPOPLPUSH job:processing job",
    "RPOP job:processing",
    "LREM job:processing 0 TEXT",
    "LREM job:processing 0 TEXT",
    "LREM job:processing 2 TEXT",
    "RPUSH job TEXT",
    "LPUSH job:results TEXT",
    "RPUSH job:results TEXT",
    "RPUSH job:errors TEXT",
    "SETEX job:leased_by_session:x 10 me",
    "ASPERATHOS.TAKE",
    "RPOP job:results",
    "SET key TEXT",
    "DEL key",
    "RPUSH list TEXT",
    "LPOP list",
];

/// Runs a pipeline as one batch, as a connection would.
pub(super) fn pipeline(fixture: &Fixture, replica: &str, commands: &[String]) {
    let mut state = fixture.queue.lock();
    let State { table, changes, .. } = &mut *state;
    let number = table.replicas.number(replica, changes);
    let mut session = Session::new(u64::from(number), number);
    for words in commands {
        let mut call = Call { state: &mut state, session: &mut session, now: now_ms(), may_wait: false };
        let arguments = words.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
        assert!(!matches!(dispatch(&mut call, arguments), Outcome::Close));
    }
    state.commit().unwrap();
}

pub(super) fn elements(fixture: &Fixture, list: &str) -> Vec<Bytes> {
    let mut state = fixture.queue.lock();
    let mut session = Session::new(0, 0);
    let mut call = Call { state: &mut state, session: &mut session, now: now_ms(), may_wait: false };
    let arguments = ["LRANGE", list, "0", "-1"].map(|word| Bytes::copy_from_slice(word.as_bytes())).to_vec();
    match dispatch(&mut call, arguments) {
        Outcome::Reply(Reply::Array(replies)) => {
            replies.into_iter().map(|reply| if let Reply::Bulk(text) = reply { text } else { panic!("{reply:?}") }).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// Everything that must agree: lists, counts, holders.
pub(super) fn check(fixture: &Fixture) {
    let [waiting, processing, ..] = counts(&fixture.queue);
    let state = fixture.queue.lock();
    assert_eq!(state.table.waiting.len() as u64, waiting);
    assert_eq!(state.table.in_flight().count() as u64, processing);
    let held: usize =
        REPLICAS.iter().filter_map(|name| state.table.replicas.find(name)).map(|number| state.table.replicas.get(number).holds.len()).sum();
    assert_eq!(held as u64, processing);
}

#[test]
fn random_histories_conserve_items_and_survive_kills() {
    for seed in 0..12 {
        let mut random = StdRng::seed_from_u64(seed);
        let order = if seed % 2 == 0 { Order::Lifo } else { Order::Fifo };
        let lines: Vec<&str> = (0..40).map(|_| *TEXTS.choose(&mut random).unwrap()).collect();
        let mut fixture = queue_of(order, 3, &lines);
        for step in 0..400 {
            let replica = *REPLICAS.choose(&mut random).unwrap();
            match random.random_range(0..40) {
                0 => drop(fixture.queue.replica_ended(replica, random.random(), "ended").unwrap()),
                1 => drop(fixture.queue.retry(&[]).unwrap()),
                2 => fixture.queue.starve(replica, random.random()),
                3 => drop(fixture.queue.reconcile(&[replica.to_owned()]).unwrap()),
                _ => {
                    let length = random.random_range(1..6);
                    let mut words = || COMMANDS.choose(&mut random).unwrap().replace("TEXT", TEXTS.choose(&mut random).unwrap());
                    pipeline(&fixture, replica, &(0..length).map(|_| words()).collect::<Vec<_>>());
                }
            }
            check(&fixture);
            if step % 200 == 199 {
                let again = after_a_kill(&fixture);
                assert_eq!(again.queue.counts(), fixture.queue.counts(), "seed {seed}, step {step}");
                let states = |fixture: &Fixture| {
                    fixture
                        .queue
                        .items(None, 0, 1000)
                        .iter()
                        .map(|view| (view.state, view.attempts, view.replica.clone(), view.result_bytes))
                        .collect::<Vec<_>>()
                };
                assert_eq!(states(&again), states(&fixture), "seed {seed}, step {step}");
                for list in ["job:results", "list", "job:errors"] {
                    assert_eq!(elements(&again, list), elements(&fixture, list), "seed {seed}, step {step}, {list}");
                }
                fixture = again;
                check(&fixture);
            }
        }
    }
}
