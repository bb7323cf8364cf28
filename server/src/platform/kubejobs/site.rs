//! A cluster with what is watched and measured there for all of its jobs, made when the first one needs it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use super::{cluster::Cluster, clusters::Clusters, events::Events, usage::Meter, watch::Watches};
use crate::lock::lock;

pub struct Site {
    pub cluster: Cluster,
    pub watches: Watches,
    pub meter: Meter,
    pub events: Events,
}

/// By the name of the cluster, those that jobs are on.
pub struct Sites {
    clusters: Clusters,
    /// The label by which a pod is its job's.
    label: &'static str,
    known: Mutex<HashMap<Option<String>, Arc<Site>>>,
}

impl Sites {
    pub fn new(clusters: Clusters, label: &'static str) -> Self {
        Self { clusters, label, known: Mutex::default() }
    }

    /// The site of a job. A cluster that was taken away and added again is another one.
    pub fn of(&self, cluster_name: &Option<String>) -> Arc<Site> {
        let cluster = self.clusters.of_job(cluster_name.as_deref());
        let mut known = lock(&self.known);
        if let Some(site) = known.get(cluster_name).filter(|site| site.cluster.is(&cluster)) {
            return Arc::clone(site);
        }
        let (watches, meter) = (Watches::new(cluster.clone(), self.label), Meter::new(cluster.clone()));
        let events = Events::new(cluster.clone());
        let site = Arc::new(Site { cluster, watches, meter, events });
        known.insert(cluster_name.clone(), Arc::clone(&site));
        site
    }
}
