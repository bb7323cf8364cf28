//! One second of a job: monitors read, loops decide, and one transaction stores all of it.

use std::collections::BTreeMap;
use std::time::Duration;

use app::ui::words::duration;
use control::job::Phase;
use control::live::{JobSummary, Mark, MarkKind};
use control::observation::{Completion, Hints, Items, Metric, Observation};

use app::backend::JobCommand;

use super::{JobError, Task};
use crate::clock::now_ms;
use crate::controller::{Moment, Outcome};
use crate::manager::replicas::old;
use crate::manager::{mark, summary};
use crate::monitor::Reading;
use crate::store::Tick;

/// A monitor that takes longer is treated as failed for this tick.
const MONITOR_TIME: Duration = Duration::from_millis(800);
/// Replicas that cannot be seen for a shorter time are no mark: a watch was cut and is there again.
const WORTH_A_MARK_MS: i64 = 2000;

impl Task {
    /// One second of the job: read, decide, store.
    pub(super) async fn tick(&mut self) -> Result<(), JobError> {
        let now = now_ms();
        let started = self.row.started_at.unwrap_or(now);
        let at_ms = u64::try_from(now - started).unwrap_or(0);
        let deadline_ms = u64::try_from(self.row.deadline_at - started).unwrap_or(0);
        let items = self.queue.counts();
        self.replicas.sample();
        let (metrics, blind) = self.read(at_ms, deadline_ms).await;
        let unseen = self.unseen(now);

        let mut outcome = Outcome::default();
        let mut loops = None;
        if std::mem::take(&mut self.retuned) {
            let views = self.shared.store.loops(&self.row.id).await?;
            self.loops.retune(&views, at_ms, now, &mut outcome);
            loops = Some(views);
        }
        if self.row.phase == Phase::Running && self.leaving.is_none() && items.left() > 0 {
            let seen = self.observe(now, (at_ms, deadline_ms), items, &metrics);
            let moment = Moment {
                wall_ms: now,
                seen,
                metrics: &metrics,
                blind: blind.as_deref(),
                unseen: unseen.as_deref(),
                wanted: self.replicas.wanted(),
            };
            outcome.join(self.loops.activate(&moment, &mut self.replicas));
            self.at_half.look(at_ms, items.done, items.total, &outcome);
            self.replicas.reconcile().await?;
            self.say_who_goes(&mut outcome.marks);
            if let Some(why) = outcome.give_up.take() {
                self.marks.push(mark(MarkKind::Failure, why));
                // Boxed, for what it enters is told by a tick.
                Box::pin(self.obey(JobCommand::Stop)).await?;
            }
        }
        self.store(now, metrics, outcome, loops).await
    }

    /// A decision for fewer says who was chosen to go.
    fn say_who_goes(&mut self, decided: &mut [Mark]) {
        let Some(said) = self.replicas.take_going() else { return };
        // Less CPU is a decision of fewer too, and lets nobody go.
        let lets_go =
            |mark: &Mark| mark.kind == MarkKind::Fewer && mark.loop_name.as_deref().is_none_or(|name| self.loops.moves_replicas(name));
        match decided.iter_mut().rev().find(|mark| lets_go(mark)) {
            Some(mark) => mark.text = format!("{} {said}", mark.text),
            None => self.marks.push(mark(MarkKind::Info, said)),
        }
    }

    /// Why no loop can decide now, when the platform cannot see the replicas; its beginning and its end are told.
    fn unseen(&mut self, now: i64) -> Option<String> {
        let Some(unseen) = self.replicas.unseen() else {
            if let Some((since, true)) = self.unseen_since.take() {
                let after = duration((now - since) as f64 / 1000.0);
                self.marks.push(mark(MarkKind::Info, format!("Replicas are seen again after {after}: loops decide.")));
            }
            return None;
        };
        let (since, told) = self.unseen_since.get_or_insert((now, false));
        if !*told && WORTH_A_MARK_MS <= now - *since {
            *told = true;
            self.marks.push(mark(MarkKind::Failure, format!("Loops are blind and hold. {}", unseen.why)));
        }
        Some(old(&unseen))
    }

