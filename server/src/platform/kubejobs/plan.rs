//! What is to be done so that a job's pods are those that are wanted. Pure: what is known in, steps out.
//!
//! Asked again with the same knowledge it answers the same, and with the steps done it answers nothing.
//! The Job's controller chooses who goes when parallelism falls: pods that are pending, then pods that are not
//! ready, then the newest. So a pod that is to go is first made not ready, and parallelism falls only when that
//! can be read and everybody else is ready.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::pod::Seen;
use crate::platform::Exit;

/// How long pods that are to stay may take to be ready before those that go are deleted by name instead.
const READY_WITHIN: Duration = Duration::from_secs(3);
/// A replica that ended may be replaced at once: parallelism falls only when it is not.
const LOWER_AFTER: Duration = Duration::from_millis(300);
/// A pod that was never read as ready may just have become so: its gate must be off for so long.
const FRESH: Duration = Duration::from_millis(500);
/// After parallelism fell, the controller may choose among pods that are not seen yet.
const COMES_TO_REST: Duration = Duration::from_millis(500);
/// After the cluster did not answer, its controller may decide by what it knew before, for as long as this.
pub const UNSURE: Duration = Duration::from_secs(120);
/// How often what the controller knows is asked for meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// A replica without a pod for so long: the controller is told to try again.
const NUDGE_EVERY: Duration = Duration::from_secs(5);
/// Who was refused other CPU may wish for some again after this.
const REFUSED_FOR: Duration = Duration::from_secs(60);

/// One replica of the job, as this server wants it.
#[derive(Debug, Clone, Default)]
pub struct Member {
    /// The pod that it is, once one was claimed for it.
    pub pod: Option<String>,
    /// It was started by an earlier server: it has a pod already, or is gone.
    pub adopted: bool,
    /// How it ended, once its pod has.
    pub over: Option<Exit>,
    pub ending: Option<Ending>,
    /// Its end was told.
    pub told: bool,
}

/// A replica that is to go.
#[derive(Debug, Clone)]
pub struct Ending {
    pub since: Instant,
    /// How long its pod may take from TERM to its end.
    pub grace: Duration,
    /// Its pod was read as ready since: a reading that it is not is no old one.
    pub seen_ready: bool,
    /// Since when its pod's gate is read as off.
    pub gated_at: Option<Instant>,
    /// Since when its pod is on its way out.
    pub leaving_since: Option<Instant>,
    /// It was deleted by name with a shorter grace than its template's.
    pub hurried: bool,
}

impl Ending {
    pub fn new(grace: Duration, since: Instant) -> Self {
        Self { since, grace, seen_ready: false, gated_at: None, leaving_since: None, hurried: false }
    }
}

/// All that is known of a job on the cluster.
#[derive(Debug, Default)]
pub struct State {
    /// By the replica's number, which is the order of their starts.
    pub members: BTreeMap<u64, Member>,
    /// By uid.
    pub pods: BTreeMap<String, Seen>,
    /// The pods are listed whole: one that is not here is not there.
    pub listed: bool,
    /// Everybody whom an earlier server started is a member again: others may go.
    pub settled: bool,
    /// The Job and its way to the queue are there.
    pub exists: bool,
    /// As the cluster acknowledged it last.
    pub parallelism: Option<usize>,
    /// Since when it is higher than it need be.
    pub high_since: Option<Instant>,
    /// Since when there are pods that are no replica's.
    pub stray_since: Option<Instant>,
    pub scaled_at: Option<Instant>,
    /// When parallelism fell last.
    pub lowered_at: Option<Instant>,
    /// The cluster did not answer lately: until then its controller is asked what it sees before parallelism falls.
    pub unsure_until: Option<Instant>,
    pub controller: Option<Controller>,
    /// CPU that each pod is to have, in thousandths of a core, where that was ever said.
    pub cpu: Option<u32>,
    /// When the cluster would not do that, and why.
    pub cpu_refused: Option<(Instant, String)>,
}

