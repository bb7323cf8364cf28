//! One file a route: a page loads, lays out and hands down.

pub mod job;
pub mod jobs;
pub mod not_found;
pub mod sign_in;
pub mod submit;
