//! Small parts that every page uses.

pub mod badge;
pub mod chip;
pub mod erase;
pub mod loaded;
pub mod post;
pub mod range;
pub mod search;
pub mod time;
pub mod trouble;
pub mod words;
