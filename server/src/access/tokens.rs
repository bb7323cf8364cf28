//! Secrets that sign a person or a script in: random, hashed at rest, with an end.

use std::path::Path;

use rand::Rng;
use sha2::{Digest, Sha256};

use crate::clock::now_ms;
use crate::config;
use crate::store::{Store, StoreError};

/// A one-time link is good for this long.
pub const LINK_MS: i64 = 15 * 60 * 1000;
/// A session ends after this long.
pub const SESSION_MS: i64 = 30 * 24 * 3600 * 1000;
/// The administrator's API token is made anew at each start and good for this long.
const API_MS: i64 = 365 * 24 * 3600 * 1000;
/// Only its plain hash is stored, so that a token that a person made up must be long.
const SHORTEST: usize = 32;
/// The only user until accounts exist.
pub const ADMIN: &str = "admin";

/// 256 random bits in hex.
pub fn fresh() -> String {
    let bytes: [u8; 32] = rand::rng().random();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is stored of a secret. The secrets are random, so a plain hash is enough.
pub fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

/// A new one-time sign-in secret.
pub async fn make_link(store: &Store) -> Result<String, StoreError> {
    let secret = fresh();
    store.put_token("link", &hash(&secret), ADMIN, now_ms() + LINK_MS).await?;
    Ok(secret)
}

/// Trades a one-time secret for a session secret; `None` when it was used or is too old.
pub async fn open_session(store: &Store, link: &str) -> Result<Option<String>, StoreError> {
    let Some(user) = store.take_link(&hash(link), now_ms()).await? else { return Ok(None) };
    let secret = fresh();
    store.put_token("session", &hash(&secret), &user, now_ms() + SESSION_MS).await?;
    Ok(Some(secret))
}

/// Makes the administrator's API token and writes it where only its owner can read it.
pub async fn write_admin_token(store: &Store, data: &Path) -> Result<(), TokenFileError> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = config::admin_token_file(data);
    if let Ok(old) = std::fs::read_to_string(&file)
        && store.session(&hash(old.trim()), now_ms()).await?.is_some()
    {
        return Ok(());
    }
    let secret = fresh();
    store.put_token("api", &hash(&secret), ADMIN, now_ms() + API_MS).await?;
    let _ = std::fs::remove_file(&file);
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&file)
        .and_then(|mut open| writeln!(open, "{secret}"))
        .map_err(|cause| TokenFileError::Write { file: file.display().to_string(), cause })
}

/// Takes the administrator's API token from a file of somebody else's. Every other one ends with that: who gives another
/// token to a server means that the old one is worth nothing.
pub async fn read_admin_token(store: &Store, file: &Path, data: &Path) -> Result<(), TokenFileError> {
    let read = std::fs::read_to_string(file);
    let secret = read.map_err(|cause| TokenFileError::Read { file: file.display().to_string(), cause })?;
    let secret = secret.trim();
    if secret.len() < SHORTEST || secret.contains(char::is_whitespace) {
        return Err(TokenFileError::Weak { file: file.display().to_string() });
    }
    store.put_only_api_token(&hash(secret), ADMIN, now_ms() + API_MS).await?;
    // The one of a server that made its own.
    let _ = std::fs::remove_file(config::admin_token_file(data));
    Ok(())
}

#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    #[error("could not read the administrator's token from {file}")]
    Read {
        file: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("the administrator's token in {file} must be one word of {SHORTEST} characters at least, such as openssl rand -hex 32 makes")]
    Weak { file: String },
    #[error("could not write the administrator's token to {file}")]
    Write {
        file: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("could not store the administrator's token")]
    Store(#[from] StoreError),
}
