//! `asperathos cluster …`: which clusters jobs can run on, asked of a running server and told to it.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::input::{self, InputError};
use super::remote::{Door, ReachError, Remote};

#[derive(Debug, Args)]
pub struct ClusterArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Add a cluster by a kubeconfig, or as the one that the server is a pod of.
    Add {
        /// The name by which jobs choose it.
        name: String,
        #[command(flatten)]
        way: Way,
        #[command(flatten)]
        remote: Remote,
    },
    /// Give a cluster another kubeconfig; its jobs go on by it.
    Update {
        name: String,
        #[command(flatten)]
        way: Way,
        #[command(flatten)]
        remote: Remote,
    },
    /// All clusters and how they stand.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        remote: Remote,
    },
    /// Ask a cluster whether it is there and lets the server in.
    Test {
        name: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Take a cluster away that no living job is on.
    Remove {
        name: String,
        #[command(flatten)]
        remote: Remote,
    },
}

#[derive(Debug, Args)]
struct Way {
    /// The kubeconfig with its data embedded, as `kubectl config view --minify --flatten` writes it; `-` reads standard input.
    #[arg(long, value_name = "FILE", required_unless_present = "in_cluster", conflicts_with = "in_cluster")]
    kubeconfig: Option<PathBuf>,
    /// The server is a pod of it.
    #[arg(long)]
    in_cluster: bool,
    /// Which context of the kubeconfig; without it the current one.
    #[arg(long)]
    context: Option<String>,
    /// Namespace of jobs that name none; without it that of the kubeconfig.
    #[arg(long)]
    namespace: Option<String>,
    /// Address of the server's machine at which pods of this cluster reach their queue; without it the server's own choice.
    #[arg(long, value_name = "ADDRESS")]
    pods_listen: Option<std::net::IpAddr>,
}

#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    Reach(#[from] ReachError),
    #[error("the server refused it:\n{0}")]
    Refused(String),
    #[error("the cluster is of no use now: {0}")]
    Unusable(String),
    #[error("could not print the answer")]
    Print(#[from] std::io::Error),
}

impl Way {
    fn body(&self, name: &str) -> Result<Value, InputError> {
        let text = self.kubeconfig.as_deref().map(input::text).transpose()?;
        Ok(json!({
            "name": name,
            "kubeconfig": text,
            "in_cluster": self.in_cluster,
            "context": self.context,
            "namespace": self.namespace,
            "pods_listen": self.pods_listen,
        }))
    }
}

pub async fn run(args: ClusterArgs) -> Result<(), ClusterError> {
    let mut output = std::io::stdout().lock();
    match args.what {
        What::Add { name, way, remote } => {
            let (door, body) = (remote.door()?, way.body(&name)?);
            writeln!(output, "{}", line(&asked(&door, Method::POST, "/api/v1/clusters", Some(body)).await?))?;
        }
        What::Update { name, way, remote } => {
            let (door, body) = (remote.door()?, way.body(&name)?);
            writeln!(output, "{}", line(&asked(&door, Method::PUT, &path(&name), Some(body)).await?))?;
        }
        What::List { json, remote } => {
            let all = asked(&remote.door()?, Method::GET, "/api/v1/clusters", None).await?;
            if json {
                writeln!(output, "{all:#}")?;
            } else {
                for one in all.as_array().into_iter().flatten() {
                    writeln!(output, "{}", line(one))?;
                }
            }
        }
        What::Test { name, remote } => {
            let one = asked(&remote.door()?, Method::POST, &format!("{}/test", path(&name)), None).await?;
            writeln!(output, "{}", line(&one))?;
            if one["reachable"] != true {
                return Err(ClusterError::Unusable(one["says"].as_str().unwrap_or_default().to_owned()));
            }
        }
        What::Remove { name, remote } => {
            asked(&remote.door()?, Method::DELETE, &path(&name), None).await?;
        }
    }
    Ok(())
}

fn path(name: &str) -> String {
    let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    format!("/api/v1/clusters/{name}")
}

async fn asked(door: &Door, method: Method, path: &str, body: Option<Value>) -> Result<Value, ClusterError> {
    let request = door.ask(method, path);
    let request = match body {
        Some(body) => request.header("content-type", "application/json").body(body.to_string()),
        None => request,
    };
    let answer = door.send(request).await?;
    let value: Value = serde_json::from_str(&answer.text).unwrap_or_default();
    if answer.ok { Ok(value) } else { Err(ClusterError::Refused(input::listed(&value, &answer.text))) }
}

/// One cluster in a line.
fn line(one: &Value) -> String {
    let text = |name: &str| one[name].as_str().unwrap_or("-").to_owned();
    let age = one["age_s"].as_f64().map_or_else(|| "never heard".to_owned(), |age| format!("heard {age:.0} s ago"));
    let jobs = one["jobs"].as_u64().unwrap_or(0);
    let columns = [text("name"), text("server"), text("namespace"), text("version"), format!("{jobs} jobs"), age, text("says")];
    columns.join("  ")
}
