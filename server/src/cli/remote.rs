//! How commands talk to a running server: where it listens, and the token that lets them in.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use reqwest::{Client, Method, RequestBuilder};

use super::input::{self, InputError};
use crate::config;

#[derive(Debug, Args)]
pub struct Remote {
    /// The server's data folder, for its token.
    #[arg(long, env = "ASPERATHOS_DATA", default_value = "data")]
    data: PathBuf,
    /// File with its token, when that is not in the data folder.
    #[arg(long, env = "ASPERATHOS_ADMIN_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Where the server listens.
    #[arg(long, env = "ASPERATHOS_LISTEN", default_value = "127.0.0.1:1500")]
    server: SocketAddr,
}

#[derive(Debug, thiserror::Error)]
#[error("could not reach the server at {server}")]
pub struct ReachError {
    server: SocketAddr,
    #[source]
    cause: reqwest::Error,
}

/// A client of one server, with its token.
pub struct Door {
    client: Client,
    server: SocketAddr,
    token: String,
}

/// What the server said, and whether it did what was asked.
pub struct Answer {
    pub ok: bool,
    pub text: String,
}

impl Remote {
    /// # Errors
    /// A token that cannot be read.
    pub fn door(&self) -> Result<Door, InputError> {
        let file = self.token_file.clone().unwrap_or_else(|| config::admin_token_file(&self.data));
        let token = input::text(&file)?.trim().to_owned();
        Ok(Door { client: Client::new(), server: self.server, token })
    }
}

impl Door {
    pub fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.server)).bearer_auth(&self.token)
    }

    /// # Errors
    /// A server that is not there, or goes away; what it refuses is an answer.
    pub async fn send(&self, request: RequestBuilder) -> Result<Answer, ReachError> {
        let reach = |cause| ReachError { server: self.server, cause };
        let sent = request.send().await.map_err(reach)?;
        Ok(Answer { ok: sent.status().is_success(), text: sent.text().await.map_err(reach)? })
    }
}
