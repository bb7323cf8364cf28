//! The simulated job: items that wait, replicas that work on them, and what befalls both. It knows no tick: it
//! goes from event to event, and whoever asks sees it at any moment in between.

mod agenda;
mod observe;
mod replicas;
mod speed;

use std::collections::VecDeque;

use agenda::{Agenda, What};
use replicas::{Phase, Replicas};
use speed::Speed;

use super::random::{Random, Stream};
use super::scenario::ScaleInSpec;
use super::world::World;
use crate::observation::{Completion, ReplicaId};

pub struct Plant<'a> {
    world: &'a World,
    now_s: f64,
    speed: Speed,
    agenda: Agenda,
    replicas: Replicas,
    /// Next item that nobody had yet.
    fresh: usize,
    /// Items that came back; they go first.
    returned: VecDeque<u32>,
    /// Items whose replica was killed, until their lease is over.
    leased: u64,
    done: u64,
    /// Replicas asked for.
    asked: u32,
    /// Most that there can be now.
    cap: Option<u32>,
    next_cap: usize,
    /// Asked for, and not true yet: when, how many, and who goes first.
    moves: VecDeque<(f64, u32, Vec<ReplicaId>)>,
    startup: Random,
    crash: Random,
    completions: Vec<Completion>,
    /// Whoever never looks needs none.
    keeps_completions: bool,
    pub tally: Tally,
}

/// What is counted on the way.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// How many replicas there were from when on, starting and draining ones too.
    pub history: Vec<(f64, u32)>,
    /// Seconds in which items were worked on to their end.
    pub service_s: f64,
    /// Start-ups of the replicas that were there from the first second.
    pub first_startups_s: f64,
    /// Seconds of work that a scale-in threw away, and on how many items.
    pub lost_work_s: f64,
    pub items_lost: u64,
    pub crashes: u64,
    /// Seconds of work that crashes and missing capacity threw away.
    pub crash_lost_work_s: f64,
}

impl<'a> Plant<'a> {
    /// At its start, with so many replicas asked for.
    pub fn new(world: &'a World, initial: u32) -> Self {
        let mut this = Self {
            world,
            now_s: 0.0,
            speed: Speed::new(world),
            agenda: Agenda::default(),
            replicas: Replicas::default(),
            fresh: 0,
            returned: VecDeque::new(),
            leased: 0,
            done: 0,
            asked: initial,
            cap: None,
            next_cap: 0,
            moves: VecDeque::new(),
            startup: Random::new(world.seed, Stream::Startup),
            crash: Random::new(world.seed, Stream::Crash),
            completions: Vec::new(),
            keeps_completions: true,
            tally: Tally::default(),
        };
        this.next_caps();
        this.replenish();
        this
    }

    /// A plant that nobody looks at but for its end.
    pub fn unseen(world: &'a World, initial: u32) -> Self {
        Self { keeps_completions: false, ..Self::new(world, initial) }
    }

    pub fn now_s(&self) -> f64 {
        self.now_s
    }

    pub fn done(&self) -> u64 {
        self.done
    }

    pub fn total(&self) -> u64 {
        self.world.items_s.len() as u64
    }

    pub fn ended(&self) -> bool {
        self.done == self.total()
    }

    pub fn asked(&self) -> u32 {
        self.asked
    }

    /// When items were done, of those that nobody has seen yet.
    pub fn take_ends_ms(&mut self) -> Vec<u64> {
        self.completions.drain(..).filter_map(|completion| completion.at_ms).collect()
    }

    /// Asks for so many replicas. The named ones go first; when they do not suffice, idle ones do.
    pub fn ask(&mut self, to: u32, first: Vec<ReplicaId>) {
        let due_s = self.now_s + self.world.actuation_delay_s;
        self.moves.push_back((due_s, to, first));
    }

    /// Something was asked for that is not true yet.
    pub fn moves_wait(&self) -> bool {
        !self.moves.is_empty()
    }

