//! Who goes and who stays: the plan against a Job controller that chooses as the real one does.

use std::time::{Duration, Instant};

use super::{
    plan::{Controller, Ending, Member, State, Step, forgive, plan},
    pod::Seen,
};
use crate::platform::Exit;

fn pod(name: &str, replica: Option<u64>) -> Seen {
    Seen {
        name: name.to_owned(),
        uid: name.to_owned(),
        job: "kj-1".to_owned(),
        replica: replica.map(|number| format!("kj-1-r{number}")),
        version: 1,
        node: Some("node1".to_owned()),
        ip: None,
        created_at: 0,
        started: true,
        ready: true,
        kept: true,
        millicores: Some(200),
        given_millicores: Some(200),
        memory_bytes: None,
        leaving: false,
        ended: None,
        waits: None,
    }
}

/// A job whose replicas 1 … n are ready pods `p1` … `pn`.
fn running(replicas: u64) -> State {
    let mut state = State { listed: true, settled: true, exists: true, parallelism: Some(replicas as usize), ..State::default() };
    for number in 1..=replicas {
        let name = format!("p{number}");
        state.pods.insert(name.clone(), pod(&name, Some(number)));
        state.members.insert(number, Member { pod: Some(name), ..Member::default() });
    }
    state
}

fn end(state: &mut State, replica: u64, now: Instant) {
    state.members.get_mut(&replica).unwrap().ending = Some(Ending::new(Duration::from_secs(10), now));
}

fn of<'a>(state: &'a mut State, uid: &str) -> &'a mut Seen {
    state.pods.get_mut(uid).unwrap()
}

fn gate(uid: &str, on: bool) -> Step {
    Step::Gate { uid: uid.to_owned(), on }
}

fn scale(to: usize) -> Step {
    Step::Scale { to, nudge: false }
}

fn steps(state: &mut State, now: Instant) -> Vec<Step> {
    plan(state, now).0
}

#[test]
fn the_first_wish_makes_the_job_and_all_wishes_are_one_patch() {
    let now = Instant::now();
    let mut state = State { listed: true, settled: true, ..State::default() };
    assert_eq!(steps(&mut state, now), []);
    for number in 1..=20 {
        state.members.insert(number, Member::default());
    }
    assert_eq!(steps(&mut state, now), [Step::Ensure]);
    (state.exists, state.parallelism) = (true, Some(1));
    assert_eq!(steps(&mut state, now), [scale(20)]);
    (state.parallelism, state.scaled_at) = (Some(20), Some(now));
    assert_eq!(steps(&mut state, now), []);
    // Pods come as they come, and are given out in the order of the starts.
    state.pods.insert("a".to_owned(), Seen { ready: false, kept: false, ..pod("a", None) });
    assert_eq!(steps(&mut state, now), [Step::Claim { replica: 1, uid: "a".to_owned() }]);
    state.members.get_mut(&1).unwrap().pod = Some("a".to_owned());
    assert_eq!(steps(&mut state, now), [gate("a", true)]);
    of(&mut state, "a").kept = true;
    assert_eq!(steps(&mut state, now), []);
}

#[test]
fn parallelism_falls_only_when_the_gates_can_be_read() {
    let now = Instant::now();
    let mut state = running(5);
    end(&mut state, 1, now);
    end(&mut state, 3, now);
    assert_eq!(steps(&mut state, now), [gate("p1", false), gate("p3", false)]);
    of(&mut state, "p1").kept = false;
    of(&mut state, "p3").kept = false;
    of(&mut state, "p1").ready = false;
    assert_eq!(steps(&mut state, now), [], "one is ready yet: the wrong pod would go");
    of(&mut state, "p3").ready = false;
    assert_eq!(steps(&mut state, now), [scale(3)]);
    state.parallelism = Some(3);
    assert_eq!(steps(&mut state, now), []);
    of(&mut state, "p1").leaving = true;
    of(&mut state, "p3").leaving = true;
    assert_eq!(steps(&mut state, now), []);
}

