//! Where the cluster is and how its pods reach this server: from the command line, the environment or a kubeconfig.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use clap::Args;
use kube::config::{Config, KubeConfigOptions, Kubeconfig, KubeconfigError};

/// Mounted into every pod that may talk to its cluster.
const IN_CLUSTER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// By which every pod of a cluster calls its API server.
pub(super) const IN_CLUSTER_SERVER: &str = "https://kubernetes.default.svc";

#[derive(Debug, Clone, Default, Args)]
pub struct ClusterSettings {
    /// Kubeconfig of the cluster for the platform kubejobs. Without it: KUBECONFIG, ~/.kube/config, or the cluster
    /// that this server itself is a pod of.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Namespace of Kubernetes Jobs whose submission names none. Without it: that of the kubeconfig.
    #[arg(long, env = "ASPERATHOS_NAMESPACE")]
    pub namespace: Option<String>,
    /// Address of this machine at which pods reach their job's queue; each job has a port of its own there.
    #[arg(long, env = "ASPERATHOS_PODS_LISTEN", value_name = "ADDRESS")]
    pub pods_listen: Option<IpAddr>,
}

impl ClusterSettings {
    /// The namespace of jobs that name none.
    ///
    /// # Errors
    /// One sentence that says what is missing for jobs on a cluster, and how to mend it.
    pub fn ready(&self) -> Result<String, String> {
        let from_file = match self.file()? {
            Some(config) => context_namespace(&config)?,
            None => in_cluster_namespace(),
        };
        reachable(self.pods_listen)?;
        Ok(self.namespace.clone().or(from_file).unwrap_or_else(|| "default".to_owned()))
    }

    /// The address of the API server, where it is known.
    pub fn server(&self) -> Option<String> {
        let Some(config) = self.file().ok()? else { return Some(IN_CLUSTER_SERVER.to_owned()) };
        let current = config.current_context?;
        let context = config.contexts.into_iter().find(|named| named.name == current)?.context?;
        config.clusters.into_iter().find(|named| named.name == context.cluster)?.cluster?.server
    }

    /// The kubeconfig to use; `None` when this server is a pod of its cluster.
    fn file(&self) -> Result<Option<Kubeconfig>, String> {
        if let Some(file) = &self.kubeconfig {
            let read = Kubeconfig::read_from(file);
            return read.map(Some).map_err(|error| format!("The kubeconfig {} cannot be used: {}.", file.display(), unread(&error)));
        }
        match Kubeconfig::read() {
            Ok(config) => Ok(Some(config)),
            Err(_) if is_in_cluster() => Ok(None),
            Err(_) if std::env::var_os("KUBECONFIG").is_none() => {
                Err("This server knows no cluster; start it with --kubeconfig FILE, or choose the platform local.".to_owned())
            }
            Err(error) => Err(format!("The kubeconfig that KUBECONFIG names cannot be used: {}.", unread(&error))),
        }
    }

    /// How to talk to the cluster.
    ///
    /// # Errors
    /// As `ready`.
    pub(super) async fn config(&self) -> Result<Config, String> {
        match self.file()? {
            Some(file) => Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                .await
                .map_err(|error| format!("The kubeconfig cannot be used: {}.", unread(&error))),
            None => Config::incluster().map_err(|error| format!("The cluster of this server cannot be used: {error}.")),
        }
    }
}

/// A parser shows the line that it stumbles over, and that line may be a token.
fn unread(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::ReadConfig(cause, _) => cause.to_string(),
        _ => "it is no kubeconfig, which is YAML or JSON".to_owned(),
    }
}

/// Whether pods can reach this server at an address, as far as that can be told.
///
/// # Errors
/// One sentence that says what to do.
pub(super) fn reachable(pods_listen: Option<IpAddr>) -> Result<(), String> {
    match pods_listen {
        None => Err("This server has no address at which pods could reach their queue; start it with --pods-listen ADDRESS.".to_owned()),
        Some(address) if address.is_loopback() || address.is_unspecified() => {
            Err(format!("Pods cannot reach {address}; start the server with --pods-listen and an address of this machine that they can."))
        }
        Some(_) => Ok(()),
    }
}

/// Whether this server is a pod that may talk to its cluster.
pub(super) fn is_in_cluster() -> bool {
    Path::new(IN_CLUSTER).join("token").is_file()
}

pub(super) fn in_cluster_namespace() -> Option<String> {
    std::fs::read_to_string(Path::new(IN_CLUSTER).join("namespace")).ok().map(|name| name.trim().to_owned())
}

pub(super) fn context_namespace(config: &Kubeconfig) -> Result<Option<String>, String> {
    let Some(current) = &config.current_context else {
        return Err("The kubeconfig has no current-context; choose one with kubectl config use-context.".to_owned());
    };
    let Some(named) = config.contexts.iter().find(|named| named.name == *current) else {
        return Err(format!("The kubeconfig has no context {current:?}, which is its current one."));
    };
    Ok(named.context.as_ref().and_then(|context| context.namespace.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(yaml: &str) -> (tempfile::NamedTempFile, ClusterSettings) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), yaml).unwrap();
        let settings =
            ClusterSettings { kubeconfig: Some(file.path().to_owned()), namespace: None, pods_listen: Some("10.88.0.1".parse().unwrap()) };
        (file, settings)
    }

    const GOOD: &str = "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: c, user: u, namespace: batch}}]\n\
        clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\nusers: [{name: u, user: {}}]\n";

    #[test]
    fn the_namespace_is_that_of_the_settings_or_of_the_context() {
        let (_file, mut settings) = settings(GOOD);
        assert_eq!(settings.ready().unwrap(), "batch");
        settings.namespace = Some("other".to_owned());
        assert_eq!(settings.ready().unwrap(), "other");
    }

    #[test]
    fn what_is_missing_is_said_in_one_sentence() {
        let (_file, mut settings) = settings(GOOD);
        settings.pods_listen = None;
        assert!(settings.ready().unwrap_err().contains("--pods-listen"));
        settings.pods_listen = Some("127.0.0.1".parse().unwrap());
        assert!(settings.ready().unwrap_err().contains("cannot reach 127.0.0.1"));
        settings.kubeconfig = Some("/no/such/file".into());
        assert!(settings.ready().unwrap_err().contains("/no/such/file"));
        let (_bad, settings) = self::settings("apiVersion: [");
        assert!(settings.ready().unwrap_err().contains("cannot be used"));
        let (_bare, settings) = self::settings("apiVersion: v1\nkind: Config\n");
        assert!(settings.ready().unwrap_err().contains("current-context"));
    }
}
