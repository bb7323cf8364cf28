//! Which pod is which replica, and what the queue and the board are told of them.

use std::time::Instant;

use super::{BELIEVED_AFTER, LOOK_AFTER, Member, Task, answer};
use crate::platform::{Exit, kubejobs::pod::Seen, replica_id};
use crate::queue::{Queue, QueueError};

impl Task {
    /// Gives pods to replicas that have none, the oldest first.
    pub(super) fn assign(&mut self) {
        let given: Vec<&String> = self.members.values().filter_map(|member| member.pod.as_ref()).collect();
        let mut free: Vec<&Seen> = self.pods.values().filter(|pod| pod.lives() && !given.contains(&&pod.uid)).collect();
        free.sort_by_key(|pod| std::cmp::Reverse((pod.created_at, pod.uid.clone())));
        let free: Vec<String> = free.into_iter().map(|pod| pod.uid.clone()).collect();
        let without = self.members.values_mut().filter(|member| member.pod.is_none() && member.ending.is_none() && !member.over);
        for (member, uid) in without.zip(free.into_iter().rev()) {
            member.pod = Some(uid);
        }
    }

    /// Tells the queue and the board what became of the pods.
    pub(super) fn account(&mut self, queue: &Queue, now: Instant) {
        let of_pods = self.pods.values().filter(|pod| pod.ended == Some(Exit::Code(0))).count() as u64;
        let counted = self.now.as_ref().map_or(0, |now| now.succeeded);
        let target = of_pods.max(counted).saturating_sub(self.before.unwrap_or(0));
        let mut ended = Vec::new();
        for (number, member) in self.members.iter_mut().filter(|(_, member)| !member.over) {
            let replica = replica_id::of(&self.parts.job, *number);
            let Some(uid) = &member.pod else {
                if member.ending.is_some() {
                    ended.push((*number, Exit::Unknown));
                } else {
                    // A completion takes as long as its place is taken: the second or two until its pod is made count too,
                    // or every forecast would be too early by them.
                    tell(queue.work_begun(&replica));
                }
                continue;
            };
            match self.pods.get(uid) {
                None => ended.push((*number, Exit::Deleted)),
                Some(pod) if pod.ended == Some(Exit::Code(0)) => {
                    let new = queue.counts().done < target && tell(queue.work_done(&replica));
                    ended.push((*number, if new { Exit::Code(0) } else { Exit::Unknown }));
                }
                Some(pod) => match pod.ended {
                    Some(exit) => ended.push((*number, exit)),
                    None if pod.started && !pod.leaving => {
                        tell(queue.work_begun(&replica));
                    }
                    None => {}
                },
            }
        }
        for (number, exit) in ended {
            self.end(number, exit);
        }
        // Pods that ended while nobody looked, or that were nobody's.
        let missing = target.saturating_sub(queue.counts().done);
        if missing == 0 {
            self.uncounted_since = None;
        } else if BELIEVED_AFTER < now.duration_since(*self.uncounted_since.get_or_insert(now)) {
            let unseen = replica_id::of(&self.parts.job, 0);
            for _ in 0..missing {
                tell(queue.work_done(&unseen));
            }
        }
    }

    /// The controller chooses who goes. Where it chose another one than was asked for, they change places.
    pub(super) fn end(&mut self, number: u64, exit: Exit) {
        self.look_at = self.look_at.min(Instant::now() + LOOK_AFTER);
        let mut goes = number;
        if exit == Exit::Deleted && self.members.get(&number).is_some_and(|member| member.ending.is_none()) {
            let lives = |member: &Member| member.pod.as_ref().and_then(|uid| self.pods.get(uid)).is_some_and(Seen::lives);
            let asked = self.members.iter().find(|(_, member)| member.ending.is_some() && !member.over && lives(member));
            if let Some(other) = asked.map(|(other, _)| *other) {
                let pod = self.members.get_mut(&other).and_then(|member| member.pod.take());
                if let Some(member) = self.members.get_mut(&number) {
                    member.pod = pod;
                }
                goes = other;
            }
        }
        let Some(member) = self.members.get_mut(&goes) else { return };
        member.over = true;
        let asked = member.ending.is_some();
        self.parts.board.ended(replica_id::of(&self.parts.job, goes), if asked && exit == Exit::Deleted { Exit::Unknown } else { exit });
        self.forget();
    }

    /// Replicas whose end was told and asked for.
    pub(super) fn forget(&mut self) {
        let gone: Vec<u64> =
            self.members.iter().filter(|(_, member)| member.over && member.ending.is_some()).map(|(number, _)| *number).collect();
        for number in gone {
            let Some(member) = self.members.remove(&number) else { continue };
            self.parts.board.forget(&replica_id::of(&self.parts.job, number));
            member.ending.into_iter().flatten().for_each(answer);
        }
    }
}

/// What could not be written is tried again with the next look.
fn tell(told: Result<bool, QueueError>) -> bool {
    told.unwrap_or_else(|error| {
        tracing::warn!("the queue was not told what a pod has done: {error}");
        false
    })
}
