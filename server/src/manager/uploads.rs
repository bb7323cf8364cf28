//! Which uploaded workloads are kept: those of jobs that are known, as they may be submitted again, and what was
//! uploaded lately and is not submitted yet.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use crate::store::Store;
use crate::words::chain;

/// For a form that was refused and is sent again.
const UNUSED_LIFE: Duration = Duration::from_secs(24 * 3600);

/// Removes what no job refers to and nobody will submit any more.
pub async fn sweep(store: &Store, folder: &Path) {
    // First the files: a job that comes meanwhile is known when the store is asked.
    let Ok(mut entries) = tokio::fs::read_dir(folder).await else { return };
    let mut old = Vec::new();
    while let Ok(Some(entry)) = entries.next_entry().await {
        let age = entry.metadata().await.ok().and_then(|data| data.modified().ok()).and_then(|at| at.elapsed().ok());
        if age.is_some_and(|age| age > UNUSED_LIFE) {
            old.push(entry.path());
        }
    }
    if old.is_empty() {
        return;
    }
    let used: HashSet<String> = match store.uploads().await {
        Ok(used) => used.into_iter().collect(),
        Err(error) => return tracing::warn!("uploads: {}", chain(&error)),
    };
    old.retain(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| !used.contains(name)));
    for path in old {
        remove(&path).await;
    }
}

/// Removes the upload of a job that is forgotten, unless another job refers to it as well.
pub async fn forget(store: &Store, folder: &Path, upload: &str) {
    match store.uploads().await {
        Ok(used) if used.iter().any(|other| other == upload) => {}
        Ok(_) => remove(&super::workload::upload_file(folder, upload)).await,
        Err(error) => tracing::warn!("uploads: {}", chain(&error)),
    }
}

async fn remove(path: &Path) {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!("the upload {} could not be removed: {error}", path.display());
        }
        _ => {}
    }
}