#[test]
fn a_pod_that_is_not_ready_and_is_to_stay_keeps_parallelism_from_falling() {
    let now = Instant::now();
    let mut state = running(3);
    of(&mut state, "p3").ready = false;
    end(&mut state, 1, now);
    assert_eq!(steps(&mut state, now), [gate("p1", false)]);
    of(&mut state, "p1").ready = false;
    of(&mut state, "p1").kept = false;
    assert_eq!(steps(&mut state, now), [], "p3 would go before p1");
    // It never gets ready: the one that is to go is deleted by its name.
    let late = now + Duration::from_secs(4);
    assert_eq!(steps(&mut state, late), [Step::Delete { uid: "p1".to_owned(), grace_s: 10 }]);
    of(&mut state, "p1").leaving = true;
    assert_eq!(steps(&mut state, late), [scale(2)], "before another one comes in its place");
}

#[test]
fn unborn_replicas_of_a_full_quota_are_in_nobodys_way() {
    let now = Instant::now();
    let mut state = running(3);
    for number in [4, 5] {
        state.members.insert(number, Member::default());
    }
    (state.parallelism, state.scaled_at) = (Some(5), Some(now));
    end(&mut state, 2, now);
    assert_eq!(steps(&mut state, now), [gate("p2", false)]);
    of(&mut state, "p2").ready = false;
    of(&mut state, "p2").kept = false;
    // The controller sees three of five: only a parallelism below three makes one go.
    assert_eq!(steps(&mut state, now), [scale(2)]);
    state.parallelism = Some(2);
    of(&mut state, "p2").leaving = true;
    assert_eq!(steps(&mut state, now), [scale(4)], "then those that wait are wanted again");
    (state.parallelism, state.scaled_at) = (Some(4), Some(now));
    // Nobody comes: the controller is told to try again.
    assert_eq!(steps(&mut state, now + Duration::from_secs(5)), [Step::Scale { to: 4, nudge: true }]);
}

#[test]
fn that_a_pod_is_not_ready_counts_only_when_it_was_read_after_its_gate_was_off() {
    let now = Instant::now();
    let mut state = running(2);
    // Just started: it may have become ready a moment ago.
    of(&mut state, "p2").ready = false;
    end(&mut state, 2, now);
    assert_eq!(steps(&mut state, now), [gate("p2", false)]);
    of(&mut state, "p2").kept = false;
    let (none, wait) = plan(&mut state, now);
    assert!(none.is_empty() && wait.is_some());
    assert_eq!(steps(&mut state, now + Duration::from_millis(600)), [scale(1)]);
}

#[test]
fn after_an_outage_the_controller_must_have_counted_those_that_go() {
    let now = Instant::now();
    let mut state = running(4);
    end(&mut state, 1, now);
    assert_eq!(steps(&mut state, now), [gate("p1", false)]);
    of(&mut state, "p1").kept = false;
    of(&mut state, "p1").ready = false;
    state.unsure_until = Some(now + Duration::from_secs(60));
    assert_eq!(steps(&mut state, now), [Step::Look]);
    state.controller = Some(Controller { active: 4, ready: 4, at: now });
    let (none, wait) = plan(&mut state, now);
    assert!(none.is_empty() && wait.is_some(), "it takes p1 for ready yet");
    let later = now + Duration::from_secs(5);
    assert_eq!(steps(&mut state, later), [Step::Look], "and nothing is done by name meanwhile");
    state.controller = Some(Controller { active: 4, ready: 3, at: later });
    assert_eq!(steps(&mut state, later), [scale(3)]);
    // It never counts right: once the outage is long past, it is trusted again.
    state.controller = None;
    assert_eq!(steps(&mut state, now + Duration::from_secs(61)), [scale(3)]);
}

#[test]
fn everybody_goes_at_once_and_without_gates() {
    let now = Instant::now();
    let mut state = running(3);
    for number in 1..=3 {
        end(&mut state, number, now);
    }
    assert_eq!(steps(&mut state, now), [scale(0)]);
}

#[test]
fn one_that_ended_by_itself_keeps_its_place_until_that_is_heard() {
    let now = Instant::now();
    let mut state = running(2);
    of(&mut state, "p1").ended = Some(Exit::Code(0));
    state.members.get_mut(&1).unwrap().over = Some(Exit::Code(0));
    assert_eq!(steps(&mut state, now), []);
    // The controller replaced it already; nobody has said yet whether that is wanted.
    state.pods.insert("new".to_owned(), Seen { ready: false, kept: false, ..pod("new", None) });
    assert_eq!(steps(&mut state, now), []);
    let mut wanted = State { members: state.members.clone(), pods: state.pods.clone(), parallelism: Some(2), ..running(0) };
    wanted.members.remove(&1);
    wanted.members.insert(3, Member::default());
    assert_eq!(steps(&mut wanted, now), [Step::Claim { replica: 3, uid: "new".to_owned() }]);
    // Not wanted: it is not ready, so that it goes and nobody else does.
    state.members.remove(&1);
    assert_eq!(steps(&mut state, now), [scale(1)]);
}

