//! How much a browser loads before the page is alive.

use anyhow::Result;

use super::Report;
use crate::site::sizes;

pub fn measure() -> Result<Report> {
    let sizes = sizes()?;
    let mut table = String::from("| File | raw, bytes | gzip 9 | brotli 11 |\n| --- | ---: | ---: | ---: |\n");
    let mut total = (0, 0, 0);
    for size in &sizes {
        table.push_str(&format!("| {} | {} | {} | {} |\n", size.name, size.raw, size.gzip, size.brotli));
        total = (total.0 + size.raw, total.1 + size.gzip, total.2 + size.brotli);
    }
    table.push_str(&format!("| **together** | {} | {} | **{}** |\n", total.0, total.1, total.2));
    Ok(Report {
        title: "Page size",
        method: "The files that a browser loads before the page is alive; the first paint comes from HTML and needs only the style sheet.\nThe test suite fails when the WebAssembly is above 400 000 bytes of brotli."
            .to_owned(),
        table,
    })
}
