//! What workers made: parts of a picture, or texts with how they begin.

use control::live::ItemView;
use serde::{Deserialize, Serialize};

/// Parts of a picture on the page; one of more parts is better joined by its own program.
pub const TILES: u32 = 4096;
/// Rows on one page of anything else.
pub const SHOWN: u32 = 100;

/// A done item and how its result begins, if that is a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultView {
    pub item: ItemView,
    pub starts: Option<String>,
}

/// Tiles when the first results are pictures, else rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ResultsPage {
    pub tiles: Vec<ItemView>,
    pub rows: Vec<ResultView>,
}

pub fn is_picture(item: &ItemView) -> bool {
    item.result_type.as_ref().is_some_and(|kind| kind.starts_with("image/"))
}

/// All tiles, or some rows in workload order.
#[cfg(feature = "ssr")]
pub async fn read(backend: &dyn crate::backend::Backend, id: &str, from: u64) -> Result<ResultsPage, crate::api::error::ApiError> {
    let done = Some(control::live::ItemState::Done);
    let first = backend.items(id, done, from, SHOWN).await?;
    if first.iter().any(is_picture) {
        let tiles = backend.items(id, done, 0, TILES).await?;
        return Ok(ResultsPage { tiles, rows: Vec::new() });
    }
    if first.is_empty() {
        return Ok(ResultsPage::default());
    }
    let indexes: Vec<u64> = first.iter().map(|item| item.index).collect();
    let starts = backend.excerpts(id, &indexes).await?;
    let rows = first.into_iter().zip(starts).map(|(item, starts)| ResultView { item, starts }).collect();
    Ok(ResultsPage { tiles: Vec::new(), rows })
}