#[test]
fn nothing_is_lowered_for_a_moment_in_which_a_replacement_may_come() {
    let now = Instant::now();
    let mut state = running(2);
    state.members.remove(&1);
    state.pods.remove("p1");
    let (none, wait) = plan(&mut state, now);
    assert!(none.is_empty() && wait.is_some());
    assert_eq!(steps(&mut state, now + Duration::from_secs(1)), [scale(1)]);
}

#[test]
fn before_everybody_is_taken_over_nobody_goes() {
    let now = Instant::now();
    let mut state = running(3);
    state.settled = false;
    state.members.remove(&3);
    assert_eq!(steps(&mut state, now), []);
    state.settled = true;
    // A replica that nobody wants any more, with its name on it: no other replica can be it.
    state.members.insert(4, Member::default());
    assert_eq!(steps(&mut state, now), [gate("p3", false)]);
}

#[test]
fn without_a_list_nothing_is_decided() {
    let now = Instant::now();
    let mut state = running(3);
    state.listed = false;
    end(&mut state, 1, now);
    assert_eq!(steps(&mut state, now), []);
}

#[test]
fn a_pod_that_takes_too_long_to_go_is_told_to_make_haste_once() {
    let now = Instant::now();
    let mut state = running(1);
    end(&mut state, 1, now);
    (state.parallelism, of(&mut state, "p1").leaving) = (Some(0), true);
    assert_eq!(steps(&mut state, now), []);
    let late = now + Duration::from_secs(10);
    assert_eq!(steps(&mut state, late), [Step::Delete { uid: "p1".to_owned(), grace_s: 1 }]);
    state.members.get_mut(&1).unwrap().ending.as_mut().unwrap().hurried = true;
    assert_eq!(steps(&mut state, late), []);
}

/// A controller as Kubernetes' own: it makes what is missing, and of those that are too many it takes first whom
/// its order says. Nodes and watches are late by chance.
struct Cluster {
    /// The truth; what the plan is shown may be older.
    pods: Vec<Seen>,
    made: u64,
    wrong: u64,
    /// What was done and seen, for whoever has to find out why a pod went that was to stay.
    trace: Vec<String>,
}

impl Cluster {
    fn control(&mut self, parallelism: usize, members: &std::collections::BTreeMap<u64, Member>) {
        while self.pods.iter().filter(|pod| pod.lives()).count() < parallelism {
            self.made += 1;
            let name = format!("c{}", self.made);
            self.pods.push(Seen { created_at: self.made as i64, ready: false, kept: false, started: false, ..pod(&name, None) });
        }
        while parallelism < self.pods.iter().filter(|pod| pod.lives()).count() {
            // Pending, not ready, newest.
            let victim =
                self.pods.iter_mut().filter(|pod| pod.lives()).min_by_key(|pod| (pod.started, pod.ready, -pod.created_at)).unwrap();
            victim.leaving = true;
            let stays = members.values().any(|member| member.pod.as_ref() == Some(&victim.uid) && member.ending.is_none());
            self.wrong += u64::from(stays);
            let victim = victim.clone();
            self.trace.push(format!("goes: {victim:?}"));
        }
    }
}

