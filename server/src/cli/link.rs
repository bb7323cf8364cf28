//! `asperathos link`: prints a new one-time link that signs in.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::access::tokens;
use crate::config;
use crate::store::{Store, StoreError};

#[derive(Debug, Args)]
pub struct LinkArgs {
    /// The server's data folder.
    #[arg(long, env = "ASPERATHOS_DATA", default_value = "data")]
    data: PathBuf,
    /// Where the server listens.
    #[arg(long, env = "ASPERATHOS_LISTEN", default_value = "127.0.0.1:1500")]
    listen: SocketAddr,
}

#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("could not make a link")]
    Store(#[from] StoreError),
    #[error("could not print the link")]
    Print(#[from] std::io::Error),
}

pub async fn run(args: LinkArgs) -> Result<(), LinkError> {
    let store = Store::open_existing(&config::database(&args.data)).await?;
    let secret = tokens::make_link(&store).await?;
    // Nobody can call an address that means all of them.
    let host = if args.listen.ip().is_unspecified() { format!("localhost:{}", args.listen.port()) } else { args.listen.to_string() };
    writeln!(std::io::stdout(), "http://{host}/sign-in?token={secret}")?;
    Ok(())
}
