//! What can go wrong in the store, each named by the operation that failed.

use std::path::PathBuf;
use std::sync::Arc;

pub type Result<T> = std::result::Result<T, StoreError>;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("there is no database {}; start the server first", path.display())]
    Missing { path: PathBuf },
    #[error("could not open the database {}", path.display())]
    Open {
        path: PathBuf,
        #[source]
        cause: sqlx::Error,
    },
    #[error("could not bring the database {} to this version's layout", path.display())]
    Migrate {
        path: PathBuf,
        #[source]
        cause: sqlx::migrate::MigrateError,
    },
    #[error("could not read {what}")]
    Read {
        what: String,
        #[source]
        cause: sqlx::Error,
    },
    #[error("could not write {what}")]
    Write {
        what: String,
        #[source]
        cause: sqlx::Error,
    },
    /// The whole group failed; nothing of it was stored.
    #[error("could not commit")]
    Commit {
        #[source]
        cause: Arc<sqlx::Error>,
    },
    #[error("could not encode {what}")]
    Encode {
        what: String,
        #[source]
        cause: serde_json::Error,
    },
    #[error("what is stored of {what} cannot be understood")]
    Decode {
        what: String,
        #[source]
        cause: serde_json::Error,
    },
    #[error("what is stored of {what} holds the unknown word {word}")]
    Word { what: String, word: String },
    #[error("what is stored of {what} is damaged")]
    Unpack {
        what: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("there is no job {id}")]
    UnknownJob { id: String },
    #[error("job {job} has no loop {loop_name}")]
    UnknownLoop { job: String, loop_name: String },
    /// The writer has ended: the process is going down.
    #[error("the store is closed")]
    Closed,
}

/// Gives a database error the name of what was being done.
pub(super) trait During<T> {
    fn reading(self, what: impl FnOnce() -> String) -> Result<T>;
    fn writing(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> During<T> for std::result::Result<T, sqlx::Error> {
    fn reading(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|cause| StoreError::Read { what: what(), cause })
    }

    fn writing(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|cause| StoreError::Write { what: what(), cause })
    }
}

pub(super) fn encode<T: serde::Serialize>(value: &T, what: impl FnOnce() -> String) -> Result<String> {
    serde_json::to_string(value).map_err(|cause| StoreError::Encode { what: what(), cause })
}

pub(super) fn decode<T: serde::de::DeserializeOwned>(text: &str, what: impl FnOnce() -> String) -> Result<T> {
    serde_json::from_str(text).map_err(|cause| StoreError::Decode { what: what(), cause })
}
