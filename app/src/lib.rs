//! The face: pages, forms and live charts, rendered on the server and taken over by the browser.
//! Pages need `Arc<dyn Backend>` and a `Viewer` in context; without them they say what is missing.

pub mod api;
pub mod chart;
pub mod form;
pub mod job;
pub mod jobs;
pub mod live;
pub mod pages;
pub mod ui;
pub mod viewer;

#[cfg(feature = "ssr")]
pub mod backend;
#[cfg(feature = "hydrate")]
mod browser;
#[cfg(feature = "ssr")]
pub mod clusters;
#[cfg(feature = "ssr")]
mod plain;

mod frame;

pub use frame::{App, shell};
