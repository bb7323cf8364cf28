//! What moves the replicas of a simulated job: a control loop, or somebody else's rule in its place.

use crate::control_loop::{ControlLoop, Effect, Input};
use crate::observation::Observation;

pub trait Driver {
    /// One look at the job. What was seen is left as it came: the next look changes only what has changed.
    fn seen(&mut self, seen: &mut Observation) -> Vec<Effect>;

    /// Anything else that a loop is told.
    fn told(&mut self, input: Input) -> Vec<Effect>;
}

impl Driver for ControlLoop {
    fn seen(&mut self, seen: &mut Observation) -> Vec<Effect> {
        self.look(seen)
    }

    fn told(&mut self, input: Input) -> Vec<Effect> {
        self.handle(input)
    }
}
