//! A chart as strokes, fills and words in whole pixels: plain data, so that two that look the same are equal.
//! Margins are the same for all charts, so that one time axis goes through them.

use control::live::MarkKind;
use plotters::style::RGBColor;

use super::{
    model::{Chart, Dash, Layer, Shape, WHOLE},
    palette::{Ink, Palette},
};

/// Left of the plot, CSS pixels: room for the value labels. The stylesheet's crosshair knows it too.
pub const LEFT: f64 = 52.0;
/// Right of the plot: room for the deadline's time.
pub const RIGHT: f64 = 52.0;
/// Above the plot: room for the marks.
const TOP: f64 = 10.0;
/// Above the marks of a chart that writes times: room for the deadline's and the finish.
const WORDS: f64 = 12.0;
/// Width and height of a mark; those that would touch are drawn as one.
const MARK: f64 = 8.0;
/// Usual width of a letter: text cannot be measured here.
const LETTER: f64 = 6.0;
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
        dash: Dash,
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
    TopRight,
    TopCenter,
    MiddleRight,
}

/// Grid, layers, deadline, marks and labels, in the order in which they are drawn; the background is left as it is.
pub fn drawing(chart: &Chart, palette: &Palette, surface: Surface) -> Vec<Stroke> {
    let (top, bottom) = if chart.times_shown { (TOP + WORDS, 20.0) } else { (TOP, 8.0) };
    let mut sheet = Sheet { chart, palette, surface, top, bottom, strokes: Vec::new() };
    let marks = sheet.apart();
    sheet.grid();
    // Below the data, as the grid is.
    marks.iter().for_each(|(x, _)| sheet.upright(Ink::Grid, *x, top));
    chart.layers.iter().for_each(|layer| sheet.layer(layer));
    sheet.deadline();
    sheet.finish();
    marks.into_iter().for_each(|mark| sheet.mark(mark));
    sheet.strokes
}

struct Sheet<'a> {
    chart: &'a Chart,
    palette: &'a Palette,
    surface: Surface,
    /// CSS pixels above and below the plot.
    top: f64,
    bottom: f64,
    strokes: Vec<Stroke>,
}

impl Sheet<'_> {
    fn x(&self, at: i64) -> i32 {
        let inner = self.surface.width - LEFT - RIGHT;
        let css = LEFT + inner * self.chart.span.place(at).clamp(0.0, 1.0);
        (css * self.surface.scale + self.chart.phase).round() as i32
    }

    fn y(&self, value: f64) -> i32 {
        let inner = self.surface.height - self.top - self.bottom;
        self.px(self.top + inner * (1.0 - self.chart.axis.place(value)))
    }

    fn px(&self, css: f64) -> i32 {
        (css * self.surface.scale).round() as i32
    }

    fn add(&mut self, ink: Ink, look: Look) {
        self.strokes.push(Stroke { color: self.palette.of(ink), look });
    }

    fn line(&mut self, ink: Ink, path: Vec<Place>, width: u32, dash: Dash) {
        let width = (f64::from(width) * self.surface.scale).round().max(1.0) as u32;
        self.add(ink, Look::Line { path, width, dash });
    }

    fn words(&mut self, ink: Ink, text: &str, at: Place, anchor: Anchor) {
        self.add(ink, Look::Words { text: text.to_owned(), at, anchor });
    }

    fn grid(&mut self) {
        let chart = self.chart;
        let (left, right) = (self.px(LEFT), self.px(self.surface.width - RIGHT));
        for (value, label) in &chart.axis.ticks {
            let y = self.y(*value);
            self.line(Ink::Grid, vec![(left, y), (right, y)], 1, WHOLE);
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
            Shape::Line { width, dash } => self.line(layer.ink, path, *width, dash),
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
        let x = self.x(*at);
        self.upright(Ink::Deadline, x, 0.0);
        if chart.times_shown {
            self.words(Ink::Deadline, label, (x + self.px(4.0), 0), Anchor::TopLeft);
        }
    }

    /// When it will be done, above the end of the fan and clear of the deadline's words.
    fn finish(&mut self) {
        let chart = self.chart;
        let Some((at, words)) = &chart.finish else { return };
        let width = self.px(LETTER * words.chars().count() as f64);
        let mut end = (self.x(*at) + width / 2).min(self.px(self.surface.width));
        if let Some((deadline, label)) = &chart.deadline {
            let line = self.x(*deadline);
            let behind = line + self.px(8.0 + LETTER * label.chars().count() as f64);
            if line < end && end - width < behind {
                end = line - self.px(4.0);
            }
        }
        self.words(Ink::Done, words, (end, 0), Anchor::TopRight);
    }

    /// A line down to the axis.
    fn upright(&mut self, ink: Ink, x: i32, from: f64) {
        let path = vec![(x, self.px(from)), (x, self.px(self.surface.height - self.bottom))];
        self.line(ink, path, 1, WHOLE);
    }

    /// Where the marks are drawn: of those that would touch, the weightiest stands for all, and of equals the newest.
    fn apart(&self) -> Vec<(i32, MarkKind)> {
        let mut out: Vec<(i32, MarkKind)> = Vec::new();
        for &(at, kind) in &self.chart.marks {
            let x = self.x(at);
            match out.last_mut() {
                Some((before, shown)) if x - *before <= self.px(MARK) => {
                    if weight(*shown) <= weight(kind) {
                        *shown = kind;
                    }
                }
                _ => out.push((x, kind)),
            }
        }
        out
    }

    /// At the top edge, above all data. The shapes are those of the row below the charts.
    fn mark(&mut self, (x, kind): (i32, MarkKind)) {
        let (half, top) = (self.px(MARK / 2.0), self.px(self.top - MARK - 1.0));
        let (left, right, middle, bottom) = (x - half, x + half, top + half, top + 2 * half);
        let (ink, outline) = match kind {
            MarkKind::More => (Ink::Running, vec![(left, bottom), (x, top), (right, bottom)]),
            MarkKind::Fewer => (Ink::Draining, vec![(left, top), (right, top), (x, bottom)]),
            MarkKind::Tuned => (Ink::Done, vec![(x, top), (right, middle), (x, bottom), (left, middle)]),
            MarkKind::Failure | MarkKind::Info => {
                self.line(Ink::Deadline, vec![(left, top), (right, bottom)], 2, WHOLE);
                return self.line(Ink::Deadline, vec![(left, bottom), (right, top)], 2, WHOLE);
            }
        };
        self.add(ink, Look::Fill { outline, alpha: 1.0 });
    }
}

