//! Forms drawn from what plugins declare: one field list serves the submit page and the tuning panel.

pub mod field;
pub mod names;
pub mod plugin;
pub mod sections;
pub mod submitted;
