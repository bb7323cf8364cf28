//! How unequal the tiles are: the cost of each, in iterations, seen at a lower resolution.

use std::time::Duration;

use crate::render::draw;
use crate::view::{Grid, View};

/// Pixels a side with which a tile is judged; 16 samples a tile are enough for the mean and the spread.
const JUDGED: u32 = 4;

pub struct Spread {
    pub tiles: usize,
    /// Iterations of a mean tile at full resolution.
    pub mean: f64,
    /// Iterations of the dearest tile at full resolution.
    pub largest: f64,
    /// Standard deviation over mean: 0 when all tiles cost the same.
    pub cv: f64,
    /// Iterations that were really done to find out.
    pub done: u64,
}

pub fn measure(view: &View, grid: Grid) -> Spread {
    let coarse = View { samples: 1, ..*view };
    let small = Grid { tile: JUDGED.min(grid.tile), ..grid };
    let scale = f64::from(grid.tile * view.samples) / f64::from(small.tile);
    let costs: Vec<u64> = small.items(coarse).map(|item| draw(&coarse, small, item.rect()).iterations).collect();
    let full: Vec<f64> = costs.iter().map(|&cost| cost as f64 * scale * scale).collect();
    let mean = full.iter().sum::<f64>() / full.len() as f64;
    let variance = full.iter().map(|cost| (cost - mean).powi(2)).sum::<f64>() / full.len() as f64;
    Spread {
        tiles: full.len(),
        mean,
        largest: full.iter().copied().fold(0.0, f64::max),
        cv: variance.sqrt() / mean,
        done: costs.iter().sum(),
    }
}

impl Spread {
    /// Three lines for people; `took` is how long the measurement took.
    pub fn words(&self, took: Duration) -> String {
        let per_iteration = took.as_secs_f64() / self.done as f64;
        format!(
            "{} tiles, coefficient of variation of their cost: {:.2}\n\
             mean tile: {:.1} million iterations, about {:.2} s here; the dearest {:.1} times that\n\
             whole picture: about {:.0} s on one core here\n",
            self.tiles,
            self.cv,
            self.mean / 1e6,
            self.mean * per_iteration,
            self.largest / self.mean,
            self.mean * per_iteration * self.tiles as f64,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DEFAULT_GRID, DEFAULT_VIEW};

    #[test]
    fn the_tiles_of_the_demo_are_very_unequal() {
        let spread = measure(&DEFAULT_VIEW, DEFAULT_GRID);
        assert!(900 <= spread.tiles);
        assert!(1.0 <= spread.cv, "coefficient of variation {}", spread.cv);
    }
}