    /// Goes on to a moment, or to the job's end when that is earlier. What was asked for and came true on the
    /// way goes into `moved`.
    pub fn advance(&mut self, to_s: f64, moved: &mut Vec<(f64, u32)>) {
        while !self.ended() {
            let completion_s = self.agenda.next_completion(&self.replicas).map_or(f64::INFINITY, |at| self.speed.when(at, self.now_s));
            let event_s = self.agenda.next_event_s();
            let move_s = self.moves.front().map_or(f64::INFINITY, |(due_s, ..)| *due_s);
            let cap_s = self.world.available.get(self.next_cap).map_or(f64::INFINITY, |(at_s, _)| *at_s);
            let speed_s = self.speed.next_change_s();
            let next_s = completion_s.min(event_s).min(move_s).min(cap_s).min(speed_s);
            if next_s > to_s {
                break;
            }
            self.pass_to(next_s);
            // Of what falls on one moment, ends come first: who looks then sees the item done.
            if completion_s == next_s {
                self.complete();
            } else if event_s == next_s {
                self.happen();
            } else if speed_s == next_s {
                self.speed.change();
            } else if cap_s == next_s {
                self.next_caps();
                self.curtail();
                self.replenish();
            } else if let Some((_, to, first)) = self.moves.pop_front() {
                self.come_true(to, &first);
                moved.push((self.now_s, to));
            }
        }
        if !self.ended() && self.now_s < to_s {
            self.pass_to(to_s);
        }
    }

    fn pass_to(&mut self, at_s: f64) {
        self.speed.pass(at_s - self.now_s);
        self.now_s = at_s;
    }

    fn complete(&mut self) {
        let Some(slot) = self.agenda.pop_completion(&mut self.speed) else { return };
        let replica = &mut self.replicas.slots[slot];
        let service_s = self.now_s - replica.began_s;
        self.done += 1;
        self.tally.service_s += service_s;
        if self.keeps_completions {
            let at_ms = Some(millis(self.now_s));
            self.completions.push(Completion { service_ms: service_s * 1000.0, replica: Some(replica.id.clone()), at_ms });
        }
        if replica.phase == Phase::Draining {
            self.end(slot);
        } else {
            replica.phase = Phase::Idle;
            self.speed.busy(-1);
            self.work(slot);
        }
    }

    fn happen(&mut self) {
        let Some((what, slot, ordinal)) = self.agenda.pop_event() else { return };
        if let What::LeaseOver(item) = what {
            self.leased -= 1;
            self.give_back(item);
            return;
        }
        // The replica may have gone before.
        if self.replicas.slots[slot].ordinal != ordinal || self.replicas.slots[slot].phase == Phase::Gone {
            return;
        }
        match what {
            What::Ready => {
                self.replicas.slots[slot].phase = Phase::Idle;
                self.work(slot);
            }
            What::Crash => {
                self.tally.crashes += 1;
                self.lose(slot);
                self.replenish();
            }
            What::GraceOver => self.kill(slot, None),
            What::LeaseOver(_) => {}
        }
    }

    /// Gives an idle replica its next item, if one waits.
    fn work(&mut self, slot: usize) {
        let item = match self.returned.pop_front() {
            Some(item) => item,
            None if self.fresh < self.world.items_s.len() => {
                self.fresh += 1;
                u32::try_from(self.fresh - 1).unwrap_or(u32::MAX)
            }
            None => return,
        };
        let replica = &mut self.replicas.slots[slot];
        replica.phase = Phase::Busy;
        replica.item = item;
        replica.began_s = self.now_s;
        replica.run = self.agenda.complete_at(self.speed.after(self.world.items_s[item as usize]), slot);
        self.speed.busy(1);
    }

    fn give_back(&mut self, item: u32) {
        self.returned.push_front(item);
        if let Some(slot) = self.replicas.idle() {
            self.work(slot);
        }
    }

    /// Makes an allocation true.
    fn come_true(&mut self, to: u32, first: &[ReplicaId]) {
        self.asked = to;
        let mut surplus = self.replicas.staying().saturating_sub(to);
        for id in first {
            if surplus == 0 {
                break;
            }
            if let Some(slot) = self.replicas.find_staying(id) {
                self.scale_in(slot);
                surplus -= 1;
            }
        }
        while 0 < surplus {
            let Some(slot) = self.replicas.least_useful() else { break };
            self.scale_in(slot);
            surplus -= 1;
        }
        self.replenish();
    }

