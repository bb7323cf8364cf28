//! Tables of many results: what the bench prints, and what tuning looks at.

pub mod list;
pub mod page;
mod summary;
pub mod table;

pub use summary::{Outcome, Summary, quantile, wilson};
