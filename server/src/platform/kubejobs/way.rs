//! How one cluster is reached: by what this server was started with, by a kubeconfig that an administrator gave it, or
//! as a pod of that cluster.

use std::net::IpAddr;

use kube::config::{Config, KubeConfigOptions, Kubeconfig};

use super::settings::{self, ClusterSettings, IN_CLUSTER_SERVER};

/// Holds secrets, so it is never printed.
#[derive(Clone)]
pub enum Way {
    /// The server's own.
    Started(ClusterSettings),
    Added(Added),
}

/// A cluster that an administrator added.
#[derive(Clone)]
pub struct Added {
    pub by: By,
    /// Of jobs that name none; without it that of the kubeconfig.
    pub namespace: Option<String>,
    /// Address of this machine at which its pods reach their queue.
    pub pods_listen: Option<IpAddr>,
}

#[derive(Clone)]
pub enum By {
    Kubeconfig(Box<Kubeconfig>),
    /// This server is one of its pods.
    InCluster,
    /// Nothing, and why, in whole sentences.
    Nothing(String),
}

impl Way {
    /// The namespace of jobs that name none.
    ///
    /// # Errors
    /// One sentence that says what is missing for jobs on it, and how to mend it.
    pub fn ready(&self) -> Result<String, String> {
        let added = match self {
            Self::Started(settings) => return settings.ready(),
            Self::Added(added) => added,
        };
        let own = match &added.by {
            By::Kubeconfig(config) => settings::context_namespace(config)?,
            By::InCluster => settings::in_cluster_namespace(),
            By::Nothing(why) => return Err(why.clone()),
        };
        settings::reachable(added.pods_listen)?;
        Ok(added.namespace.clone().or(own).unwrap_or_else(|| "default".to_owned()))
    }

    pub fn pods_listen(&self) -> Option<IpAddr> {
        match self {
            Self::Started(settings) => settings.pods_listen,
            Self::Added(added) => added.pods_listen,
        }
    }

    /// The address of the API server, where it is known.
    pub fn server(&self) -> Option<String> {
        match self {
            Self::Started(settings) => settings.server(),
            Self::Added(Added { by: By::Kubeconfig(config), .. }) => config.clusters.first()?.cluster.as_ref()?.server.clone(),
            Self::Added(Added { by: By::InCluster, .. }) => Some(IN_CLUSTER_SERVER.to_owned()),
            Self::Added(Added { by: By::Nothing(_), .. }) => None,
        }
    }

    /// How to talk to it.
    ///
    /// # Errors
    /// As `ready`.
    pub async fn config(&self) -> Result<Config, String> {
        match self {
            Self::Started(settings) => settings.config().await,
            Self::Added(Added { by: By::Nothing(why), .. }) => Err(why.clone()),
            Self::Added(Added { by: By::InCluster, .. }) => {
                Config::incluster().map_err(|error| format!("The cluster of this server cannot be used: {error}."))
            }
            // What is wrong with its data was said when it was given; a cause could quote it.
            Self::Added(Added { by: By::Kubeconfig(config), .. }) => {
                let made = Config::from_custom_kubeconfig((**config).clone(), &KubeConfigOptions::default()).await;
                made.map_err(|_| "The kubeconfig cannot be used: its certificates or keys cannot be read.".to_owned())
            }
        }
    }
}
