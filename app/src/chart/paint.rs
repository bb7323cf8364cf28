//! Draws a chart on any plotters backend: canvas in the browser, SVG on the server. Margins are the same
//! for all charts, so that one time axis goes through them.

use plotters::style::{
    Color, RGBAColor, RGBColor, ShapeStyle, TextStyle,
    text_anchor::{HPos, Pos, VPos},
};
use plotters_backend::{DrawingBackend, DrawingErrorKind};

use super::{
    model::{Chart, Layer, Shape},
    palette::{Ink, Palette},
};

/// Left of the plot, CSS pixels: room for the value labels. The stylesheet's crosshair knows it too.
pub const LEFT: f64 = 52.0;
/// Right of the plot: room for the deadline's time.
pub const RIGHT: f64 = 44.0;
const TOP: f64 = 10.0;
const FONT: &str = "Inter, system-ui, sans-serif";
const FONT_SIZE: f64 = 11.0;
/// Labels of moments nearer than this are left out.
const LABEL_ROOM: f64 = 64.0;

/// Dashes and their gaps, CSS pixels.
const DASH: f64 = 4.0;

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

struct Frame<'a> {
    chart: &'a Chart,
    surface: Surface,
    bottom: f64,
}

impl Frame<'_> {
    fn x(&self, at: i64) -> i32 {
        let inner = self.surface.width - LEFT - RIGHT;
        ((LEFT + inner * self.chart.span.place(at).clamp(0.0, 1.0)) * self.surface.scale).round() as i32
    }

    fn y(&self, value: f64) -> i32 {
        let inner = self.surface.height - TOP - self.bottom;
        ((TOP + inner * (1.0 - self.chart.axis.place(value))) * self.surface.scale).round() as i32
    }

    fn px(&self, css: f64) -> i32 {
        (css * self.surface.scale).round() as i32
    }

    fn stroke(&self, color: RGBColor, width: u32) -> ShapeStyle {
        let width = (f64::from(width) * self.surface.scale).round().max(1.0) as u32;
        ShapeStyle { color: color.to_rgba(), filled: false, stroke_width: width }
    }

    fn text(&self, color: RGBColor, across: HPos, down: VPos) -> TextStyle<'static> {
        let size = FONT_SIZE * self.surface.scale * self.surface.text;
        let mut style = TextStyle::from((FONT, size));
        style.color = color.to_backend_color();
        style.pos = Pos::new(across, down);
        style
    }
}

/// Draws grid, layers, deadline and labels; the background is left as it is. `dash` makes the backend draw paths in dashes
/// and gaps of so many pixels, or whole again for 0; when it says that it cannot, each dash is drawn as a line.
pub fn paint<DB: DrawingBackend>(
    backend: &mut DB,
    chart: &Chart,
    palette: &Palette,
    surface: Surface,
    dash: impl Fn(f64) -> bool,
) -> Result<(), DrawingErrorKind<DB::ErrorType>> {
    let frame = Frame { chart, surface, bottom: if chart.times_shown { 20.0 } else { 8.0 } };
    grid(backend, &frame, palette)?;
    for layer in &chart.layers {
        draw(backend, &frame, layer, palette.of(layer.ink), &dash)?;
    }
    deadline(backend, &frame, palette)?;
    backend.present()
}

fn grid<DB: DrawingBackend>(backend: &mut DB, frame: &Frame, palette: &Palette) -> Result<(), DrawingErrorKind<DB::ErrorType>> {
    let (left, right) = (frame.px(LEFT), frame.px(frame.surface.width - RIGHT));
    let line = frame.stroke(palette.of(Ink::Grid), 1);
    let text = frame.text(palette.of(Ink::Label), HPos::Right, VPos::Center);
    for (value, label) in &frame.chart.axis.ticks {
        let y = frame.y(*value);
        backend.draw_line((left, y), (right, y), &line)?;
        backend.draw_text(label, &text, (left - frame.px(8.0), y))?;
    }
    if frame.chart.times_shown {
        let text = frame.text(palette.of(Ink::Label), HPos::Center, VPos::Top);
        let y = frame.px(frame.surface.height - 15.0);
        let mut free_from = i32::MIN;
        for (at, label) in &frame.chart.time_ticks {
            let x = frame.x(*at);
            if x >= free_from {
                backend.draw_text(label, &text, (x, y))?;
                free_from = x.saturating_add(frame.px(LABEL_ROOM));
            }
        }
    }
    Ok(())
}

