//! What moves the replicas of a simulated job: a control loop, or somebody else's rule in its place.

use crate::control_loop::{ControlLoop, Effect, Input};
use crate::observation::Observation;

pub trait Driver {
    /// One look at the job.
    fn seen(&mut self, seen: &Observation) -> Vec<Effect>;

    /// Anything else that a loop is told.
    fn told(&mut self, input: Input) -> Vec<Effect>;
}

impl Driver for ControlLoop {
    fn seen(&mut self, seen: &Observation) -> Vec<Effect> {
        self.handle(Input::Seen(seen.clone()))
    }

    fn told(&mut self, input: Input) -> Vec<Effect> {
        self.handle(input)
    }
}
