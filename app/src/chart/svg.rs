//! Charts as SVG text: for export, and what is seen before the browser draws itself.

use std::fmt::Write;

use plotters::prelude::SVGBackend;

use super::{
    drawing::{Surface, drawing},
    kinds::ChartKind,
    model::Chart,
    paint::paint,
    palette::{Ink, Palette, hex},
};

/// In which colours a picture is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    Light,
    Dark,
    /// Follows the reader's system: colours are variables with a media query.
    Auto,
    /// For a picture inside a page: its colours are the page's own variables.
    Page,
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
        Theme::Auto | Theme::Page => Palette::stand_ins(),
    };
    let mut drawn = String::new();
    {
        let mut backend = SVGBackend::with_string(&mut drawn, (width * FINE, height * FINE));
        let surface = Surface { width: f64::from(width), height: f64::from(height), scale: f64::from(FINE), text: 1.24 };
        // Writing into a string cannot fail; plotters' signature only says so for files.
        if let Err(error) = paint(&mut backend, &drawing(chart, &palette, surface), surface, |_| false) {
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
    }
    if matches!(theme, Theme::Auto | Theme::Page) {
        out.push_str(&named(body, &palette));
    } else {
        out.push_str(body);
    }
    out
}

/// The same chart with a title and a legend above it, as it stands in a report.
pub fn titled(kind: ChartKind, job: &str, chart: &Chart, (width, height): (u32, u32), theme: Theme) -> String {
    const HEAD: u32 = 28;
    /// Alone it has no chart above it that says the times.
    const TIMES: u32 = 12;
    let height = if chart.times_shown { height } else { height + TIMES };
    let chart = &Chart { times_shown: true, ..chart.clone() };
    let palette = if theme == Theme::Dark { Palette::dark() } else { Palette::light() };
    let ink = |ink: Ink| hex(palette.of(ink));
    let escaped = job.replace('&', "&amp;").replace('<', "&lt;");
    let mut head = format!("<text y=\"15\" font-weight=\"600\" fill=\"{}\">{}: {escaped}</text>", ink(Ink::Label), kind.title());
    // From the right, by the usual width of a letter: text cannot be measured here.
    let mut right = f64::from(width);
    for (color, look, words) in kind.legend().iter().rev() {
        right -= 6.5 * words.chars().count() as f64;
        let dash = if *look == "dash" { " stroke-dasharray=\"4\"" } else { "" };
        let thick = if *look == "box" { 10 } else { 2 };
        let _ = write!(
            head,
            "<text x=\"{right:.0}\" y=\"15\" fill=\"{}\">{words}</text><path d=\"M{:.0} 11h14\" stroke=\"{}\" stroke-width=\"{thick}\"{dash}/>",
            ink(Ink::Label),
            right - 20.0,
            ink(*color)
        );
        right -= 36.0;
    }
    let inner = svg(chart, (width, height), theme).replacen("<svg ", &format!("<svg y=\"{HEAD}\" "), 1);
    let whole = height + HEAD;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{whole}\" font-family=\"Inter, system-ui, sans-serif\" \
         font-size=\"12\">\n{head}\n{inner}</svg>\n"
    )
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
