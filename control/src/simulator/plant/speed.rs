//! How fast replicas work now. All work at the same speed, so one counter of work done tells them all when they
//! are through: work is done when the counter stands where it stood at its begin plus its length.

use super::World;

#[derive(Debug)]
pub struct Speed {
    /// Seconds of work at speed 1 that a replica which never paused would have done.
    work: f64,
    base: f64,
    cores: Option<f64>,
    busy: i64,
    /// Of both.
    now: f64,
    changes: Vec<(f64, f64)>,
    next: usize,
}

impl Speed {
    pub fn new(world: &World) -> Self {
        let mut this = Self { work: 0.0, base: 1.0, cores: world.cores, busy: 0, now: 1.0, changes: world.speed.clone(), next: 0 };
        while this.next_change_s() <= 0.0 {
            this.change();
        }
        this
    }

    pub fn next_change_s(&self) -> f64 {
        self.changes.get(self.next).map_or(f64::INFINITY, |(at_s, _)| *at_s)
    }

    pub fn change(&mut self) {
        self.base = self.changes[self.next].1;
        self.next += 1;
        self.join();
    }

    /// More or fewer replicas work at once.
    pub fn busy(&mut self, change: i64) {
        self.busy += change;
        self.join();
    }

    fn join(&mut self) {
        let share = match self.cores {
            Some(cores) if cores < self.busy as f64 => cores / self.busy as f64,
            _ => 1.0,
        };
        self.now = self.base * share;
    }

    pub fn pass(&mut self, seconds: f64) {
        self.work += seconds * self.now;
    }

    /// Where the counter will stand when an item that begins now is done.
    pub fn after(&self, item_s: f64) -> f64 {
        self.work + item_s
    }

    /// When the counter stands there, at the speed of now.
    pub fn when(&self, work: f64, now_s: f64) -> f64 {
        // At speed 0 never; and a rounding must not turn time back.
        if self.now > 0.0 { now_s + ((work - self.work) / self.now).max(0.0) } else { f64::INFINITY }
    }

    /// Stands exactly there: no rounding adds up over many items.
    pub fn stand(&mut self, work: f64) {
        self.work = work;
    }
}
