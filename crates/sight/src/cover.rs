//! Parts of the picture that something near the lens hides.

use crate::View;
use crate::view::mean_difference;

/// The picture is judged in cells.
const COLUMNS: usize = 12;
const ROWS: usize = 8;
/// A hidden cell has at most this mean difference between neighbours, in levels. Asphalt has 0.8 to
/// 1.0 and clear sky 0.4; those are not dark.
const TEXTURE: f32 = 1.5;
/// A hidden cell is darker than this share of what is seen,
const DARK: f32 = 0.5;
/// and darker than this, in levels. Asphalt beside a white lorry has 85 to 100.
const DARKEST: f32 = 45.0;
/// What is seen must be brighter, in levels: a dark night is no cover.
const DAYLIGHT: f32 = 60.0;

/// The mean level and the texture of a cell.
#[derive(Clone, Copy)]
struct Cell {
    level: f32,
    texture: f32,
}

/// Returns the share of cells that are dark and without texture, from 0 to 1. It is 0 where the rest
/// of the picture is dark too.
pub(crate) fn covered(view: &View) -> f32 {
    if view.width() < 2 * COLUMNS || view.height() < 2 * ROWS {
        return 0.0;
    }
    let cells: [Cell; COLUMNS * ROWS] =
        std::array::from_fn(|index| cell(view, index % COLUMNS, index / COLUMNS));
    let mut levels = cells.map(|cell| cell.level);
    levels.sort_unstable_by(f32::total_cmp);
    // nineteen twentieths may be hidden
    let seen = levels[levels.len() * 19 / 20];
    if seen < DAYLIGHT {
        return 0.0;
    }
    let limit = DARKEST.min(DARK * seen);
    let is_hidden = |cell: &&Cell| cell.texture < TEXTURE && cell.level < limit;
    cells.iter().filter(is_hidden).count() as f32 / cells.len() as f32
}

fn cell(view: &View, column: usize, row: usize) -> Cell {
    let bounds =
        |index: usize, parts: usize, side: usize| index * side / parts..(index + 1) * side / parts;
    let (columns, rows) = (
        bounds(column, COLUMNS, view.width()),
        bounds(row, ROWS, view.height()),
    );
    let line = |y: usize| &view.row(y)[columns.clone()];
    let (mut level, mut across, mut down, mut lines) = (0.0, 0.0, 0.0, 0.0f32);
    // one row of two
    for y in rows.skip(1).step_by(2) {
        level += line(y).iter().sum::<f32>() / columns.len() as f32;
        across += mean_difference(&line(y)[1..], line(y));
        down += mean_difference(line(y), line(y - 1));
        lines += 1.0;
    }
    let level = level / lines;
    let texture = across.max(down) / lines;
    Cell { level, texture }
}
