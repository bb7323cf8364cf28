//! The parts of the jobs list.

pub mod list;
pub mod live;
pub mod needs;
pub mod search;
