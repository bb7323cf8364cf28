//! `asperathos submit FILE`: sends a JSON submission to a running server and prints the job's id.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::input::{self, InputError};
use crate::config;

#[derive(Debug, Args)]
pub struct SubmitArgs {
    /// The submission as JSON; `-` reads standard input.
    file: PathBuf,
    /// Take the items from this file, one a line, in place of the submission's workload.
    #[arg(long)]
    items: Option<PathBuf>,
    /// The server's data folder, for its token.
    #[arg(long, env = "ASPERATHOS_DATA", default_value = "data")]
    data: PathBuf,
    /// Where the server listens.
    #[arg(long, env = "ASPERATHOS_LISTEN", default_value = "127.0.0.1:1500")]
    server: SocketAddr,
}

#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("could not reach the server at {server}")]
    Reach {
        server: SocketAddr,
        #[source]
        cause: reqwest::Error,
    },
    #[error("the submission was refused:\n{0}")]
    Refused(String),
    #[error("could not print the job's id")]
    Print(#[from] std::io::Error),
}

pub async fn run(args: SubmitArgs) -> Result<(), SubmitError> {
    let mut body = input::json(&args.file)?;
    let token = input::text(&config::admin_token_file(&args.data))?;
    let client = reqwest::Client::new();
    let reach = |cause| SubmitError::Reach { server: args.server, cause };
    let post = |path: &str| client.post(format!("http://{}{path}", args.server)).bearer_auth(token.trim());

    if let Some(items) = &args.items {
        let read = |cause| InputError::Read { file: items.display().to_string(), cause };
        let file = tokio::fs::File::open(items).await.map_err(read)?;
        let sent = post("/api/v1/uploads").body(reqwest::Body::from(file)).send().await.map_err(reach)?;
        let (ok, answer) = (sent.status().is_success(), sent.text().await.map_err(reach)?);
        let stored: Value = serde_json::from_str(&answer).unwrap_or_default();
        if !ok {
            return Err(SubmitError::Refused(listed(&stored, &answer)));
        }
        body["workload"] = serde_json::json!({ "source": "upload", "upload": stored["upload"] });
    }
    let sent = post("/api/v1/jobs").header("content-type", "application/json").body(body.to_string()).send().await.map_err(reach)?;
    let answer = sent.text().await.map_err(reach)?;
    let value: Value = serde_json::from_str(&answer).unwrap_or_default();
    match value["job_id"].as_str() {
        Some(id) => Ok(writeln!(std::io::stdout(), "{id}")?),
        None => Err(SubmitError::Refused(listed(&value, &answer))),
    }
}

/// One line a problem.
fn listed(value: &Value, answer: &str) -> String {
    let Some(errors) = value["errors"].as_array() else { return answer.to_owned() };
    let lines = errors.iter().map(|error| {
        let (field, message) = (error["field"].as_str().unwrap_or_default(), error["message"].as_str().unwrap_or_default());
        format!("  {field} {message}")
    });
    lines.collect::<Vec<_>>().join("\n")
}