/// How many pods the Job's controller has counted, by its own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Controller {
    pub active: usize,
    pub ready: usize,
    pub at: Instant,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Make the Job, its Service and its EndpointSlice.
    Ensure,
    /// Write a replica's name on a pod.
    Claim {
        replica: u64,
        uid: String,
    },
    /// Turn the readiness gate of a pod.
    Gate {
        uid: String,
        on: bool,
    },
    /// Give a running pod other CPU, in thousandths of a core.
    Resize {
        uid: String,
        millicores: u32,
    },
    Scale {
        to: usize,
        nudge: bool,
    },
    /// Ask what the controller has counted.
    Look,
    /// Delete one pod by its uid, with so many seconds of grace.
    Delete {
        uid: String,
        grace_s: u32,
    },
}

/// The next steps, and how long to wait when nothing new is heard.
pub fn plan(state: &mut State, now: Instant) -> (Vec<Step>, Option<Duration>) {
    note(state, now);
    let state = &*state;
    let view = View::of(state, now);
    let (mut steps, mut wait) = (Vec::new(), Wait::default());
    if !state.exists {
        return (if view.wishes.is_empty() { steps } else { vec![Step::Ensure] }, None);
    }
    if !state.listed {
        return (steps, None);
    }
    steps.extend(view.claims.iter().map(|(replica, pod)| Step::Claim { replica: *replica, uid: pod.uid.clone() }));
    steps.extend(view.kept.iter().filter(|pod| !pod.kept).map(|pod| Step::Gate { uid: pod.uid.clone(), on: true }));
    if let Some(millicores) = state.cpu.filter(|_| state.cpu_refused.is_none()) {
        let other = |pod: &&&Seen| pod.started && pod.given_millicores.is_some_and(|given| given != millicores);
        steps.extend(view.kept.iter().filter(other).map(|pod| Step::Resize { uid: pod.uid.clone(), millicores }));
    }
    hurry(state, now, &mut steps, &mut wait);
    if let Some(rest) = state.lowered_at.and_then(|at| (at + COMES_TO_REST).checked_duration_since(now)).filter(|rest| !rest.is_zero()) {
        wait.at_most(rest);
    }
    if view.leaving.is_empty() {
        raise_or_rest(state, &view, now, &mut steps, &mut wait);
    } else {
        lower(state, &view, now, &mut steps, &mut wait);
    }
    (steps, wait.0)
}

/// The pods of a job, by what is to become of them.
struct View<'a> {
    /// Replicas that have no pod yet.
    wishes: Vec<u64>,
    /// Pods that are to stay.
    kept: Vec<&'a Seen>,
    /// Pods that are nobody's, for replicas that have none.
    claims: Vec<(u64, &'a Seen)>,
    /// Pods that are to go, and since when.
    leaving: Vec<(&'a Seen, Option<&'a Ending>)>,
    /// How many there shall be.
    wanted: usize,
}

impl<'a> View<'a> {
    fn of(state: &'a State, now: Instant) -> Self {
        let staying = || state.members.iter().filter(|(_, member)| member.ending.is_none());
        let pod_of = |member: &Member| member.pod.as_ref().and_then(|uid| state.pods.get(uid)).filter(|pod| pod.lives());
        let wishing = |member: &Member| member.pod.is_none() && member.over.is_none() && !member.adopted;
        let wishes: Vec<u64> = staying().filter(|(_, member)| wishing(member)).map(|(number, _)| *number).collect();
        let kept: Vec<&Seen> = staying().filter_map(|(_, member)| pod_of(member)).collect();

        // One that bears the name of a replica that is no member any more cannot be another's.
        let nobodys = state.pods.values().filter(|pod| pod.lives() && !belongs(state, pod));
        let (of_before, mut free): (Vec<&Seen>, Vec<&Seen>) = nobodys.partition(|pod| pod.replica.is_some());
        free.sort_by_key(|pod| pod.created_at);
        // While there are too many the controller may have chosen one already: nobody is given out.
        let surplus = state.parallelism.is_none_or(|parallelism| parallelism < state.pods.values().filter(|pod| pod.lives()).count());
        let settling = state.lowered_at.is_some_and(|at| now < at + COMES_TO_REST);
        let claims: Vec<_> = wishes.iter().copied().zip(free.iter().copied().filter(|_| !surplus && !settling)).collect();
        // What ended is replaced by the controller by itself. Whether that is wanted is said when its end was heard.
        let ended = staying().filter(|(_, member)| !wishing(member) && !member.adopted && pod_of(member).is_none()).count();
        let reserved = if surplus { ended } else { ended + wishes.len() };
        let strays = of_before.into_iter().chain(free.into_iter().skip(reserved)).filter(|_| state.settled);
        let ending = state.members.values().filter_map(|member| Some((pod_of(member)?, Some(member.ending.as_ref()?))));
        let leaving = ending.chain(strays.map(|pod| (pod, None))).collect();
        Self { wanted: kept.len() + wishes.len() + ended, wishes, kept, claims, leaving }
    }
}

