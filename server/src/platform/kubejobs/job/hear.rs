//! What the pods do, and what follows from it: who is whose, who has ended, what others are to know.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use super::{LAST_LINES, Task, board::Spot};
use crate::platform::{
    CpuState, Exit,
    kubejobs::{
        cluster::{Kind, Trouble},
        follow::follow,
        plan::{Member, State, UNSURE, given},
        pod::Seen,
        watch::News,
    },
    logs::folder_of,
    replica_id,
};

/// A pod is made within a second; what takes longer has a reason.
const PATIENCE: Duration = Duration::from_secs(4);

impl Task {
    pub(super) fn hear(&mut self, news: News) {
        match news {
            News::Listed(pods) => {
                (self.state.listed, self.blind) = (true, None);
                let known = std::mem::take(&mut self.state.pods);
                pods.into_iter().for_each(|pod| self.see(pod));
                for pod in known.into_values() {
                    if !self.state.pods.contains_key(&pod.uid) {
                        self.gone(&pod);
                    }
                }
            }
            News::Pod(pod) => self.see(pod),
            News::Gone(pod) => {
                self.state.pods.remove(&pod.uid);
                self.gone(&pod);
            }
            // Times of events are whole seconds.
            News::NotMade { at, why } if self.raised_at <= at + 1000 => self.not_made = Some((at, why)),
            News::NotMade { .. } => {}
            News::Blind { since, why } => {
                self.state.unsure_until = Some(Instant::now() + UNSURE);
                self.blind = Some((since, why));
            }
        }
    }

    /// A pod as a watch or an answer told it. Answers and watches overtake each other: the newest counts.
    pub(super) fn see(&mut self, pod: Seen) {
        if self.state.pods.get(&pod.uid).is_some_and(|known| pod.version < known.version) {
            return;
        }
        if self.not_made.as_ref().is_some_and(|(at, _)| at + 1000 < pod.created_at) {
            self.not_made = None;
        }
        self.state.pods.insert(pod.uid.clone(), pod);
    }

    /// A pod that is no more.
    fn gone(&mut self, pod: &Seen) {
        let member = self.state.members.values_mut().find(|member| member.pod.as_ref() == Some(&pod.uid));
        if let Some(member) = member {
            member.over.get_or_insert(how_ended(pod, member.ending.is_some()));
        }
    }

    /// Draws what follows from what is known, and tells it. Answers when to look again for the last lines of a log.
    pub(super) fn settle(&mut self) -> Option<Duration> {
        let job = self.parts.job.clone();
        assign(&mut self.state, &job);
        for member in self.state.members.values_mut() {
            let Some(pod) = member.pod.as_ref().and_then(|uid| self.state.pods.get(uid)) else { continue };
            if pod.ended.is_some() {
                member.over.get_or_insert(how_ended(pod, member.ending.is_some()));
            }
        }
        self.recall_cpu();
        self.follow_logs();
        let listens = self.tell_ends();
        self.show();
        listens
    }

    /// An earlier server may have given its pods other CPU than their template says: newer ones get the same.
    fn recall_cpu(&mut self) {
        if !self.recalls_cpu || !self.state.listed {
            return;
        }
        self.recalls_cpu = false;
        let template = (self.parts.params.cpu * 1000.0).round() as u32;
        self.state.cpu = self.state.cpu.or_else(|| given(&self.state).filter(|given| 0 < template && *given != template));
    }

    fn tell_ends(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let mut listens: Option<Duration> = None;
        let mut done = Vec::new();
        for (number, member) in &mut self.state.members {
            // A replica that never had a pod is gone as soon as it is to go.
            let never = member.pod.is_none() && !member.adopted && member.ending.is_some();
            let Some(exit) = member.over.or(never.then_some(Exit::Unknown)) else { continue };
            if !member.told {
                let since = *self.over_since.entry(*number).or_insert(now);
                let left = LAST_LINES.saturating_sub(now.duration_since(since));
                if !left.is_zero() && self.followers.get(number).is_some_and(|follower| !follower.is_finished()) {
                    let soon = left.min(Duration::from_millis(50));
                    listens = Some(listens.map_or(soon, |known| known.min(soon)));
                    continue;
                }
                self.parts.board.ended(replica_id::of(&self.parts.job, *number), exit);
                member.told = true;
            }
            if member.ending.is_some() {
                done.push(*number);
            }
        }
        for number in done {
            self.state.members.remove(&number);
            self.over_since.remove(&number);
            self.parts.board.forget(&self.replica(number));
            self.followers.remove(&number);
            for waiting in self.waiting.remove(&number).into_iter().flatten() {
                // Who asked may have given up.
                let _ = waiting.send(());
            }
        }
        listens
    }

