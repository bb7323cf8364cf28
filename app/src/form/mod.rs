//! Forms drawn from what plugins declare: one field list serves the submit page and the tuning panel.

pub mod again;
pub mod field;
pub mod labels;
pub mod names;
pub mod plugin;
pub mod quote;
pub mod sections;
pub mod submitted;