    /// What every loop sees at this moment, but for its own metric.
    fn observe(&mut self, now: i64, (at_ms, deadline_ms): (u64, u64), items: Items, metrics: &BTreeMap<String, f64>) -> Observation {
        let seen = self.queue.services_seen();
        let fresh = seen.saturating_sub(std::mem::replace(&mut self.told_services, seen));
        let completions = self.queue.newest_services(fresh).into_iter();
        let (replicas, in_flight) = self.replicas.seen(now);
        let objective = self.row.spec.objective;
        Observation {
            deadline_ms: Some(deadline_ms),
            confidence: objective.confidence,
            hints: Hints { service_ms_mean: objective.service_s.map(|seconds| seconds * 1000.0), history: self.history },
            items,
            in_flight,
            completions: completions.map(|ms| Completion { service_ms: f64::from(ms), replica: None, at_ms: None }).collect(),
            replicas,
            allocation: Some(self.replicas.wanted()),
            bounds: self.row.spec.replicas,
            metrics: metrics.iter().map(|(name, value)| (name.as_str().into(), Metric { value: *value, age_ms: 0 })).collect(),
            ..Observation::at(at_ms)
        }
    }

    /// All monitors, each under its time limit. A failing one blinds the loops on its metrics, and so does a queue
    /// whose Redis is away.
    async fn read(&mut self, at_ms: u64, deadline_ms: u64) -> (BTreeMap<String, f64>, Option<String>) {
        let reading = Reading {
            at_ms,
            deadline_ms,
            items: self.queue.counts(),
            cpu: self.replicas.cpu(),
            memory_bytes: self.replicas.memory_bytes(),
            used: self.replicas.used(),
            measured: self.replicas.measured(),
            replicas: self.replicas.living(),
            replica_hours: self.replicas.hours(),
        };
        let mut metrics = BTreeMap::new();
        let mut blind = None;
        for monitor in &mut self.monitors {
            match tokio::time::timeout(MONITOR_TIME, monitor.read(&reading)).await {
                Ok(Ok(published)) => {
                    let sound = published.into_iter().filter(|(_, value)| value.is_finite());
                    metrics.extend(sound.map(|(name, value)| (name, to_nine_digits(value))));
                }
                Ok(Err(error)) => blind = Some(error.to_string()),
                Err(_) => blind = Some("a monitor did not answer in time".to_owned()),
            }
            self.marks.extend(monitor.note().map(|text| mark(MarkKind::Info, text)));
        }
        // Nothing moves while it is away: what would be decided now would be decided on stillness.
        if let Some(trouble) = self.queue.trouble() {
            blind = Some(trouble.to_string());
        }
        if blind.is_some() && !self.blind {
            self.marks.push(mark(MarkKind::Failure, format!("Blind: {}.", blind.as_deref().unwrap_or_default())));
        }
        self.blind = blind.is_some();
        (metrics, blind)
    }

    async fn store(
        &mut self,
        now: i64,
        metrics: BTreeMap<String, f64>,
        outcome: Outcome,
        loops: Option<Vec<control::live::LoopView>>,
    ) -> Result<(), JobError> {
        let counts = self.replicas.counts();
        let mut samples: Vec<(String, f64)> = metrics.into_iter().collect();
        samples.extend([
            ("wanted".to_owned(), f64::from(counts.wanted)),
            ("running".to_owned(), f64::from(counts.running)),
            ("starting".to_owned(), f64::from(counts.starting)),
            ("draining".to_owned(), f64::from(counts.draining)),
        ]);
        samples.extend(outcome.samples);
        let mut marks = std::mem::take(&mut self.marks);
        marks.extend(self.replicas.take_marks());
        marks.extend(outcome.marks);
        self.row.summary.has_output |= self.replicas.any();
        let mut summary = summary(&self.row, Some(&self.queue), counts);
        summary.untaken_since = untaken_since(&self.row.summary, &summary, now);
        self.row.summary.untaken_since = summary.untaken_since;
        self.row.summary.items = summary.items;
        if !self.row.phase.ended() {
            summary.reason = self.replicas.trouble();
            summary.foretold = outcome.foretold;
        }
        self.replicas.tell(&marks);
        let tick = Tick {
            job: self.row.id.clone(),
            at: now,
            summary,
            samples,
            memories: outcome.memories,
            recorded: outcome.recorded,
            marks,
            loops,
            replicas: self.replicas.views(),
        };
        self.shared.store.tick(tick).await?;
        Ok(())
    }
}

/// Since when replicas are there, items wait and nobody takes one, going on from the tick `before`.
fn untaken_since(before: &JobSummary, now: &JobSummary, at: i64) -> Option<i64> {
    // Quick items may be taken and done between two ticks: then fewer wait.
    let none_taken = now.items.processing == 0 && now.items.waiting == before.items.waiting;
    let could = now.phase == Phase::Running && now.items.waiting > 0 && now.replicas.running + now.replicas.starting > 0;
    (none_taken && could).then(|| before.untaken_since.unwrap_or(at))
}

/// No instrument measures more, and each digit costs a byte in every line of every recording.
fn to_nine_digits(value: f64) -> f64 {
    format!("{value:.8e}").parse().unwrap_or(value)
}
