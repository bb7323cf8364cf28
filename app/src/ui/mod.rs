//! Small parts that every page uses.

pub mod badge;
pub mod chip;
pub mod range;
pub mod time;
pub mod trouble;
pub mod words;
