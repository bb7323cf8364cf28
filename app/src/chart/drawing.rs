//! A chart as strokes, fills and words in whole pixels: plain data, so that two that look the same are equal.
//! Margins are the same for all charts, so that one time axis goes through them.

use plotters::style::RGBColor;

use super::{
    model::{Chart, Layer, Shape},
    palette::{Ink, Palette},
};

/// Left of the plot, CSS pixels: room for the value labels. The stylesheet's crosshair knows it too.
pub const LEFT: f64 = 52.0;
/// Right of the plot: room for the deadline's time.
pub const RIGHT: f64 = 44.0;
const TOP: f64 = 10.0;
/// Labels of moments nearer than this are left out.
const LABEL_ROOM: f64 = 64.0;

/// How large the picture is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Surface {
    /// CSS pixels.
    pub width: f64,
    pub height: f64,
    /// Device pixels in a CSS pixel.
    pub scale: f64,
    /// Backends disagree on what a font size is; SVG divides by 1.24.
    pub text: f64,
}

/// Device pixels from the left and from the top.
pub type Place = (i32, i32);

/// One thing that is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Stroke {
    pub color: RGBColor,
    pub look: Look,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Look {
    /// Through these places, so many pixels wide.
    Line {
        path: Vec<Place>,
        width: u32,
        dashed: bool,
    },
    /// Inside these places.
    Fill {
        outline: Vec<Place>,
        alpha: f64,
    },
    Words {
        text: String,
        at: Place,
        anchor: Anchor,
    },
}

/// Which point of a text its place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    TopLeft,
    TopCenter,
    MiddleRight,
}

/// Grid, layers, deadline and labels, in the order in which they are drawn; the background is left as it is.
pub fn drawing(chart: &Chart, palette: &Palette, surface: Surface) -> Vec<Stroke> {
    let mut sheet = Sheet { chart, palette, surface, bottom: if chart.times_shown { 20.0 } else { 8.0 }, strokes: Vec::new() };
    sheet.grid();
    chart.layers.iter().for_each(|layer| sheet.layer(layer));
    sheet.deadline();
    sheet.strokes
}

struct Sheet<'a> {
    chart: &'a Chart,
    palette: &'a Palette,
    surface: Surface,
    bottom: f64,
    strokes: Vec<Stroke>,
}

impl Sheet<'_> {
    fn x(&self, at: i64) -> i32 {
        let inner = self.surface.width - LEFT - RIGHT;
        self.px(LEFT + inner * self.chart.span.place(at).clamp(0.0, 1.0))
    }

    fn y(&self, value: f64) -> i32 {
        let inner = self.surface.height - TOP - self.bottom;
        self.px(TOP + inner * (1.0 - self.chart.axis.place(value)))
    }

    fn px(&self, css: f64) -> i32 {
        (css * self.surface.scale).round() as i32
    }

    fn add(&mut self, ink: Ink, look: Look) {
        self.strokes.push(Stroke { color: self.palette.of(ink), look });
    }

    fn line(&mut self, ink: Ink, path: Vec<Place>, width: u32, dashed: bool) {
        let width = (f64::from(width) * self.surface.scale).round().max(1.0) as u32;
        self.add(ink, Look::Line { path, width, dashed });
    }

    fn words(&mut self, ink: Ink, text: &str, at: Place, anchor: Anchor) {
        self.add(ink, Look::Words { text: text.to_owned(), at, anchor });
    }

    fn grid(&mut self) {
        let chart = self.chart;
        let (left, right) = (self.px(LEFT), self.px(self.surface.width - RIGHT));
        for (value, label) in &chart.axis.ticks {
            let y = self.y(*value);
            self.line(Ink::Grid, vec![(left, y), (right, y)], 1, false);
            self.words(Ink::Label, label, (left - self.px(8.0), y), Anchor::MiddleRight);
        }
        if chart.times_shown {
            let y = self.px(self.surface.height - 15.0);
            let mut free_from = i32::MIN;
            for (at, label) in &chart.time_ticks {
                let x = self.x(*at);
                if x >= free_from {
                    self.words(Ink::Label, label, (x, y), Anchor::TopCenter);
                    free_from = x.saturating_add(self.px(LABEL_ROOM));
                }
            }
        }
    }

    fn layer(&mut self, layer: &Layer) {
        let place = |points: &[(i64, f64)]| thin(points.iter().map(|&(at, value)| (self.x(at), self.y(value))));
        let path = place(&layer.points);
        if path.len() < 2 {
            return;
        }
        match &layer.shape {
            Shape::Line { width, dashed } => self.line(layer.ink, path, *width, *dashed),
            Shape::Area { base, alpha } => {
                let mut outline = path;
                outline.extend(place(base).into_iter().rev());
                self.add(layer.ink, Look::Fill { outline, alpha: *alpha });
            }
        }
    }

    fn deadline(&mut self) {
        let chart = self.chart;
        let Some((at, label)) = &chart.deadline else { return };
        let (x, bottom) = (self.x(*at), self.px(self.surface.height - self.bottom));
        self.line(Ink::Deadline, vec![(x, 0), (x, bottom)], 1, false);
        if chart.times_shown {
            self.words(Ink::Deadline, label, (x + self.px(4.0), 0), Anchor::TopLeft);
        }
    }
}

