//! The program's commands, one file each.

pub mod bench;
pub mod cluster;
mod input;
pub mod law;
mod lead;
pub mod link;
pub mod queue;
pub mod quote;
mod remote;
pub mod replay;
pub mod serve;
pub mod simulate;
pub mod submit;
pub mod worker;