/// The nearer to trouble, the more it counts where several marks are drawn as one.
fn weight(kind: MarkKind) -> u8 {
    match kind {
        MarkKind::Info => 0,
        MarkKind::More | MarkKind::Fewer => 1,
        MarkKind::Tuned => 2,
        MarkKind::Failure => 3,
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
    use crate::chart::kinds::ChartKind;
    use crate::chart::model::{Axis, Span};

    #[test]
    fn many_points_in_one_column_keep_their_extremes() {
        let thinned = thin([(0, 5), (1, 9), (1, 2), (1, 30), (1, 7), (2, 1)].into_iter());
        assert_eq!(thinned, [(0, 5), (1, 9), (1, 2), (1, 30), (1, 7), (2, 1)]);
        assert!(thin((0..10_000).map(|n| (n / 1000, n % 77))).len() <= 40);
    }

    /// A chart of an hour with one line, drawn 700 pixels wide.
    fn hour(points: Vec<(i64, f64)>) -> Vec<Stroke> {
        drawn(&chart(points))
    }

    fn chart(points: Vec<(i64, f64)>) -> Chart {
        Chart {
            span: Span::new(0, 3_600_000),
            axis: Axis::covering(0.0, 100.0, 4, |value| value.to_string()),
            time_ticks: vec![(1_800_000, "00:30".to_owned())],
            layers: vec![Layer { ink: Ink::Done, shape: Shape::Line { width: 2, dash: WHOLE }, points }],
            deadline: None,
            finish: None,
            marks: Vec::new(),
            times_shown: true,
            phase: 0.0,
        }
    }

    #[test]
    fn charts_of_an_hour_move_on_in_seconds_of_their_own() {
        let at = |second: i64, phase: f64| drawn(&Chart { phase, ..chart(vec![(0, 50.0), (second * 1000, 50.0)]) });
        let moved = |second: i64| {
            let phases = ChartKind::ALL.map(ChartKind::phase);
            phases.into_iter().filter(|phase| at(second, *phase) != at(second - 1, *phase)).count()
        };
        let counts: Vec<usize> = (600..700).map(moved).collect();
        assert!(counts.iter().all(|count| *count <= 1) && counts.contains(&1), "{counts:?}");
    }

    fn drawn(chart: &Chart) -> Vec<Stroke> {
        drawing(chart, &Palette::light(), Surface { width: 700.0, height: 100.0, scale: 1.0, text: 1.0 })
    }

    #[test]
    fn what_looks_the_same_is_equal() {
        let before = hour(vec![(0, 0.0), (60_000, 50.0)]);
        assert_eq!(before, hour(vec![(0, 0.0), (60_000, 50.0), (61_000, 50.1)]), "a tenth of a pixel cannot be seen");
        assert_ne!(before, hour(vec![(0, 0.0), (60_000, 50.0), (61_000, 58.0)]));
        assert_ne!(before, hour(vec![(0, 0.0), (60_000, 50.0), (90_000, 50.0)]));
    }

    /// Colour and corners of what is filled: in these charts, the marks alone.
    fn fills(strokes: &[Stroke]) -> Vec<(RGBColor, Vec<Place>)> {
        let fill = |stroke: &Stroke| match &stroke.look {
            Look::Fill { outline, .. } => Some((stroke.color, outline.clone())),
            _ => None,
        };
        strokes.iter().filter_map(fill).collect()
    }

    #[test]
    fn marks_have_shapes_of_their_own_above_the_data() {
        let at = |minute: i64| minute * 60_000;
        let marks = vec![(at(0), MarkKind::More), (at(15), MarkKind::Fewer), (at(30), MarkKind::Tuned), (at(45), MarkKind::Failure)];
        let plain = chart(vec![(0, 0.0), (at(60), 100.0)]);
        let strokes = drawn(&Chart { marks, ..plain.clone() });
        let fills = fills(&strokes);
        let palette = Palette::light();
        assert_eq!(
            fills.iter().map(|fill| fill.0).collect::<Vec<_>>(),
            [Ink::Running, Ink::Draining, Ink::Done].map(|ink| palette.of(ink))
        );
        assert_eq!(fills.iter().map(|fill| fill.1.len()).collect::<Vec<_>>(), [3, 3, 4]);
        assert_eq!(fills[0].1, [(48, 21), (52, 13), (56, 21)], "an arrow up, ending above the plot, which begins at 22");
        assert_eq!(fills[1].1, [(197, 13), (205, 13), (201, 21)], "an arrow down");
        // Four lines down from them, and the two of the cross.
        assert_eq!(strokes.len(), drawn(&plain).len() + 4 + 3 + 2);
    }

    #[test]
    fn marks_that_would_touch_are_one_and_the_weightiest_is_seen() {
        let marks = |kinds: &[(i64, MarkKind)]| {
            let chart = Chart { marks: kinds.to_vec(), ..chart(Vec::new()) };
            let palette = Palette::light();
            let sheet = Sheet {
                chart: &chart,
                palette: &palette,
                surface: Surface { width: 700.0, height: 100.0, scale: 1.0, text: 1.0 },
                top: TOP,
                bottom: 8.0,
                strokes: Vec::new(),
            };
            sheet.apart()
        };
        assert_eq!(marks(&[(0, MarkKind::Tuned), (1000, MarkKind::Fewer)]), [(52, MarkKind::Tuned)]);
        assert_eq!(marks(&[(0, MarkKind::More), (1000, MarkKind::Fewer)]), [(52, MarkKind::Fewer)]);
        let many: Vec<_> = (0..3600).map(|second| (second * 1000, MarkKind::More)).collect();
        let kept = marks(&many);
        assert!(kept.len() < 70 && kept.windows(2).all(|pair| 8 < pair[1].0 - pair[0].0), "{kept:?}");
    }

    #[test]
    fn the_finish_stands_clear_of_the_deadline() {
        let words = |finish: i64, deadline: i64| {
            let chart = Chart {
                finish: Some((finish, "00:40–00:50".to_owned())),
                deadline: Some((deadline, "00:58".to_owned())),
                ..chart(Vec::new())
            };
            let said = |stroke: Stroke| match stroke.look {
                Look::Words { text, at, .. } if text.contains('–') => Some(at.0),
                _ => None,
            };
            drawn(&chart).into_iter().find_map(said).unwrap()
        };
        let (left, inner) = (52, 596);
        assert_eq!(words(1_800_000, 3_500_000), left + inner / 2 + 33, "in the middle of its room");
        let line = left + (f64::from(inner) * 3500.0 / 3600.0).round() as i32;
        assert_eq!(words(3_480_000, 3_500_000), line - 4, "left of the deadline, not across it");
        assert!(words(3_300_000, 1_000_000) <= 700, "late: right of it");
    }
}