    fn scale_in(&mut self, slot: usize) {
        if self.replicas.slots[slot].phase != Phase::Busy {
            self.end(slot);
            return;
        }
        match self.world.scale_in {
            ScaleInSpec::Kill { lease_s } => self.kill(slot, Some(lease_s)),
            ScaleInSpec::Drain { grace_s } => {
                self.replicas.drain(slot);
                if let Some(grace_s) = grace_s {
                    self.agenda.at(self.now_s + grace_s, What::GraceOver, slot, self.replicas.slots[slot].ordinal);
                }
            }
        }
    }

    /// Ends a replica in mid-item by our own doing. The item comes back after its lease, or at once.
    fn kill(&mut self, slot: usize, lease_s: Option<f64>) {
        let replica = &self.replicas.slots[slot];
        let item = replica.item;
        self.tally.items_lost += 1;
        self.tally.lost_work_s += self.now_s - replica.began_s;
        self.end(slot);
        if let Some(lease_s) = lease_s {
            self.leased += 1;
            self.agenda.at(self.now_s + lease_s, What::LeaseOver(item), 0, 0);
        } else {
            self.give_back(item);
        }
    }

    /// Ends a replica by what befalls it; what it held comes back at once.
    fn lose(&mut self, slot: usize) {
        let replica = &self.replicas.slots[slot];
        let held = matches!(replica.phase, Phase::Busy | Phase::Draining).then_some((replica.item, replica.began_s));
        self.end(slot);
        if let Some((item, began_s)) = held {
            self.tally.crash_lost_work_s += self.now_s - began_s;
            self.give_back(item);
        }
    }

    fn end(&mut self, slot: usize) {
        if matches!(self.replicas.slots[slot].phase, Phase::Busy | Phase::Draining) {
            self.speed.busy(-1);
        }
        self.replicas.remove(slot);
        self.note();
    }

    fn next_caps(&mut self) {
        while let Some((at_s, cap)) = self.world.available.get(self.next_cap)
            && *at_s <= self.now_s
        {
            self.cap = Some(*cap);
            self.next_cap += 1;
        }
    }

    /// Capacity went away: the newest replicas go with it.
    fn curtail(&mut self) {
        let cap = self.cap.map_or(usize::MAX, |cap| cap as usize);
        while cap < self.replicas.live.len() {
            let Some(slot) = self.replicas.live.last().copied() else { break };
            self.lose(slot);
        }
    }

    /// Starts what is asked for and not there, as far as there is capacity.
    fn replenish(&mut self) {
        let cap = self.cap.map_or(usize::MAX, |cap| cap as usize);
        while self.replicas.staying() < self.asked && self.replicas.live.len() < cap {
            let ordinal = self.replicas.next_ordinal();
            let startup_s = self.world.startup_s.draw(usize::try_from(ordinal).unwrap_or(usize::MAX), &mut self.startup);
            if self.now_s == 0.0 {
                self.tally.first_startups_s += startup_s;
            }
            let slot = self.replicas.add(self.now_s);
            self.agenda.at(self.now_s + startup_s, What::Ready, slot, ordinal);
            if 0.0 < self.world.crash_per_s {
                let life_s = self.crash.exponential() / self.world.crash_per_s;
                self.agenda.at(self.now_s + life_s, What::Crash, slot, ordinal);
            }
        }
        self.note();
    }

    /// Several changes at one moment are one.
    fn note(&mut self) {
        let count = u32::try_from(self.replicas.live.len()).unwrap_or(u32::MAX);
        match self.tally.history.last_mut() {
            Some(last) if last.0 == self.now_s => last.1 = count,
            Some(last) if last.1 == count => {}
            _ => self.tally.history.push((self.now_s, count)),
        }
    }
}

/// Nearest whole number of milliseconds; a cast saturates.
pub(super) fn millis(seconds: f64) -> u64 {
    (seconds * 1000.0 + 0.5) as u64
}
