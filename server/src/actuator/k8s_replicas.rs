//! Pods of a Kubernetes Job: its parallelism is raised; fewer are starved, drained, made not ready and then ended.
//! What `local_replicas` does, under the name that the original gave it.

use control::plugin::Plugin;

use super::local_replicas::{LocalReplicas, Params};
use super::{Actuator, ActuatorPlugin};

pub struct K8sReplicas;

impl Plugin for K8sReplicas {
    const KIND: &'static str = "k8s_replicas";
    const TITLE: &'static str = "Pods of a Job";
    const ABOUT: &'static str = "Raises the parallelism of the Kubernetes Job, and drains the pods that are to go before it falls.";
    type Params = Params;
}

impl ActuatorPlugin for K8sReplicas {
    fn build(params: Params) -> Box<dyn Actuator> {
        LocalReplicas::build(params)
    }
}
