//! Charts as SVG text: for export, and what is seen before the browser draws itself.

use std::fmt::Write;

use plotters::prelude::SVGBackend;

use super::{
    drawing::{Surface, drawing},
    kinds::{ChartKind, Facts, build},
    legend::{Swatch, legend},
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

/// Usual widths of letters, CSS pixels: text cannot be measured here.
const LETTER: f64 = 6.5;
const TITLE_LETTER: f64 = 7.0;

/// A job's chart with a title and a legend above it, as it stands in a report.
pub fn titled(kind: ChartKind, facts: &Facts, width: u32, theme: Theme) -> String {
    /// Alone it has no chart above it that says the times.
    const TIMES: u32 = 24;
    const ROW: u32 = 18;
    let chart = build(kind, facts);
    let height = if chart.times_shown { kind.height() } else { kind.height() + TIMES };
    let chart = Chart { times_shown: true, ..chart };
    let palette = if theme == Theme::Dark { Palette::dark() } else { Palette::light() };
    let ink = |ink: Ink| hex(palette.of(ink));
    let title = format!("{}: {}", kind.title(), facts.summary.name);
    let entries = legend(kind, facts);
    let length = |words: &str| LETTER * words.chars().count() as f64;
    let needed: f64 = entries.iter().map(|entry| length(&entry.words) + SAMPLE).sum();
    // Beside the title where there is room, else below it.
    let row = if TITLE_LETTER * title.chars().count() as f64 + needed <= f64::from(width) { 0 } else { ROW };
    let mut head = format!("<text y=\"15\" font-weight=\"600\" fill=\"{}\">{}</text>", ink(Ink::Label), escaped(&title));
    let mut right = f64::from(width);
    for entry in entries.iter().rev() {
        right -= length(&entry.words);
        let (thick, more) = match entry.swatch {
            Swatch::Line([]) => (2, String::new()),
            Swatch::Line(dash) => (2, format!(" stroke-dasharray=\"{}\"", dash.iter().map(u8::to_string).collect::<Vec<_>>().join(" "))),
            Swatch::Area(alpha) => (10, format!(" stroke-opacity=\"{alpha}\"")),
        };
        let _ = write!(
            head,
            "<text x=\"{right:.0}\" y=\"{}\" fill=\"{}\">{}</text><path d=\"M{:.0} {}h22\" stroke=\"{}\" stroke-width=\"{thick}\"{more}/>",
            15 + row,
            ink(Ink::Label),
            escaped(&entry.words),
            right - 28.0,
            11 + row,
            ink(entry.ink)
        );
        right -= SAMPLE;
    }
    let top = 28 + row;
    let inner = svg(&chart, (width, height), theme).replacen("<svg ", &format!("<svg y=\"{top}\" "), 1);
    let whole = height + top;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{whole}\" font-family=\"Inter, system-ui, sans-serif\" \
         font-size=\"12\">\n{head}\n{inner}</svg>\n"
    )
}

/// Room for the line or area before an entry of the legend, CSS pixels.
const SAMPLE: f64 = 44.0;

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::kinds::tests::two_loops;

    #[test]
    fn a_report_names_each_loop_and_draws_its_dashes() {
        two_loops(|facts| {
            let wide = titled(ChartKind::Replicas, facts, 980, Theme::Light);
            for said in [">wish of pace<", ">wish of cost<", "stroke-dasharray=\"8 3\"", "stroke-dasharray=\"2 3\""] {
                assert!(wide.contains(said), "{said}: {wide}");
            }
            // Where there is no room beside the title, the legend goes below it.
            assert!(wide.contains("y=\"15\" fill=\"#566070\">wanted"));
            assert!(titled(ChartKind::Replicas, facts, 600, Theme::Light).contains("y=\"33\" fill=\"#566070\">wanted"));
        });
    }

    #[test]
    fn the_first_paint_has_marks_and_the_ends_of_the_fan() {
        two_loops(|facts| {
            let palette = Palette::light();
            for kind in ChartKind::ALL {
                let drawn = svg(&build(kind, facts), (980, kind.height()), Theme::Light);
                let filled = |ink: Ink| drawn.matches(&format!("fill=\"{}\"", hex(palette.of(ink)).to_uppercase())).count();
                assert!(drawn.contains("<polygon") && filled(Ink::Done) > 0, "{kind:?}: {drawn}");
                assert_eq!(drawn.contains("00:01:50–00:02:20"), kind == ChartKind::Progress);
            }
        });
    }
}
