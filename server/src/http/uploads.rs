//! Workload files, streamed to disk and counted on the way.

use std::path::Path;

use app::viewer::Viewer;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use control::job::Workload;
use futures::TryStreamExt as _;
use serde::Serialize;
use tokio::io::AsyncWriteExt as _;

use super::Web;
use super::guard::refuse;
use crate::manager::workload::{BYTES_LIMIT, WorkloadError, count, upload_file};

/// A stored file.
#[derive(Debug, Clone, Serialize)]
pub struct Stored {
    pub upload: String,
    pub bytes: u64,
    /// Lines that are not empty.
    pub items: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    #[error("the file could not be received: {0}")]
    Receive(String),
    #[error("the file is longer than {BYTES_LIMIT} bytes")]
    TooLong,
    #[error(transparent)]
    Items(#[from] WorkloadError),
    #[error("the file has no items: it is empty")]
    Empty,
    #[error("the file could not be kept")]
    Write(#[source] std::io::Error),
}

/// Anything that yields the bytes of a file piece by piece.
pub trait Pieces {
    async fn piece(&mut self) -> Result<Option<Bytes>, String>;
}

impl Pieces for axum::extract::multipart::Field<'_> {
    async fn piece(&mut self) -> Result<Option<Bytes>, String> {
        self.chunk().await.map_err(|error| error.to_string())
    }
}

impl Pieces for axum::body::BodyDataStream {
    async fn piece(&mut self) -> Result<Option<Bytes>, String> {
        self.try_next().await.map_err(|error| error.to_string())
    }
}

/// Keeps the file under a new id. A file that could not be received whole is removed.
pub async fn store(folder: &Path, pieces: &mut impl Pieces) -> Result<Stored, UploadError> {
    tokio::fs::create_dir_all(folder).await.map_err(UploadError::Write)?;
    let upload = ulid::Ulid::new().to_string();
    let file = upload_file(folder, &upload);
    let stored = receive(folder, &upload, pieces).await;
    if stored.is_err() {
        let _ = tokio::fs::remove_file(&file).await;
    }
    stored
}

async fn receive(folder: &Path, upload: &str, pieces: &mut impl Pieces) -> Result<Stored, UploadError> {
    let open = tokio::fs::File::create_new(upload_file(folder, upload)).await.map_err(UploadError::Write)?;
    let mut writer = tokio::io::BufWriter::with_capacity(1 << 18, open);
    let mut bytes = 0_u64;
    while let Some(piece) = pieces.piece().await.map_err(UploadError::Receive)? {
        bytes += piece.len() as u64;
        if bytes > BYTES_LIMIT {
            return Err(UploadError::TooLong);
        }
        writer.write_all(&piece).await.map_err(UploadError::Write)?;
    }
    writer.flush().await.map_err(UploadError::Write)?;
    // By the one rule of what an item is, before anybody builds on this file.
    match count(&Workload::Upload { upload: upload.to_owned() }, Some(folder)).await? {
        Some(items) if items > 0 => Ok(Stored { upload: upload.to_owned(), bytes, items }),
        _ => Err(UploadError::Empty),
    }
}

/// `POST /api/v1/uploads` with the file as the body.
pub async fn upload(State(web): State<Web>, Extension(_viewer): Extension<Viewer>, body: Body) -> Response {
    match store(&web.server.manager.uploads(), &mut body.into_data_stream()).await {
        Ok(stored) => (StatusCode::CREATED, Json(stored)).into_response(),
        Err(error @ UploadError::TooLong) => refuse(StatusCode::PAYLOAD_TOO_LARGE, &error.to_string()),
        Err(error @ UploadError::Write(_)) => refuse(StatusCode::INSUFFICIENT_STORAGE, &crate::words::chain(&error)),
        Err(error) => refuse(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()),
    }
}
