//! Takes the steps of a plan on the cluster, and sweeps a job away.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};

use super::{SWEPT_WITHIN, Task};
use crate::{
    clock::now_ms,
    platform::kubejobs::{
        asks::Asks,
        cluster::{Kind, Trouble},
        plan::{Controller, Step, UNSURE},
        pod::Seen,
    },
};

/// Questions that are under way at one time.
const ABREAST: usize = 16;
/// First and longest pause after a failed step.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(1));

impl Task {
    pub(super) async fn take(&mut self, steps: Vec<Step>) {
        let asks = match self.asks().await {
            Ok(asks) => asks,
            Err(trouble) => return self.fail(trouble),
        };
        let (mut outcome, mut of_pods) = (Ok(()), Vec::new());
        for step in steps {
            match step {
                Step::Ensure => outcome = self.ensure(&asks).await,
                Step::Scale { to, nudge } => outcome = self.scale(&asks, to, nudge).await,
                Step::Look => outcome = self.look(&asks).await,
                step => of_pods.push(step),
            }
        }
        for (step, answer) in self.ask_pods(&asks, of_pods).await {
            match answer {
                Ok(pod) => {
                    if let Step::Delete { uid, .. } = &step {
                        self.hurried(uid);
                    }
                    pod.into_iter().for_each(|pod| self.see(pod));
                }
                // It is no trouble of the replicas: they have the CPU that they had.
                Err(Trouble { kind: Kind::Refused, words }) if matches!(step, Step::Resize { .. }) => {
                    self.state.cpu_refused = Some((Instant::now(), words));
                }
                // It went meanwhile, which the watch will tell.
                Err(Trouble { kind: Kind::Gone | Kind::Conflict, words }) => {
                    outcome = outcome.and(Err(Trouble { kind: Kind::Gone, words }));
                }
                Err(trouble) => outcome = Err(trouble),
            }
        }
        match outcome {
            Ok(()) => (self.failed, self.failures, self.away_since) = (None, 0, None),
            Err(trouble) => self.fail(trouble),
        }
    }

    fn fail(&mut self, trouble: Trouble) {
        if trouble.kind == Kind::Away {
            self.state.unsure_until = Some(Instant::now() + UNSURE);
            self.away_since.get_or_insert_with(Instant::now);
        }
        let pause = (PAUSES.0 * 2_u32.saturating_pow(self.failures.min(8))).min(PAUSES.1);
        self.failures += 1;
        if self.failures == 1 && trouble.kind != Kind::Gone {
            tracing::warn!("job {}: {}", self.parts.job, trouble.words);
        }
        self.failed = Some((trouble, Instant::now() + pause));
    }

    async fn ensure(&mut self, asks: &Asks) -> Result<(), Trouble> {
        let door = self.parts.home.upgrade().and_then(|home| home.door(&self.parts.job));
        let Some(door) = door else {
            return Err(Trouble { kind: Kind::Refused, words: "The job has no port at which its pods could reach the queue.".to_owned() });
        };
        let made = asks.ensure(&self.parts.params, door.address).await?;
        self.state.exists = true;
        if let Some(home) = self.parts.home.upgrade() {
            home.made(&self.parts.job, &self.parts.namespace, &made.uid);
        }
        self.state.parallelism = Some(made.parallelism);
        self.made = Some(made);
        Ok(())
    }

    async fn look(&mut self, asks: &Asks) -> Result<(), Trouble> {
        let (active, ready) = asks.look().await?;
        self.state.controller = Some(Controller { active, ready, at: Instant::now() });
        Ok(())
    }

