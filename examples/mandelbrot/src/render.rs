//! Draws a rectangle of the picture, and counts what it cost.

use crate::palette;
use crate::view::{Grid, Rect, View};

/// Pixels as red, green, blue bytes, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    pub rgb: Vec<u8>,
    /// Steps of the iteration in all samples: the cost, on any machine.
    pub iterations: u64,
}

pub fn draw(view: &View, grid: Grid, rect: Rect) -> Drawn {
    let mut rgb = Vec::with_capacity(rect.width as usize * rect.height as usize * 3);
    let mut iterations = 0;
    let share = 1.0 / f64::from(view.samples * view.samples);
    for y in rect.y..rect.y + rect.height {
        for x in rect.x..rect.x + rect.width {
            let mut light = [0.0; 3];
            for sample_y in 0..view.samples {
                for sample_x in 0..view.samples {
                    let (re, im) = view.point(grid, (x, y), (sample_x, sample_y));
                    let escape = escape(re, im, view.depth);
                    iterations += u64::from(escape.steps);
                    let colour = escape.smooth.map_or(palette::INSIDE, palette::colour);
                    for (sum, part) in light.iter_mut().zip(colour) {
                        *sum += part * share;
                    }
                }
            }
            rgb.extend(light.map(palette::to_byte));
        }
    }
    Drawn { rgb, iterations }
}

struct Escape {
    steps: u32,
    /// A continuous count of steps; `None` inside the set.
    smooth: Option<f64>,
}

/// Squared radius beyond which a point is gone. Far out, so that the smooth count shows no bands.
const FAR: f64 = 65_536.0;

/// No shortcut for points inside: their cost is what makes the tiles as unequal as real work is.
fn escape(re: f64, im: f64, depth: u32) -> Escape {
    let (mut x, mut y) = (0.0_f64, 0.0_f64);
    for step in 1..=depth {
        let (x2, y2) = (x * x, y * y);
        if FAR < x2 + y2 {
            let smooth = f64::from(step) - (0.5 * (x2 + y2).ln()).log2();
            return Escape { steps: step, smooth: Some(smooth) };
        }
        y = 2.0 * x * y + im;
        x = x2 - y2 + re;
    }
    Escape { steps: depth, smooth: None }
}
