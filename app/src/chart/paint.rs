//! Draws what `drawing` made on any plotters backend: canvas in the browser, SVG on the server.

use plotters::style::{
    Color, ShapeStyle, TextStyle,
    text_anchor::{HPos, Pos, VPos},
};
use plotters_backend::{DrawingBackend, DrawingErrorKind};

use super::drawing::{Anchor, Look, Place, Stroke, Surface};

const FONT: &str = "Inter, system-ui, sans-serif";
const FONT_SIZE: f64 = 11.0;
/// Dashes and their gaps, CSS pixels.
const DASH: f64 = 4.0;

/// Draws all strokes. `dash` makes the backend draw paths in dashes and gaps of so many pixels, or whole again for 0; when
/// it says that it cannot, each dash is drawn as a line.
pub fn paint<DB: DrawingBackend>(
    backend: &mut DB,
    strokes: &[Stroke],
    surface: Surface,
    dash: impl Fn(f64) -> bool,
) -> Result<(), DrawingErrorKind<DB::ErrorType>> {
    for Stroke { color, look } in strokes {
        match look {
            Look::Line { path, width, dashed } => {
                let style = ShapeStyle { color: color.to_rgba(), filled: false, stroke_width: *width };
                let length = DASH * surface.scale;
                if *dashed && !dash(length) {
                    dashes(path, length).into_iter().try_for_each(|(from, to)| backend.draw_line(from, to, &style))?;
                    continue;
                }
                match path[..] {
                    [from, to] => backend.draw_line(from, to, &style)?,
                    _ => backend.draw_path(path.iter().copied(), &style)?,
                }
                if *dashed {
                    dash(0.0);
                }
            }
            Look::Fill { outline, alpha } => backend.fill_polygon(outline.iter().copied(), &color.mix(*alpha))?,
            Look::Words { text, at, anchor } => {
                let mut style = TextStyle::from((FONT, FONT_SIZE * surface.scale * surface.text));
                style.color = color.to_backend_color();
                style.pos = match anchor {
                    Anchor::TopLeft => Pos::new(HPos::Left, VPos::Top),
                    Anchor::TopCenter => Pos::new(HPos::Center, VPos::Top),
                    Anchor::MiddleRight => Pos::new(HPos::Right, VPos::Center),
                };
                backend.draw_text(text, &style, *at)?;
            }
        }
    }
    backend.present()
}

/// A path cut into dashes of `length` pixels with gaps of the same length.
fn dashes(path: &[Place], length: f64) -> Vec<(Place, Place)> {
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
    fn dashes_leave_gaps_and_go_on_round_corners() {
        assert_eq!(dashes(&[(0, 0), (20, 0)], 4.0), [((0, 0), (4, 0)), ((8, 0), (12, 0)), ((16, 0), (20, 0))]);
        assert_eq!(dashes(&[(0, 0), (6, 0), (6, 6)], 4.0), [((0, 0), (4, 0)), ((6, 2), (6, 6))]);
    }
}
