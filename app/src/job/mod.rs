//! The parts of a job's page, and the sentence that judges it.

pub mod actions;
pub mod configuration;
pub mod decisions;
pub mod facts;
pub mod header;
pub mod items;
pub mod live_tab;
pub mod logs;
pub mod replicas;
pub mod results;
pub mod tabs;
pub mod tuning;
mod tuning_field;
pub mod verdict;
pub mod what_if;
pub mod why;
