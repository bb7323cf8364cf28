//! Charts as SVG text: for export, and what is seen before the browser draws itself.

use std::fmt::Write;

use plotters::prelude::SVGBackend;

use super::{
    model::Chart,
    paint::{Surface, paint},
    palette::{Ink, Palette, hex},
};

/// In which colours a picture is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    Light,
    Dark,
    /// Follows the reader's system: colours are variables with a media query.
    Auto,
}

impl Theme {
    /// `light`, `dark`, anything else is `Auto`.
    pub fn from_word(word: &str) -> Self {
        match word {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::Auto,
        }
    }
}

/// Drawn finer than shown, since the backend knows whole pixels only.
const FINE: u32 = 4;

/// A chart as a whole SVG document of `width` × `height` CSS pixels.
pub fn svg(chart: &Chart, (width, height): (u32, u32), theme: Theme) -> String {
    let palette = match theme {
        Theme::Light => Palette::light(),
        Theme::Dark => Palette::dark(),
        Theme::Auto => Palette::stand_ins(),
    };
    let mut drawn = String::new();
    {
        let mut backend = SVGBackend::with_string(&mut drawn, (width * FINE, height * FINE));
        let surface = Surface { width: f64::from(width), height: f64::from(height), scale: f64::from(FINE), text: 1.24 };
        // Writing into a string cannot fail; plotters' signature only says so for files.
        if let Err(error) = paint(&mut backend, chart, &palette, surface) {
            return format!("<svg xmlns=\"http://www.w3.org/2000/svg\"><title>{error}</title></svg>");
        }
    }
    let body = drawn.split_once('>').map_or("", |(_, body)| body);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {} {}\">\n",
        width * FINE,
        height * FINE
    );
    if theme == Theme::Auto {
        let _ = write!(
            out,
            "<style>:root{{{}}}@media(prefers-color-scheme:dark){{:root{{{}}}}}</style>",
            declared(&Palette::light()),
            declared(&Palette::dark())
        );
        out.push_str(&named(body, &palette));
    } else {
        out.push_str(body);
    }
    out
}

fn declared(palette: &Palette) -> String {
    Ink::ALL.iter().map(|ink| format!("{}:{};", ink.token(), hex(palette.of(*ink)))).collect()
}

fn named(body: &str, palette: &Palette) -> String {
    Ink::ALL.iter().fold(body.to_owned(), |text, ink| {
        let color = hex(palette.of(*ink));
        let variable = format!("var({})", ink.token());
        text.replace(&color.to_uppercase(), &variable).replace(&color, &variable)
    })
}
