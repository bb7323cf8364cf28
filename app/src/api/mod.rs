//! The server functions: doors, not rooms. `ask` is for all that is read; what changes something has a door of its own,
//! since a plain form must be able to post to it.

pub mod ask;
pub mod error;
pub mod items;
pub mod jobs;
pub mod logs;
pub mod results;
pub mod submission;
pub mod tuning;
pub mod what_if;
