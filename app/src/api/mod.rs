//! The server functions: doors, not rooms. Each takes, calls the backend and returns.

pub mod error;
pub mod items;
pub mod jobs;
pub mod logs;
pub mod results;
pub mod session;
pub mod submission;
pub mod tuning;
