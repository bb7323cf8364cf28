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