fn belongs(state: &State, pod: &Seen) -> bool {
    state.members.values().any(|member| member.pod.as_ref() == Some(&pod.uid))
}

/// Writes down since when things are as they are.
fn note(state: &mut State, now: Instant) {
    let (high, stray) = {
        let view = View::of(state, now);
        (state.parallelism.is_some_and(|parallelism| view.wanted < parallelism), view.leaving.iter().any(|(_, ending)| ending.is_none()))
    };
    state.high_since = state.high_since.or(Some(now)).filter(|_| high);
    state.stray_since = state.stray_since.or(Some(now)).filter(|_| stray);
    for member in state.members.values_mut() {
        let Some(pod) = member.pod.as_ref().and_then(|uid| state.pods.get(uid)) else { continue };
        let Some(ending) = member.ending.as_mut() else { continue };
        ending.seen_ready |= pod.ready;
        ending.gated_at = ending.gated_at.or(Some(now)).filter(|_| !pod.kept);
        ending.leaving_since = ending.leaving_since.or(Some(now)).filter(|_| pod.leaving);
    }
}

/// A refused CPU is no longer wanted after a while, so that loops see and may wish again: there may be room by then.
/// Answers how long until then.
pub fn forgive(state: &mut State, now: Instant) -> Option<Duration> {
    let (at, _) = state.cpu_refused.as_ref()?;
    let left = REFUSED_FOR.saturating_sub(now.duration_since(*at));
    if left.is_zero() {
        (state.cpu, state.cpu_refused) = (given(state), None);
    }
    Some(left)
}

/// The CPU that most of the job's pods were given, in thousandths of a core; of two as frequent the larger.
pub fn given(state: &State) -> Option<u32> {
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    let pods = state.members.values().filter_map(|member| state.pods.get(member.pod.as_ref()?));
    for millicores in pods.filter(|pod| pod.lives()).filter_map(|pod| pod.given_millicores) {
        *counts.entry(millicores).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(millicores, count)| (*count, *millicores)).map(|(millicores, _)| millicores)
}

/// Some are to go: they are made not ready, and parallelism falls when nobody else is.
fn lower(state: &State, view: &View, now: Instant, steps: &mut Vec<Step>, wait: &mut Wait) {
    let stay = view.kept.len();
    if 0 < stay {
        steps.extend(view.leaving.iter().filter(|(pod, _)| pod.kept).map(|(pod, _)| Step::Gate { uid: pod.uid.clone(), on: false }));
    }
    let last = || {
        let surely = |(pod, ending): &(&Seen, Option<&Ending>)| {
            let gated_at = match ending {
                Some(ending) if ending.seen_ready => None,
                Some(ending) => ending.gated_at,
                None => state.stray_since.filter(|_| pod.replica.is_some()),
            };
            let left = gated_at.map_or(Duration::ZERO, |at| (at + FRESH).saturating_duration_since(now));
            (!pod.kept && !pod.ready).then_some(left)
        };
        view.leaving.iter().map(surely).try_fold(Duration::ZERO, |longest, left| Some(longest.max(left?)))
    };
    // One that is just being claimed is not ready, and is to stay.
    let ready = view.claims.is_empty() && view.kept.iter().all(|pod| pod.ready);
    let safe = match last() {
        _ if stay == 0 => view.claims.is_empty(),
        Some(left) if ready && !left.is_zero() => {
            wait.at_most(left);
            false
        }
        Some(_) => ready,
        None => false,
    };
    if safe && state.parallelism != Some(stay) {
        if stay == 0 || knows(state, now, steps, wait) {
            steps.push(Step::Scale { to: stay, nudge: false });
        }
        return;
    }
    // Not all is as it should be (a pod that never gets ready, a controller that is late): by name it is exact too.
    let mut again = false;
    for (pod, ending) in &view.leaving {
        let since = ending.map_or(state.stray_since, |ending| Some(ending.since)).max(state.scaled_at.filter(|_| safe));
        let left = READY_WITHIN.saturating_sub(since.map_or(Duration::ZERO, |since| now.duration_since(since)));
        if !left.is_zero() {
            wait.at_most(left);
        } else if safe && ending.is_none() {
            // Somebody else has set the parallelism: it is not what was acknowledged.
            again = true;
        } else {
            steps.push(Step::Delete { uid: pod.uid.clone(), grace_s: ending.map_or(1, |ending| seconds(ending.grace)) });
        }
    }
    if again {
        steps.push(Step::Scale { to: stay, nudge: false });
    }
}

