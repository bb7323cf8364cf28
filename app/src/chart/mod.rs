//! Charts: `model` says what is shown, `kinds` builds it from a job, `legend` and `columns` put it into words, `drawing` turns it into strokes, `paint` draws those
//! on any plotters backend, `svg` for the server's pictures, `view` on a canvas in the browser.

pub mod columns;
pub mod drawing;
pub mod forecast;
pub mod kinds;
pub mod legend;
pub mod marks;
pub mod model;
pub mod paint;
pub mod palette;
pub mod svg;
pub mod table;
pub mod view;

pub use kinds::ChartKind;
pub use svg::{Theme, svg, titled};
