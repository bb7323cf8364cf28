//! Geometry: which part of the plane is seen, how it is cut into tiles, and the line of text that names a tile.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What is looked at, and how closely.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Centre, real part.
    pub re: f64,
    /// Centre, imaginary part.
    pub im: f64,
    /// Width of the whole picture in the plane. Below 1e-13 an f64 no longer tells neighbours apart.
    pub width: f64,
    /// Iterations after which a point counts as inside.
    pub depth: u32,
    /// Samples a pixel in each direction: 2 means four samples.
    pub samples: u32,
}

/// The picture's size, as columns and rows of square tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    pub columns: u32,
    pub rows: u32,
    /// Side of a tile in pixels.
    pub tile: u32,
}

/// Pixels of the whole picture, counted from its upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// One item of the workload: everything that is needed to draw one tile.
/// As text: `x=3 y=7 tiles=30x30 tile=80 samples=2 depth=20000 view=-0.7436429,0.1318262,1e-5`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Item {
    pub x: u32,
    pub y: u32,
    pub grid: Grid,
    pub view: View,
}

impl View {
    /// The point of the plane under one sample. It depends on the picture's size and on the sample's place alone,
    /// so that a tile drawn by itself has the very bytes that it has in the whole.
    pub fn point(&self, grid: Grid, pixel: (u32, u32), sample: (u32, u32)) -> (f64, f64) {
        let share = |pixel: u32, sample: u32| f64::from(pixel) + (f64::from(sample) + 0.5) / f64::from(self.samples);
        let scale = self.width / f64::from(grid.width());
        let right = share(pixel.0, sample.0) - f64::from(grid.width()) / 2.0;
        let down = share(pixel.1, sample.1) - f64::from(grid.height()) / 2.0;
        (self.re + right * scale, self.im - down * scale)
    }
}

impl Grid {
    /// Pixels.
    pub fn width(self) -> u32 {
        self.columns * self.tile
    }

    /// Pixels.
    pub fn height(self) -> u32 {
        self.rows * self.tile
    }

    pub fn whole(self) -> Rect {
        Rect { x: 0, y: 0, width: self.width(), height: self.height() }
    }

    /// All tiles, row by row.
    pub fn items(self, view: View) -> impl Iterator<Item = Item> {
        (0..self.rows).flat_map(move |y| (0..self.columns).map(move |x| Item { x, y, grid: self, view }))
    }
}

impl Item {
    pub fn rect(&self) -> Rect {
        let side = self.grid.tile;
        Rect { x: self.x * side, y: self.y * side, width: side, height: side }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { x, y, grid, view } = self;
        write!(
            out,
            "x={x} y={y} tiles={}x{} tile={} samples={} depth={} view={},{},{:e}",
            grid.columns, grid.rows, grid.tile, view.samples, view.depth, view.re, view.im, view.width
        )
    }
}

/// What is wrong with the text of an item.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ItemError {
    #[error("`{0}` is not of the form name=value")]
    Word(String),
    #[error("{0}= is missing")]
    Missing(&'static str),
    /// The name, and the value that does not fit it.
    #[error("{0}={1} makes no sense")]
    Value(&'static str, String),
}

impl FromStr for Item {
    type Err = ItemError;

    fn from_str(text: &str) -> Result<Self, ItemError> {
        let words: BTreeMap<&str, &str> = text
            .split_whitespace()
            .map(|word| word.split_once('=').ok_or_else(|| ItemError::Word(word.to_owned())))
            .collect::<Result<_, _>>()?;
        let word = |name| words.get(name).copied().ok_or(ItemError::Missing(name));
        let wrong = |name| move |value: &str| ItemError::Value(name, value.to_owned());
        let whole = |name, least: u32, most: u32| {
            let value = word(name)?;
            let number = value.parse().ok().filter(|number| (least..=most).contains(number));
            number.ok_or_else(|| wrong(name)(value))
        };

        let tiles = word("tiles")?;
        let (columns, rows) = tiles
            .split_once('x')
            .and_then(|(columns, rows)| Some((columns.parse().ok()?, rows.parse().ok()?)))
            .filter(|(columns, rows)| (1..=1000).contains(columns) && (1..=1000).contains(rows))
            .ok_or_else(|| wrong("tiles")(tiles))?;

        let place = word("view")?;
        let numbers: Vec<f64> = place.split(',').filter_map(|number| number.parse().ok()).collect();
        let &[re, im, width] = numbers.as_slice() else {
            return Err(wrong("view")(place));
        };
        if !(re.is_finite() && im.is_finite() && width.is_finite() && 0.0 < width) {
            return Err(wrong("view")(place));
        }

        Ok(Self {
            x: whole("x", 0, columns - 1)?,
            y: whole("y", 0, rows - 1)?,
            grid: Grid { columns, rows, tile: whole("tile", 1, 1024)? },
            view: View { re, im, width, depth: whole("depth", 1, 100_000_000)?, samples: whole("samples", 1, 16)? },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_the_same_after_a_trip_through_text() {
        let view = View { re: -0.743_643_862_69, im: 0.131_825_902_71, width: 1.3526e-7, depth: 40_000, samples: 2 };
        for item in (Grid { columns: 3, rows: 2, tile: 64 }).items(view) {
            assert_eq!(item.to_string().parse(), Ok(item));
        }
    }

    #[test]
    fn a_bad_item_says_what_is_wrong() {
        let text = "x=3 y=0 tiles=3x2 tile=64 samples=2 depth=9 view=0,0,1";
        assert_eq!(text.parse::<Item>(), Err(ItemError::Value("x", "3".to_owned())));
        assert_eq!("hello".parse::<Item>(), Err(ItemError::Word("hello".to_owned())));
        assert_eq!("x=1".parse::<Item>(), Err(ItemError::Missing("tiles")));
    }
}