/// Nobody is on the way out: as many as are wanted, and no fewer while one that ended may be replaced.
fn raise_or_rest(state: &State, view: &View, now: Instant, steps: &mut Vec<Step>, wait: &mut Wait) {
    let to = view.wanted;
    let (nudge, left) = match state.parallelism {
        Some(parallelism) if to < parallelism => (false, LOWER_AFTER.saturating_sub(since(state.high_since, now))),
        Some(parallelism) if to == parallelism && view.claims.len() < view.wishes.len() => {
            (true, NUDGE_EVERY.saturating_sub(since(state.scaled_at, now)))
        }
        Some(parallelism) if to == parallelism => return,
        _ => (false, Duration::ZERO),
    };
    if !left.is_zero() {
        wait.at_most(left);
    } else if view.kept.is_empty() || state.parallelism.is_none_or(|parallelism| parallelism <= to) || knows(state, now, steps, wait) {
        steps.push(Step::Scale { to, nudge });
    }
}

/// Whether the controller has counted the pods as they are. It hears of Jobs and of pods apart: when the API server was
/// away, it may hear of a lower parallelism before it hears which pods are not ready, and take the wrong ones.
fn knows(state: &State, now: Instant, steps: &mut Vec<Step>, wait: &mut Wait) -> bool {
    if state.unsure_until.is_none_or(|until| until <= now) {
        return true;
    }
    let Some(counted) = state.controller.filter(|counted| now.duration_since(counted.at) < LOOK_EVERY) else {
        steps.push(Step::Look);
        return false;
    };
    wait.at_most(LOOK_EVERY.saturating_sub(now.duration_since(counted.at)));
    let living = || state.pods.values().filter(|pod| pod.lives());
    (counted.active, counted.ready) == (living().count(), living().filter(|pod| pod.ready).count())
}

/// Pods that take longer to go than they may.
fn hurry(state: &State, now: Instant, steps: &mut Vec<Step>, wait: &mut Wait) {
    for member in state.members.values() {
        let (Some(ending), Some(uid)) = (&member.ending, &member.pod) else { continue };
        let Some(leaving) = ending.leaving_since.filter(|_| !ending.hurried && state.pods.contains_key(uid)) else { continue };
        let left = ending.grace.saturating_sub(now.duration_since(leaving));
        if left.is_zero() {
            // Zero would forget the pod while it still runs.
            steps.push(Step::Delete { uid: uid.clone(), grace_s: 1 });
        } else {
            wait.at_most(left);
        }
    }
}

fn since(at: Option<Instant>, now: Instant) -> Duration {
    at.map_or(Duration::MAX, |at| now.duration_since(at))
}

fn seconds(grace: Duration) -> u32 {
    (grace.as_secs_f64().ceil() as u32).max(1)
}

#[derive(Default)]
struct Wait(Option<Duration>);

impl Wait {
    fn at_most(&mut self, left: Duration) {
        self.0 = Some(self.0.map_or(left, |known| known.min(left)));
    }
}
