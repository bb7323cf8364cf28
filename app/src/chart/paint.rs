//! Draws what `drawing` made on any plotters backend: canvas in the browser, SVG on the server.

use plotters::style::{
    Color, ShapeStyle, TextStyle,
    text_anchor::{HPos, Pos, VPos},
};
use plotters_backend::{DrawingBackend, DrawingErrorKind};

use super::drawing::{Anchor, Look, Place, Stroke, Surface};

const FONT: &str = "Inter, system-ui, sans-serif";
const FONT_SIZE: f64 = 11.0;

/// Draws all strokes. `dash` makes the backend draw paths in dashes and gaps of so many pixels in turn, or whole again for
/// none; when it says that it cannot, each dash is drawn as a line.
pub fn paint<DB: DrawingBackend>(
    backend: &mut DB,
    strokes: &[Stroke],
    surface: Surface,
    dash: impl Fn(&[f64]) -> bool,
) -> Result<(), DrawingErrorKind<DB::ErrorType>> {
    for Stroke { color, look } in strokes {
        match look {
            Look::Line { path, width, dash: pattern } => {
                let style = ShapeStyle { color: color.to_rgba(), filled: false, stroke_width: *width };
                let lengths: Vec<f64> = pattern.iter().map(|length| f64::from(*length) * surface.scale).collect();
                if !lengths.is_empty() && !dash(&lengths) {
                    dashes(path, &lengths).into_iter().try_for_each(|(from, to)| backend.draw_line(from, to, &style))?;
                    continue;
                }
                match path[..] {
                    [from, to] => backend.draw_line(from, to, &style)?,
                    _ => backend.draw_path(path.iter().copied(), &style)?,
                }
                if !lengths.is_empty() {
                    dash(&[]);
                }
            }
            Look::Fill { outline, alpha } => backend.fill_polygon(outline.iter().copied(), &color.mix(*alpha))?,
            Look::Words { text, at, anchor } => {
                let mut style = TextStyle::from((FONT, FONT_SIZE * surface.scale * surface.text));
                style.color = color.to_backend_color();
                style.pos = match anchor {
                    Anchor::TopLeft => Pos::new(HPos::Left, VPos::Top),
                    Anchor::TopRight => Pos::new(HPos::Right, VPos::Top),
                    Anchor::TopCenter => Pos::new(HPos::Center, VPos::Top),
                    Anchor::MiddleRight => Pos::new(HPos::Right, VPos::Center),
                };
                backend.draw_text(text, &style, *at)?;
            }
        }
    }
    backend.present()
}

/// A path cut into dashes and gaps of these lengths in turn, pixels.
fn dashes(path: &[Place], lengths: &[f64]) -> Vec<(Place, Place)> {
    let whole: f64 = lengths.iter().sum();
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
            let mut left = (walked + along) % whole;
            let mut place = 0;
            while place + 1 < lengths.len() && lengths[place] <= left {
                left -= lengths[place];
                place += 1;
            }
            let next = (along + lengths[place] - left).min(far);
            if place % 2 == 0 {
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
    fn dashes_leave_gaps_and_go_on_round_corners() {
        assert_eq!(dashes(&[(0, 0), (20, 0)], &[4.0, 4.0]), [((0, 0), (4, 0)), ((8, 0), (12, 0)), ((16, 0), (20, 0))]);
        assert_eq!(dashes(&[(0, 0), (6, 0), (6, 6)], &[4.0, 4.0]), [((0, 0), (4, 0)), ((6, 2), (6, 6))]);
        let dash_dot = [((0, 0), (8, 0)), ((11, 0), (13, 0)), ((16, 0), (24, 0)), ((27, 0), (28, 0))];
        assert_eq!(dashes(&[(0, 0), (28, 0)], &[8.0, 3.0, 2.0, 3.0]), dash_dot);
    }
}