#[test]
fn in_any_order_of_events_the_right_pods_go_and_all_comes_to_rest() {
    for seed in 0..300_u64 {
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut chance = move |of: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % of
        };
        let begun = Instant::now();
        let mut now = begun;
        let mut cluster = Cluster { pods: Vec::new(), made: 0, wrong: 0, trace: Vec::new() };
        let mut state = State { listed: true, settled: true, ..State::default() };
        let mut next = 1;
        for round in 0..600 {
            now += Duration::from_millis(10 + chance(60));
            // What people and loops want.
            if round < 300 && chance(10) == 0 {
                let staying: Vec<u64> =
                    state.members.iter().filter(|(_, member)| member.ending.is_none()).map(|(number, _)| *number).collect();
                if chance(2) == 0 && !staying.is_empty() {
                    end(&mut state, staying[chance(staying.len() as u64) as usize], now);
                } else if staying.len() < 8 {
                    state.members.insert(next, Member::default());
                    next += 1;
                }
            }
            // Nodes: a pod starts, is ready when its gate is on, and ends when it was told to.
            for pod in &mut cluster.pods {
                if pod.lives() && chance(4) == 0 {
                    pod.started = true;
                }
                if chance(3) == 0 {
                    pod.ready = pod.started && pod.kept && pod.lives();
                }
            }
            cluster.pods.retain(|pod| !(pod.leaving && chance(5) == 0));
            // The watch: whole and mostly in time.
            if chance(3) != 0 {
                state.pods = cluster.pods.iter().map(|pod| (pod.uid.clone(), pod.clone())).collect();
                let gone = |uid: &String| !state.pods.contains_key(uid);
                state.members.retain(|_, member| !(member.ending.is_some() && member.pod.as_ref().is_none_or(gone)));
            }
            for step in steps(&mut state, now) {
                cluster.trace.push(format!("{:?} {step:?}", now.duration_since(begun)));
                match step {
                    Step::Look | Step::Resize { .. } => {}
                    Step::Ensure => (state.exists, state.parallelism) = (true, Some(1)),
                    Step::Scale { to, .. } => {
                        state.lowered_at = state.parallelism.filter(|before| to < *before).map(|_| now).or(state.lowered_at);
                        (state.parallelism, state.scaled_at) = (Some(to), Some(now));
                    }
                    Step::Claim { replica, uid } => {
                        let Some(pod) = cluster.pods.iter_mut().find(|pod| pod.uid == uid && pod.lives()) else { continue };
                        pod.replica = Some(format!("kj-1-r{replica}"));
                        state.pods.insert(uid.clone(), pod.clone());
                        state.members.get_mut(&replica).unwrap().pod = Some(uid);
                    }
                    Step::Gate { uid, on } => {
                        if let Some(pod) = cluster.pods.iter_mut().find(|pod| pod.uid == uid) {
                            pod.kept = on;
                            state.pods.insert(uid, pod.clone());
                        }
                    }
                    Step::Delete { uid, .. } => {
                        if let Some(pod) = cluster.pods.iter_mut().find(|pod| pod.uid == uid) {
                            pod.leaving = true;
                            state.pods.insert(uid, pod.clone());
                        }
                    }
                }
            }
            if state.exists && chance(3) != 0 {
                cluster.control(state.parallelism.unwrap_or(1), &state.members);
            }
            let last = cluster.trace.len().saturating_sub(30);
            assert_eq!(cluster.wrong, 0, "seed {seed}: {:#?}", &cluster.trace[last..]);
        }
        let living = cluster.pods.iter().filter(|pod| pod.lives()).count();
        assert_eq!((living, state.parallelism), (state.members.len(), state.exists.then_some(living)), "seed {seed}: {:?}", state.members);
        assert!(cluster.pods.iter().all(|pod| pod.ready && pod.kept), "seed {seed}");
    }
}

#[test]
fn pods_get_the_cpu_that_is_wanted_unless_the_cluster_refuses_it() {
    let (mut state, now) = (running(2), Instant::now());
    assert_eq!(steps(&mut state, now), []);
    state.cpu = Some(350);
    let resize = |uid: &str| Step::Resize { uid: uid.to_owned(), millicores: 350 };
    assert_eq!(steps(&mut state, now), [resize("p1"), resize("p2")]);
    of(&mut state, "p1").given_millicores = Some(350);
    assert_eq!(steps(&mut state, now), [resize("p2")]);
    state.cpu_refused = Some((now, "This cluster cannot.".to_owned()));
    assert_eq!(steps(&mut state, now), []);
}

#[test]
fn a_refused_cpu_is_forgotten_after_a_minute_and_pods_keep_what_most_of_them_have() {
    let (mut state, now) = (running(2), Instant::now());
    ["p1", "p2"].iter().for_each(|uid| of(&mut state, uid).given_millicores = Some(200));
    (state.cpu, state.cpu_refused) = (Some(350), Some((now, "No room.".to_owned())));
    assert_eq!(forgive(&mut state, now + Duration::from_secs(59)), Some(Duration::from_secs(1)));
    assert_eq!(state.cpu, Some(350));
    assert_eq!(forgive(&mut state, now + Duration::from_secs(60)), Some(Duration::ZERO));
    assert_eq!((state.cpu, state.cpu_refused.is_none()), (Some(200), true));
    assert_eq!((steps(&mut state, now), forgive(&mut state, now)), (vec![], None));
}