    fn follow_logs(&mut self) {
        if self.asks.is_none() {
            return;
        }
        for (number, member) in &self.state.members {
            let Some(pod) = member.pod.as_ref().and_then(|uid| self.state.pods.get(uid)) else { continue };
            if !pod.started || self.followers.contains_key(number) {
                continue;
            }
            let replica = replica_id::of(&self.parts.job, *number);
            let Ok(folder) = folder_of(&self.parts.data_dir, &self.parts.job, &replica) else { continue };
            let limit = u64::from(self.parts.params.log_limit_kib) * 1024;
            self.followers.insert(
                *number,
                tokio::spawn(follow(self.parts.cluster.clone(), self.parts.namespace.clone(), pod.name.clone(), folder, limit)),
            );
        }
    }

    /// What others read: where replicas are, who may call from where, what troubles the job.
    fn show(&mut self) {
        let mut at: HashMap<IpAddr, String> = HashMap::new();
        let (mut spots, mut dismissed) = (HashMap::new(), Vec::new());
        for (number, member) in &self.state.members {
            let Some(pod) = member.pod.as_ref().and_then(|uid| self.state.pods.get(uid)) else { continue };
            let replica = replica_id::of(&self.parts.job, *number);
            if pod.leaving && pod.ended.is_none() && member.ending.is_some() {
                dismissed.push(replica.clone());
            }
            if let Some(ip) = pod.ip.filter(|_| pod.ended.is_none()) {
                at.insert(ip, replica.clone());
            }
            let namespace = self.parts.namespace.clone();
            let (millicores, memory_bytes) = (pod.millicores, pod.memory_bytes);
            spots.insert(replica, Spot { namespace, pod: pod.name.clone(), node: pod.node.clone(), millicores, memory_bytes });
        }
        if let Some(door) = self.parts.home.upgrade().and_then(|home| home.door(&self.parts.job)) {
            door.know(at);
            dismissed.iter().for_each(|replica| door.dismiss(replica));
        }
        self.parts.board.set_spots(spots);
        self.parts.board.set_trouble(self.trouble());
        let wanted = self.state.cpu.filter(|_| self.state.cpu_refused.is_none());
        let refused = self.state.cpu_refused.as_ref().map(|(_, why)| why.clone());
        self.parts.board.set_cpu(wanted.or_else(|| given(&self.state)).map(|millicores| CpuState { millicores, refused }));
        self.parts.board.set_unseen(self.state.listed, self.unseen());
    }

    /// Since when the pods may be others than they are known as: their watch is cut, or a question has no answer.
    fn unseen(&self) -> Option<(Instant, String)> {
        let away = || self.failed.as_ref().filter(|(trouble, _)| trouble.kind == Kind::Away);
        self.blind.clone().or_else(|| away().map(|(trouble, _)| (self.away_since.unwrap_or_else(Instant::now), trouble.words.clone())))
    }

    /// What keeps things from being as they are wanted, the most telling first.
    fn trouble(&self) -> Option<String> {
        // That something went or changed under one's hands is the way of the world, unless it happens again and again.
        let passing = |trouble: &Trouble| matches!(trouble.kind, Kind::Gone | Kind::Conflict) && self.failures < 4;
        if let Some((trouble, _)) = self.failed.as_ref().filter(|(trouble, _)| !passing(trouble)) {
            return Some(trouble.words.clone());
        }
        let waits_for_pod =
            self.state.members.values().any(|member| member.ending.is_none() && member.over.is_none() && member.pod.is_none());
        if let Some((_, why)) = self.not_made.as_ref().filter(|_| waits_for_pod) {
            return Some(why.clone());
        }
        if let Some(why) = self.state.pods.values().filter(|pod| pod.lives()).find_map(|pod| pod.waits.clone()) {
            return Some(why);
        }
        if let Some((_, why)) = &self.blind {
            return Some(why.clone());
        }
        let long = self.state.scaled_at.is_some_and(|at| PATIENCE < at.elapsed());
        (waits_for_pod && long).then(|| {
            "Kubernetes has not made all pods yet. After a pod has failed it waits 10 s and more before it makes the next.".to_owned()
        })
    }
}

/// Pods that bear the name of a replica are that replica; adopted replicas without one are gone.
fn assign(state: &mut State, job: &str) {
    for pod in state.pods.values() {
        let named = pod.replica.as_deref().and_then(replica_id::split).filter(|(of, _)| *of == job);
        if let Some(member) = named.and_then(|(_, number)| state.members.get_mut(&number)).filter(|member| member.pod.is_none()) {
            member.pod = Some(pod.uid.clone());
            member.adopted = false;
        }
    }
    if state.listed {
        let missing = |member: &&mut Member| member.adopted && member.over.is_none();
        state.members.values_mut().filter(missing).for_each(|member| member.over = Some(Exit::Unknown));
    }
}

/// Whom nobody here asked to go, and who went all the same, was deleted by others.
fn how_ended(pod: &Seen, asked: bool) -> Exit {
    match pod.ended {
        Some(exit) if asked || !pod.leaving => exit,
        None if asked => Exit::Unknown,
        _ => Exit::Deleted,
    }
}
