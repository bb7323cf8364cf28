//! All clusters that jobs can name, and the server's own. Cheap to clone; all clones are one.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use kube::config::Kubeconfig;

use super::{
    cluster::{Cluster, Standing},
    kubeconfig,
    settings::{self, ClusterSettings},
    way::{Added, By, Way},
};
use crate::lock::lock;

/// How the server's own cluster is called where a name is needed.
pub const OWN: &str = "default";

#[derive(Clone)]
pub struct Clusters(Arc<Inner>);

struct Inner {
    pods_listen: Option<IpAddr>,
    own: Cluster,
    added: Mutex<BTreeMap<String, Cluster>>,
}

/// A cluster to add, or another way to one that is there: checked, and not yet known to anybody.
pub struct Entry {
    by: By,
    namespace: Option<String>,
    pods_listen: Option<IpAddr>,
}

impl Clusters {
    pub fn new(own: ClusterSettings) -> Self {
        let pods_listen = own.pods_listen;
        Self::of(Cluster::new(Way::Started(own)), pods_listen)
    }

    pub fn of(own: Cluster, pods_listen: Option<IpAddr>) -> Self {
        Self(Arc::new(Inner { pods_listen, own, added: Mutex::default() }))
    }

    /// Adds a cluster, or changes the way to it. Its jobs go on by the new one.
    pub async fn put(&self, name: &str, entry: Entry) {
        let Entry { by, namespace, pods_listen } = entry;
        let way = Way::Added(Added { by, namespace, pods_listen: pods_listen.or(self.0.pods_listen) });
        let known = lock(&self.0.added).get(name).cloned();
        match known {
            Some(known) => known.renew(way).await,
            None => drop(lock(&self.0.added).insert(name.to_owned(), Cluster::new(way))),
        }
    }

    pub fn remove(&self, name: &str) {
        if let Some(cluster) = lock(&self.0.added).remove(name) {
            cluster.remove();
        }
    }

    pub fn names(&self) -> Vec<String> {
        lock(&self.0.added).keys().cloned().collect()
    }

    /// The namespace of jobs on it that name none.
    ///
    /// # Errors
    /// A sentence that says what is missing; `None` when there is no such cluster.
    pub fn ready(&self, name: Option<&str>) -> Option<Result<String, String>> {
        self.find(name).map(|cluster| cluster.way().ready())
    }

    pub(super) fn find(&self, name: Option<&str>) -> Option<Cluster> {
        match name {
            None => Some(self.0.own.clone()),
            Some(name) => lock(&self.0.added).get(name).cloned(),
        }
    }

    /// The cluster of a job, be it that it is none that anybody knows.
    pub(super) fn of_job(&self, name: Option<&str>) -> Cluster {
        self.find(name).unwrap_or_else(|| {
            let why = format!("There is no cluster {:?} any more. An administrator can add it again.", name.unwrap_or_default());
            Cluster::new(Way::Added(Added { by: By::Nothing(why), namespace: None, pods_listen: self.0.pods_listen }))
        })
    }

    /// What is known of one, after a try where `asked`.
    pub async fn standing(&self, name: Option<&str>, asked: bool) -> Option<Standing> {
        let cluster = self.find(name)?;
        Some(if asked { cluster.try_out().await } else { cluster.standing() })
    }

    /// As `standing`, asking only those of whom nothing was heard for so long.
    pub async fn recent(&self, name: Option<&str>, within: Duration) -> Option<Standing> {
        let known = self.standing(name, false).await?;
        let fresh = known.version.is_some() && known.trouble.is_none() && known.age.is_some_and(|age| age < within);
        self.standing(name, !fresh).await
    }
}

impl Entry {
    /// By a kubeconfig, or as a pod of it. Answers also with what is to be kept secret; nothing for a pod.
    ///
    /// # Errors
    /// All that is wrong, in sentences that quote nothing.
    pub async fn checked(text: Option<&str>, context: Option<&str>) -> Result<(Self, Option<Vec<u8>>), Vec<String>> {
        let Some(text) = text else {
            if !settings::is_in_cluster() {
                return Err(vec!["this server is no pod of a cluster: give a kubeconfig instead".to_owned()]);
            }
            return Ok((Self::by(By::InCluster), None));
        };
        let config = kubeconfig::checked(text, context).await?;
        let secret = serde_json::to_vec(&config).map_err(|_| vec!["cannot be kept".to_owned()])?;
        Ok((Self::by(By::Kubeconfig(Box::new(config))), Some(secret)))
    }

    /// As it was kept; `None` for a pod.
    pub fn kept(secret: Option<&[u8]>) -> Self {
        let Some(secret) = secret else { return Self::by(By::InCluster) };
        let read = std::str::from_utf8(secret).ok().and_then(|text| Kubeconfig::from_yaml(text).ok());
        let damaged = || By::Nothing("What is kept of its kubeconfig is damaged. Give it anew: asperathos cluster update.".to_owned());
        Self::by(read.map_or_else(damaged, |config| By::Kubeconfig(Box::new(config))))
    }

    /// One that cannot be used, and why, in whole sentences.
    pub fn unusable(why: String) -> Self {
        Self::by(By::Nothing(why))
    }

    fn by(by: By) -> Self {
        Self { by, namespace: None, pods_listen: None }
    }

    #[must_use]
    pub fn with(self, namespace: Option<String>, pods_listen: Option<IpAddr>) -> Self {
        Self { namespace, pods_listen, ..self }
    }

    /// The address of the API server.
    pub fn server(&self) -> Option<String> {
        Way::Added(Added { by: self.by.clone(), namespace: None, pods_listen: None }).server()
    }
}
