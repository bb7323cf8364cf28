//! `mandelbrot`: an ordinary program that draws a deep zoom tile by tile. It knows nothing of who runs it:
//! an item is its argument, the result goes to standard output, the exit code says whether all went well.

mod palette;
mod picture;
mod render;
mod spread;
mod view;

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Parser, Subcommand};

use crate::picture::Assembly;
use crate::view::{Grid, Item, View};

/// A small copy of the set in the valley of the sea horses, three hundred thousand times enlarged.
pub const DEFAULT_VIEW: View = View { re: -0.743_642_9, im: 0.131_826_2, width: 1e-5, depth: 20_000, samples: 2 };

/// 900 tiles, 5.8 megapixels.
pub const DEFAULT_GRID: Grid = Grid { columns: 30, rows: 30, tile: 80 };

/// Draws a deep zoom into the Mandelbrot set, tile by tile or whole.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the workload: one item, that is one tile, a line.
    Items(Scene),
    /// Draw the tile of one item; the PNG goes to standard output.
    Tile { item: Item },
    /// Draw the whole picture in this one process.
    Whole {
        #[command(flatten)]
        scene: Scene,
        #[arg(long)]
        out: PathBuf,
    },
    /// Put tiles together; their names and order do not matter.
    Assemble {
        #[arg(long)]
        out: PathBuf,
        /// A folder whose files are all tiles.
        #[arg(long)]
        dir: Option<PathBuf>,
        tiles: Vec<PathBuf>,
    },
    /// Tell how unequal the tiles are.
    Spread(Scene),
}

#[derive(Args)]
struct Scene {
    /// Columns of tiles.
    #[arg(long, default_value_t = DEFAULT_GRID.columns, value_parser = clap::value_parser!(u32).range(1..=1000))]
    tiles_x: u32,
    /// Rows of tiles.
    #[arg(long, default_value_t = DEFAULT_GRID.rows, value_parser = clap::value_parser!(u32).range(1..=1000))]
    tiles_y: u32,
    /// Side of a tile, in pixels.
    #[arg(long, default_value_t = DEFAULT_GRID.tile, value_parser = clap::value_parser!(u32).range(1..=1024))]
    tile: u32,
    /// Centre, real part.
    #[arg(long, default_value_t = DEFAULT_VIEW.re, allow_negative_numbers = true)]
    re: f64,
    /// Centre, imaginary part.
    #[arg(long, default_value_t = DEFAULT_VIEW.im, allow_negative_numbers = true)]
    im: f64,
    /// Width of the picture in the plane.
    #[arg(long, default_value_t = DEFAULT_VIEW.width)]
    width: f64,
    /// Iterations after which a point counts as inside.
    #[arg(long, default_value_t = DEFAULT_VIEW.depth)]
    depth: u32,
    /// Samples a pixel in each direction.
    #[arg(long, default_value_t = DEFAULT_VIEW.samples, value_parser = clap::value_parser!(u32).range(1..=16))]
    samples: u32,
}

impl Scene {
    fn grid(&self) -> Grid {
        Grid { columns: self.tiles_x, rows: self.tiles_y, tile: self.tile }
    }

    fn view(&self) -> View {
        View { re: self.re, im: self.im, width: self.width, depth: self.depth, samples: self.samples }
    }
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mandelbrot: {}", words(&*error));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes.
fn words(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn run(command: Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Items(scene) => {
            let mut out = BufWriter::new(io::stdout().lock());
            for item in scene.grid().items(scene.view()) {
                writeln!(out, "{item}")?;
            }
            out.flush()?;
        }
        Command::Tile { item } => {
            let drawn = render::draw(&item.view, item.grid, item.rect());
            let mut out = BufWriter::new(io::stdout().lock());
            picture::write_tile(&mut out, &item, &drawn.rgb)?;
            out.flush()?;
        }
        Command::Whole { scene, out } => {
            let grid = scene.grid();
            write_whole(&out, grid, &render::draw(&scene.view(), grid, grid.whole()).rgb)?;
        }
        Command::Assemble { out, dir, mut tiles } => {
            if let Some(dir) = dir {
                for entry in fs::read_dir(&dir).map_err(|cause| format!("{}: {cause}", dir.display()))? {
                    tiles.push(entry?.path());
                }
            }
            let mut assembly = Assembly::default();
            for tile in tiles {
                place(&mut assembly, &tile).map_err(|cause| format!("{}: {}", tile.display(), words(&*cause)))?;
            }
            let (grid, rgb) = assembly.finish()?;
            write_whole(&out, grid, &rgb)?;
        }
        Command::Spread(scene) => {
            let start = Instant::now();
            let spread = spread::measure(&scene.view(), scene.grid());
            io::stdout().write_all(spread.words(start.elapsed()).as_bytes())?;
        }
    }
    Ok(())
}

fn place(assembly: &mut Assembly, tile: &Path) -> Result<(), Box<dyn Error>> {
    let (item, rgb) = picture::read_tile(BufReader::new(File::open(tile)?))?;
    Ok(assembly.place(&item, &rgb)?)
}

fn write_whole(path: &Path, grid: Grid, rgb: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut out = BufWriter::new(File::create(path).map_err(|cause| format!("{}: {cause}", path.display()))?);
    picture::write_whole(&mut out, grid, rgb)?;
    Ok(out.flush()?)
}
