//! `asperathos quote FILE`: whether a submission's goal can be met and what it takes, without a server.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use app::form::submitted::Quoted;
use clap::Args;
use serde_json::{Value, json};

use crate::manager::quote;
use crate::manager::submission;

#[derive(Debug, Args)]
pub struct QuoteArgs {
    /// The submission as JSON; `-` reads standard input.
    file: PathBuf,
    /// Take the items from this file, one a line, in place of the submission's workload.
    #[arg(long)]
    items: Option<PathBuf>,
    /// The whole answer as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum QuoteError {
    #[error("could not read {file}")]
    Read {
        file: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("{file} is not JSON")]
    Json {
        file: String,
        #[source]
        cause: serde_json::Error,
    },
    #[error("the submission would be refused:\n{0}")]
    Refused(String),
    #[error("{0}")]
    Unknown(String),
    #[error("could not print the quote")]
    Print(#[from] std::io::Error),
}

pub async fn run(args: QuoteArgs) -> Result<(), QuoteError> {
    let name = args.file.display().to_string();
    let read = |path: &PathBuf| std::fs::read_to_string(path).map_err(|cause| QuoteError::Read { file: path.display().to_string(), cause });
    let text = if name == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text).map_err(|cause| QuoteError::Read { file: name.clone(), cause })?
    } else {
        read(&args.file)?
    };
    let mut body: Value = serde_json::from_str(&text).map_err(|cause| QuoteError::Json { file: name, cause })?;
    if let Some(items) = &args.items {
        body["workload"] = json!({ "source": "inline", "items": read(items)? });
    }
    let spec = submission::parse(&body).map_err(|errors| {
        let lines: Vec<_> = errors.iter().map(|error| format!("  {} {}", error.field, error.message)).collect();
        QuoteError::Refused(lines.join("\n"))
    })?;
    let answer = quote::of(&spec, quote::typed(&spec.workload));
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
