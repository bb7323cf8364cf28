//! The program's commands, one file each.

pub mod link;
pub mod queue;
pub mod serve;
pub mod submit;
pub mod worker;
