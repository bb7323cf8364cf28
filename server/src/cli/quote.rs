//! `asperathos quote FILE`: whether a submission's goal can be met and what it takes, without a server.

use std::io::Write as _;
use std::path::PathBuf;

use app::form::submitted::Quoted;
use clap::Args;
use serde_json::json;

use super::input::{self, InputError};
use crate::config;
use crate::manager::{experience, quote, submission};
use crate::platform::{ClusterSettings, Clusters, Entry};
use crate::store::{Store, StoreError};

#[derive(Debug, Args)]
pub struct QuoteArgs {
    /// The submission as JSON; `-` reads standard input.
    file: PathBuf,
    /// Take the items from this file, one a line, in place of the submission's workload.
    #[arg(long)]
    items: Option<PathBuf>,
    /// A server's data folder: its uploads are known, and what earlier jobs with the same program taught.
    #[arg(long, env = "ASPERATHOS_DATA")]
    data: Option<PathBuf>,
    /// The whole answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    cluster: ClusterSettings,
}

#[derive(Debug, thiserror::Error)]
pub enum QuoteError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("the submission would be refused:\n{0}")]
    Refused(String),
    #[error("{0}")]
    Unknown(String),
    #[error("could not read what the server knows")]
    Store(#[from] StoreError),
    #[error("could not print the quote")]
    Print(#[from] std::io::Error),
}

pub async fn run(args: QuoteArgs) -> Result<(), QuoteError> {
    let mut body = input::json(&args.file)?;
    if let Some(items) = &args.items {
        body["workload"] = json!({ "source": "inline", "items": input::text(items)? });
    }
    let clusters = Clusters::new(args.cluster);
    let store = match &args.data {
        Some(data) => Some(Store::open_existing(&config::database(data)).await?),
        None => None,
    };
    if let Some(store) = &store {
        for row in store.clusters().await? {
            // Its name and namespace are all that a quote needs.
            let listen = row.pods_listen.and_then(|address| address.parse().ok());
            clusters.put(&row.name, Entry::kept(None).with(row.namespace, listen)).await;
        }
    }
    let spec = submission::parse(&body, &clusters).map_err(|errors| {
        let lines: Vec<_> = errors.iter().map(|error| format!("  {error}")).collect();
        QuoteError::Refused(lines.join("\n"))
    })?;
    let history = match &store {
        Some(store) => store.experience(&experience::template(&spec)).await?.history,
        None => None,
    };
    let uploads = args.data.as_deref().map(config::uploads);
    let answer = quote::of(&spec, uploads.as_deref(), history).await;
    let mut output = std::io::stdout().lock();
    match &answer {
        Quoted::Unknown { why } => Err(QuoteError::Unknown(why.clone())),
        answer if args.json => Ok(writeln!(output, "{}", json!(answer))?),
        Quoted::Quote { items, quote } => {
            writeln!(output, "{} {}", app::form::quote::lead(quote), app::form::quote::said(*items, quote))?;
            for (take, words) in app::form::quote::offers(quote) {
                writeln!(output, "{words}: {take}")?;
            }
            Ok(())
        }
    }
}