fn draw<DB: DrawingBackend>(
    backend: &mut DB,
    frame: &Frame,
    layer: &Layer,
    color: RGBColor,
    dash: impl Fn(f64) -> bool,
) -> Result<(), DrawingErrorKind<DB::ErrorType>> {
    let place = |points: &[(i64, f64)]| thin(points.iter().map(|&(at, value)| (frame.x(at), frame.y(value))));
    let path = place(&layer.points);
    if path.len() < 2 {
        return Ok(());
    }
    match &layer.shape {
        Shape::Line { width, dashed: false } => backend.draw_path(path, &frame.stroke(color, *width)),
        Shape::Line { width, dashed: true } => {
            let style = frame.stroke(color, *width);
            let length = DASH * frame.surface.scale;
            if dash(length) {
                backend.draw_path(path, &style)?;
                dash(0.0);
                return Ok(());
            }
            dashes(&path, length).into_iter().try_for_each(|(from, to)| backend.draw_line(from, to, &style))
        }
        Shape::Area { base, alpha } => {
            let mut outline = path;
            outline.extend(place(base).into_iter().rev());
            let fill: RGBAColor = color.mix(*alpha);
            backend.fill_polygon(outline, &fill)
        }
    }
}

fn deadline<DB: DrawingBackend>(backend: &mut DB, frame: &Frame, palette: &Palette) -> Result<(), DrawingErrorKind<DB::ErrorType>> {
    let Some((at, label)) = &frame.chart.deadline else { return Ok(()) };
    let (x, bottom) = (frame.x(*at), frame.px(frame.surface.height - frame.bottom));
    let color = palette.of(Ink::Deadline);
    backend.draw_line((x, 0), (x, bottom), &frame.stroke(color, 1))?;
    if frame.chart.times_shown {
        let text = frame.text(color, HPos::Left, VPos::Top);
        backend.draw_text(label, &text, (x + frame.px(4.0), 0))?;
    }
    Ok(())
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

/// A path cut into dashes of `length` pixels with gaps of the same length.
fn dashes(path: &[(i32, i32)], length: f64) -> Vec<((i32, i32), (i32, i32))> {
    let mut out = Vec::new();
    let mut walked = 0.0;
    for pair in path.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let (dx, dy) = (f64::from(to.0 - from.0), f64::from(to.1 - from.1));
        let far = dx.hypot(dy);
        let at = |along: f64| {
            let part = along / far;
            ((f64::from(from.0) + dx * part).round() as i32, (f64::from(from.1) + dy * part).round() as i32)
        };
        let mut along = 0.0;
        while along < far {
            let within = (walked + along) % (2.0 * length);
            let drawn = within < length;
            let next = (along + if drawn { length - within } else { 2.0 * length - within }).min(far);
            if drawn {
                out.push((at(along), at(next)));
            }
            // A whole pixel at least, so that rounding never stands still.
            along = next.max(along + 0.5);
        }
        walked += far;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_points_in_one_column_keep_their_extremes() {
        let thinned = thin([(0, 5), (1, 9), (1, 2), (1, 30), (1, 7), (2, 1)].into_iter());
        assert_eq!(thinned, [(0, 5), (1, 9), (1, 2), (1, 30), (1, 7), (2, 1)]);
        assert!(thin((0..10_000).map(|n| (n / 1000, n % 77))).len() <= 40);
    }

    #[test]
    fn dashes_leave_gaps_and_go_on_round_corners() {
        assert_eq!(dashes(&[(0, 0), (20, 0)], 4.0), [((0, 0), (4, 0)), ((8, 0), (12, 0)), ((16, 0), (20, 0))]);
        assert_eq!(dashes(&[(0, 0), (6, 0), (6, 6)], 4.0), [((0, 0), (4, 0)), ((6, 2), (6, 6))]);
    }
}
