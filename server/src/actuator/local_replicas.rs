//! Replicas, whatever they are: more are started, fewer are starved, drained and then ended.

use control::plugin::Plugin;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, ActuatorError, ActuatorPlugin, Scalable};

pub struct LocalReplicas;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// How long a replica that was chosen to go may finish the item it holds.
    #[garde(range(min = 0.0, max = 3600.0))]
    #[schemars(range(min = 0.0, max = 3600.0), extend("x-unit" = "s", "x-step" = 5.0))]
    pub drain_s: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self { drain_s: 120.0 }
    }
}

impl Plugin for LocalReplicas {
    const KIND: &'static str = "local_replicas";
    const TITLE: &'static str = "Replicas";
    const ABOUT: &'static str = "Starts more of them, and drains those that are to go: processes of this machine, or pods.";
    type Params = Params;
}

impl ActuatorPlugin for LocalReplicas {
    fn build(params: Params) -> Box<dyn Actuator> {
        Box::new(params)
    }
}

impl Actuator for Params {
    fn move_to(&mut self, to: u32, job: &mut dyn Scalable) -> Result<u32, ActuatorError> {
        job.want(to, self.drain_s);
        Ok(to)
    }
}