/// Leaves out what cannot be seen: of the points in one column of pixels, first, lowest, highest and last stay.
fn thin(points: impl Iterator<Item = (i32, i32)>) -> Vec<(i32, i32)> {
    let mut out: Vec<(i32, i32)> = Vec::new();
    let mut column: Option<(i32, [i32; 4])> = None;
    let flush = |out: &mut Vec<(i32, i32)>, column: Option<(i32, [i32; 4])>| {
        let Some((x, ys)) = column else { return };
        for y in ys {
            if out.last() != Some(&(x, y)) {
                out.push((x, y));
            }
        }
    };
    for (x, y) in points {
        column = match column {
            Some((at, [first, low, high, _])) if at == x => Some((x, [first, low.min(y), high.max(y), y])),
            before => {
                flush(&mut out, before);
                Some((x, [y; 4]))
            }
        };
    }
    flush(&mut out, column);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::model::{Axis, Span};

    #[test]
    fn many_points_in_one_column_keep_their_extremes() {
        let thinned = thin([(0, 5), (1, 9), (1, 2), (1, 30), (1, 7), (2, 1)].into_iter());
        assert_eq!(thinned, [(0, 5), (1, 9), (1, 2), (1, 30), (1, 7), (2, 1)]);
        assert!(thin((0..10_000).map(|n| (n / 1000, n % 77))).len() <= 40);
    }

    /// A chart of an hour with one line, drawn 700 pixels wide.
    fn hour(points: Vec<(i64, f64)>) -> Vec<Stroke> {
        let chart = Chart {
            span: Span::new(0, 3_600_000),
            axis: Axis::covering(0.0, 100.0, 4, |value| value.to_string()),
            time_ticks: vec![(1_800_000, "00:30".to_owned())],
            layers: vec![Layer { ink: Ink::Done, shape: Shape::Line { width: 2, dashed: false }, points }],
            deadline: None,
            times_shown: true,
        };
        drawing(&chart, &Palette::light(), Surface { width: 700.0, height: 100.0, scale: 1.0, text: 1.0 })
    }

    #[test]
    fn what_looks_the_same_is_equal() {
        let before = hour(vec![(0, 0.0), (60_000, 50.0)]);
        assert_eq!(before, hour(vec![(0, 0.0), (60_000, 50.0), (61_000, 50.1)]), "a tenth of a pixel cannot be seen");
        assert_ne!(before, hour(vec![(0, 0.0), (60_000, 50.0), (61_000, 58.0)]));
        assert_ne!(before, hour(vec![(0, 0.0), (60_000, 50.0), (90_000, 50.0)]));
    }
}