    async fn scale(&mut self, asks: &Asks, to: usize, nudge: bool) -> Result<(), Trouble> {
        let Some(made) = self.made.clone() else {
            self.state.exists = false;
            return Ok(());
        };
        let before = self.state.parallelism;
        self.nudges += u64::from(nudge);
        match asks.scale(&made, to, (0 < self.nudges).then_some(self.nudges)).await {
            Ok(parallelism) => {
                if before.is_none_or(|before| before < parallelism) {
                    self.raised_at = now_ms();
                }
                let now = Instant::now();
                if before.is_none_or(|before| parallelism < before) {
                    self.state.lowered_at = Some(now);
                }
                self.state.parallelism = Some(parallelism);
                self.state.scaled_at = Some(now);
                Ok(())
            }
            Err(trouble) => {
                // It may be deleted or over, or have heard it all the same: it is looked at anew.
                (self.made, self.state.exists, self.state.parallelism) = (None, false, None);
                Err(trouble)
            }
        }
    }

    async fn ask_pods(&self, asks: &Arc<Asks>, steps: Vec<Step>) -> Vec<(Step, Result<Option<Seen>, Trouble>)> {
        let questions = steps.into_iter().filter_map(|step| {
            let (Step::Claim { uid, .. } | Step::Gate { uid, .. } | Step::Resize { uid, .. } | Step::Delete { uid, .. }) = &step else {
                return None;
            };
            let pod = self.state.pods.get(uid)?.clone();
            let replica = if let Step::Claim { replica, .. } = &step { self.replica(*replica) } else { String::new() };
            let asks = Arc::clone(asks);
            Some(async move {
                let answer = match &step {
                    Step::Claim { .. } => asks.claim(&pod, &replica).await,
                    Step::Gate { on, .. } => asks.gate(&pod, *on).await,
                    Step::Resize { millicores, .. } => asks.resize(&pod, *millicores).await,
                    Step::Delete { grace_s, .. } => asks.delete(&pod, *grace_s).await,
                    Step::Ensure | Step::Scale { .. } | Step::Look => Ok(None),
                };
                (step, answer)
            })
        });
        let questions: Vec<_> = questions.collect();
        stream::iter(questions).buffer_unordered(ABREAST).collect().await
    }

    /// A pod that was on its way out already has been told to make haste.
    fn hurried(&mut self, uid: &str) {
        let member = self.state.members.values_mut().find(|member| member.pod.as_deref() == Some(uid));
        if let Some(ending) = member.and_then(|member| member.ending.as_mut()).filter(|ending| ending.leaving_since.is_some()) {
            ending.hurried = true;
        }
    }

    /// Removes the Job and waits for the end of its pods. `None` when it is done.
    pub(super) async fn sweep(&mut self, now: Instant) -> Option<Duration> {
        let asks = match self.asks().await {
            Ok(asks) => asks,
            Err(trouble) => {
                self.fail(trouble);
                return Some(PAUSES.0);
            }
        };
        let sweep = self.sweeping.as_mut()?;
        if !sweep.removed {
            if let Err(trouble) = asks.remove().await {
                self.fail(trouble);
                return Some(PAUSES.0);
            }
            sweep.removed = true;
            (self.failed, self.failures, self.away_since) = (None, 0, None);
            (self.made, self.state.exists, self.state.parallelism) = (None, false, None);
        }
        let since = sweep.since;
        let mut left: Vec<Seen> = self.state.pods.values().filter(|pod| pod.ended.is_none()).cloned().collect();
        if !self.state.listed {
            return Some(PAUSES.1);
        }
        if left.is_empty() {
            let swept = self.sweeping.take()?;
            for answer in swept.answers {
                // Who asked may have given up.
                let _ = answer.send(swept.pods);
            }
            self.finished = self.state.members.is_empty();
            return None;
        }
        if SWEPT_WITHIN <= now.duration_since(since) {
            // Once each: those that leave have a grace that may be long.
            left.sort_by_key(|pod| pod.created_at);
            for pod in left {
                match asks.delete(&pod, 1).await {
                    Ok(pod) => pod.into_iter().for_each(|pod| self.see(pod)),
                    Err(trouble) if trouble.kind == Kind::Refused => tracing::warn!("pod {} is waited for: {}", pod.name, trouble.words),
                    Err(trouble) => tracing::debug!("pod {}: {}", pod.name, trouble.words),
                }
            }
        }
        Some(SWEPT_WITHIN)
    }
}
