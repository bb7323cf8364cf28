//! `asperathos submit FILE`: sends a JSON submission to a running server and prints the job's id.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::input::{self, InputError};
use super::remote::{ReachError, Remote};

#[derive(Debug, Args)]
pub struct SubmitArgs {
    /// The submission as JSON; `-` reads standard input.
    file: PathBuf,
    /// Take the items from this file, one a line, in place of the submission's workload.
    #[arg(long)]
    items: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    Reach(#[from] ReachError),
    #[error("the submission was refused:\n{0}")]
    Refused(String),
    #[error("could not print the job's id")]
    Print(#[from] std::io::Error),
}

pub async fn run(args: SubmitArgs) -> Result<(), SubmitError> {
    let mut body = input::json(&args.file)?;
    let door = args.remote.door()?;
    let post = |path: &str| door.ask(Method::POST, path);

    if let Some(items) = &args.items {
        let read = |cause| InputError::Read { file: items.display().to_string(), cause };
        let file = tokio::fs::File::open(items).await.map_err(read)?;
        let answer = door.send(post("/api/v1/uploads").body(reqwest::Body::from(file))).await?;
        let stored: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        if !answer.ok {
            return Err(SubmitError::Refused(input::listed(&stored, &answer.text)));
        }
        body["workload"] = serde_json::json!({ "source": "upload", "upload": stored["upload"] });
    }
    let answer = door.send(post("/api/v1/jobs").header("content-type", "application/json").body(body.to_string())).await?.text;
    let value: Value = serde_json::from_str(&answer).unwrap_or_default();
    match value["job_id"].as_str() {
        Some(id) => Ok(writeln!(std::io::stdout(), "{id}")?),
        None => Err(SubmitError::Refused(input::listed(&value, &answer))),
    }
}
