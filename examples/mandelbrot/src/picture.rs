//! PNG: a picture out of pixels, and the whole picture out of tiles that say themselves where they belong.

use std::io::{BufRead, Seek, Write};

use crate::view::{Grid, Item, ItemError};

/// The keyword of the PNG text chunk in which a tile carries its item.
const ITEM: &str = "Item";

#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    #[error("could not write the PNG")]
    Encode {
        #[source]
        cause: png::EncodingError,
    },
    #[error("could not read the PNG")]
    Decode {
        #[source]
        cause: png::DecodingError,
    },
    #[error("it is no tile: it carries no item")]
    NoItem,
    #[error("it is no tile: its item cannot be read")]
    BadItem {
        #[source]
        cause: ItemError,
    },
    #[error("its pixels do not fit its item")]
    Pixels,
    #[error("it is a tile of another picture: {0}")]
    Stranger(Box<Item>),
    /// How many places have no tile, and the first of them.
    #[error("{count} tiles are missing, the first at x={x} y={y}")]
    Missing { count: usize, x: u32, y: u32 },
    #[error("there are no tiles")]
    NoTiles,
}

/// Writes a tile with its item inside.
pub fn write_tile(out: impl Write, item: &Item, rgb: &[u8]) -> Result<(), PictureError> {
    write(out, (item.grid.tile, item.grid.tile), rgb, Some(item))
}

/// Writes a whole picture.
pub fn write_whole(out: impl Write, grid: Grid, rgb: &[u8]) -> Result<(), PictureError> {
    write(out, (grid.width(), grid.height()), rgb, None)
}

fn write(out: impl Write, (width, height): (u32, u32), rgb: &[u8], item: Option<&Item>) -> Result<(), PictureError> {
    let mut encoder = png::Encoder::new(out, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    if let Some(item) = item {
        encoder.add_text_chunk(ITEM.to_owned(), item.to_string()).map_err(encode)?;
    }
    let mut writer = encoder.write_header().map_err(encode)?;
    writer.write_image_data(rgb).map_err(encode)?;
    writer.finish().map_err(encode)
}

fn encode(cause: png::EncodingError) -> PictureError {
    PictureError::Encode { cause }
}

fn decode(cause: png::DecodingError) -> PictureError {
    PictureError::Decode { cause }
}

/// Reads a tile: its item and its pixels.
pub fn read_tile(file: impl BufRead + Seek) -> Result<(Item, Vec<u8>), PictureError> {
    let mut reader = png::Decoder::new(file).read_info().map_err(decode)?;
    let info = reader.info();
    let text = info.uncompressed_latin1_text.iter().find(|chunk| chunk.keyword == ITEM);
    let text = &text.ok_or(PictureError::NoItem)?.text;
    let item: Item = text.parse().map_err(|cause| PictureError::BadItem { cause })?;
    let right = (info.width, info.height) == (item.grid.tile, item.grid.tile)
        && (info.color_type, info.bit_depth) == (png::ColorType::Rgb, png::BitDepth::Eight);
    if !right {
        return Err(PictureError::Pixels);
    }
    let mut rgb = vec![0; item.grid.tile as usize * item.grid.tile as usize * 3];
    reader.next_frame(&mut rgb).map_err(decode)?;
    Ok((item, rgb))
}

/// Tiles, in any order, put in their places. A tile may come twice; all must be of one picture, and none may be missing.
#[derive(Default)]
pub struct Assembly {
    /// Any tile, which stands for all: same grid, same view.
    first: Option<Item>,
    rgb: Vec<u8>,
    placed: Vec<bool>,
}

impl Assembly {
    pub fn place(&mut self, item: &Item, tile: &[u8]) -> Result<(), PictureError> {
        let first = *self.first.get_or_insert(*item);
        if (first.grid, first.view) != (item.grid, item.view) {
            return Err(PictureError::Stranger(Box::new(*item)));
        }
        let grid = item.grid;
        self.rgb.resize(grid.width() as usize * grid.height() as usize * 3, 0);
        self.placed.resize(grid.columns as usize * grid.rows as usize, false);
        let rect = item.rect();
        for (line, y) in tile.chunks_exact(rect.width as usize * 3).zip(rect.y..) {
            let start = (y as usize * grid.width() as usize + rect.x as usize) * 3;
            self.rgb[start..start + line.len()].copy_from_slice(line);
        }
        self.placed[(item.y * grid.columns + item.x) as usize] = true;
        Ok(())
    }

    /// The whole picture, when every place has its tile.
    pub fn finish(self) -> Result<(Grid, Vec<u8>), PictureError> {
        let grid = self.first.ok_or(PictureError::NoTiles)?.grid;
        let missing: Vec<u32> = (0..).zip(&self.placed).filter(|(_, placed)| !**placed).map(|(at, _)| at).collect();
        match missing.first() {
            None => Ok((grid, self.rgb)),
            Some(at) => Err(PictureError::Missing { count: missing.len(), x: at % grid.columns, y: at / grid.columns }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::render::draw;
    use crate::view::View;

    const VIEW: View = View { re: -0.75, im: 0.1, width: 0.3, depth: 300, samples: 2 };
    const GRID: Grid = Grid { columns: 5, rows: 4, tile: 7 };

    fn tile(item: &Item) -> Vec<u8> {
        let mut file = Vec::new();
        write_tile(&mut file, item, &draw(&item.view, item.grid, item.rect()).rgb).unwrap();
        file
    }

    #[test]
    fn tiles_drawn_alone_make_the_whole_byte_for_byte() {
        let mut whole = Vec::new();
        write_whole(&mut whole, GRID, &draw(&VIEW, GRID, GRID.whole()).rgb).unwrap();

        let mut items: Vec<Item> = GRID.items(VIEW).collect();
        items.reverse();
        items.push(items[3]);
        let mut assembly = Assembly::default();
        for item in &items {
            let named = item.to_string().parse().unwrap();
            let (item, rgb) = read_tile(Cursor::new(tile(&named))).unwrap();
            assembly.place(&item, &rgb).unwrap();
        }
        let (grid, rgb) = assembly.finish().unwrap();
        let mut assembled = Vec::new();
        write_whole(&mut assembled, grid, &rgb).unwrap();
        assert!(whole == assembled);
    }

    #[test]
    fn holes_and_strangers_are_named() {
        let mut assembly = Assembly::default();
        for item in GRID.items(VIEW).filter(|item| (item.x, item.y) != (2, 1)) {
            let (item, rgb) = read_tile(Cursor::new(tile(&item))).unwrap();
            assembly.place(&item, &rgb).unwrap();
        }
        let elsewhere = GRID.items(View { re: 0.3, ..VIEW }).next().unwrap();
        assert!(matches!(assembly.place(&elsewhere, &[]), Err(PictureError::Stranger(_))));
        assert!(matches!(assembly.finish(), Err(PictureError::Missing { count: 1, x: 2, y: 1 })));
        assert!(matches!(Assembly::default().finish(), Err(PictureError::NoTiles)));
    }
}
