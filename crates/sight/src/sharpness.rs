//! How sharp a picture is.

use crate::View;
use crate::view::sum_of_differences;

/// The distance of the coarser differences, in pixels.
const FAR: usize = 4;
/// The noise is that of the quietest tenth of the cells.
const COLUMNS: usize = 12;
const ROWS: usize = 8;
/// One row of so many is looked at.
const STEP: usize = 2;
const QUIET: usize = COLUMNS * ROWS / 10;

/// Returns the mean squared difference between neighbours over that at a distance of four pixels, both
/// without the noise; 1 for a picture without differences. A blur takes the finer differences first.
/// Noise adds the same to both: it is what the quietest cells show.
pub(crate) fn sharpness(view: &View) -> f32 {
    if view.width() < COLUMNS * FAR || view.height() < STEP * ROWS {
        return 1.0;
    }
    let mut cells = [0.0f32; COLUMNS * ROWS];
    let (mut near, mut far) = (0.0, 0.0);
    let mut rows = [0.0f32; ROWS];
    for y in (0..view.height()).step_by(STEP) {
        rows[y * ROWS / view.height()] += 1.0;
        let row = view.row(y);
        let cells = &mut cells[(y * ROWS / view.height()) * COLUMNS..][..COLUMNS];
        for (column, cell) in cells.iter_mut().enumerate() {
            let start = column * row.len() / COLUMNS;
            let end = (column + 1) * row.len() / COLUMNS;
            let part = &row[start..end];
            *cell += squared_differences(&part[1..], part) / (part.len() - 1) as f32;
        }
        near += squared_differences(&row[1..], row);
        far += squared_differences(&row[FAR..], row);
    }
    let height: f32 = rows.iter().sum();
    let near = near / (height * (view.width() - 1) as f32);
    let far = far / (height * (view.width() - FAR) as f32);
    for (cells, rows) in cells.chunks_exact_mut(COLUMNS).zip(rows) {
        cells.iter_mut().for_each(|cell| *cell /= rows.max(1.0));
    }
    cells.sort_unstable_by(f32::total_cmp);
    let noise = cells[QUIET];
    let (near, far) = (near - noise, far - noise);
    if far > 0.0 {
        (near / far).max(0.0)
    } else {
        1.0
    }
}

fn squared_differences(a: &[f32], b: &[f32]) -> f32 {
    sum_of_differences(a, b, |difference| difference * difference)
}
