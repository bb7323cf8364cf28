//! Settings of the server, from the command line or the environment, and the folders that follow from them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::platform::ClusterSettings;

/// What happens to replicas when the server is stopped by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnExit {
    /// They work on and are adopted at the next start.
    Leave,
    /// They are ended, their items go back, and the next start begins them anew.
    Suspend,
}

#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Where everything is kept: jobs, queues, samples, logs.
    #[arg(long, env = "ASPERATHOS_DATA", default_value = "data")]
    pub data: PathBuf,
    /// Address of the pages and the API. Anything but loopback needs --allow-remote.
    #[arg(long, env = "ASPERATHOS_LISTEN", default_value = "127.0.0.1:1500")]
    pub listen: SocketAddr,
    /// Folder of the browser part.
    #[arg(long, env = "ASPERATHOS_SITE", default_value = "target/site")]
    pub site: PathBuf,
    /// Let other machines connect. Whoever signs in can run commands here: put TLS and a firewall in front.
    #[arg(long, env = "ASPERATHOS_ALLOW_REMOTE")]
    pub allow_remote: bool,
    /// Host names, besides localhost and the listen address, under which pages may be asked for.
    #[arg(long, env = "ASPERATHOS_HOST", value_delimiter = ',')]
    pub host: Vec<String>,
    /// File that holds the API token for scripts, such as a mounted Secret. Without it one is made, and written to
    /// `admin.token` in the data folder.
    #[arg(long, env = "ASPERATHOS_ADMIN_TOKEN_FILE", value_name = "FILE")]
    pub admin_token_file: Option<PathBuf>,
    /// Lease of the cluster, [NAMESPACE/]NAME. Of servers that name the same one and the same data folder one leads,
    /// and another takes over when that one ends.
    #[arg(long, env = "ASPERATHOS_LEASE", value_name = "NAME")]
    pub lease: Option<String>,
    #[arg(long, value_enum, default_value_t = OnExit::Leave)]
    pub on_exit: OnExit,
    #[command(flatten)]
    pub cluster: ClusterSettings,
    /// File with the key by which kubeconfigs of added clusters are kept; made where it is not. Without it: one in the
    /// data folder.
    #[arg(long, env = "ASPERATHOS_KEY_FILE", value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}

impl Settings {
    pub fn database(&self) -> PathBuf {
        database(&self.data)
    }

    pub fn queues(&self) -> PathBuf {
        self.data.join("queue")
    }

    /// What only the server may read.
    pub fn secrets(&self) -> PathBuf {
        self.data.join("secrets")
    }

    /// By which what is encrypted in the database is opened.
    pub fn key_file(&self) -> PathBuf {
        self.key_file.clone().unwrap_or_else(|| self.secrets().join("key"))
    }

    pub fn uploads(&self) -> PathBuf {
        uploads(&self.data)
    }
}

/// Where uploaded workloads lie in a data folder.
pub fn uploads(data: &Path) -> PathBuf {
    data.join("uploads")
}

/// The SQLite file in a data folder.
pub fn database(data: &Path) -> PathBuf {
    data.join("asperathos.sqlite")
}

/// Where the administrator's API token is written, readable by its owner only.
pub fn admin_token_file(data: &Path) -> PathBuf {
    data.join("admin.token")
}
