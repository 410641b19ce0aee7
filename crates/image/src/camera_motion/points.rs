//! Points of a picture that can be followed: corners on a grid, outside of the objects.

use shuffledet_core::BBox;

use super::grey::{GreyPyramid, Level};

/// Side of a cell of the grid in pixels; each has one point at most.
const CELL: usize = 32;
/// Places that are tried in a cell, in each direction.
const TRIED: usize = 3;
/// From the border, in pixels.
const MARGIN: usize = 8;
/// Half the side of the window in which a corner shows.
const HALF: usize = 3;
/// The least change of grey levels in the direction in which they change least, as a mean square over
/// the window. The noise of a camera has less.
const LEAST_CHANGE: f32 = 20.0;
/// Objects are left out with a border of this share of their sides.
const BORDER: f64 = 0.1;

/// Replaces `points` by those of `picture`, in its pixels. `boxes` are in pixels of the image.
pub(super) fn select(
    picture: &GreyPyramid,
    boxes: impl Iterator<Item = BBox> + Clone,
    points: &mut Vec<[f32; 2]>,
) {
    points.clear();
    let Some(level) = picture.levels().first() else {
        return;
    };
    let [scale_x, scale_y] = picture.scale();
    let is_free = |x: usize, y: usize| {
        let (x, y) = ((x as f64 + 0.5) / scale_x, (y as f64 + 0.5) / scale_y);
        !boxes.clone().any(|bbox| holds(&bbox, x, y))
    };
    for top in (MARGIN..level.height.saturating_sub(MARGIN)).step_by(CELL) {
        for left in (MARGIN..level.width.saturating_sub(MARGIN)).step_by(CELL) {
            let mut best = (LEAST_CHANGE, None);
            for at in 0..TRIED * TRIED {
                let step = CELL / TRIED;
                let (x, y) = (
                    left + step / 2 + at % TRIED * step,
                    top + step / 2 + at / TRIED * step,
                );
                let inside = x + MARGIN < level.width && y + MARGIN < level.height;
                if inside && is_free(x, y) {
                    let change = least_change(level, x, y);
                    if change > best.0 {
                        best = (change, Some([x as f32, y as f32]));
                    }
                }
            }
            points.extend(best.1);
        }
    }
}

fn holds(bbox: &BBox, x: f64, y: f64) -> bool {
    let [x1, y1, x2, y2] = [bbox.x1, bbox.y1, bbox.x2, bbox.y2].map(f64::from);
    let (wide, high) = (BORDER * (x2 - x1), BORDER * (y2 - y1));
    (x1 - wide..=x2 + wide).contains(&x) && (y1 - high..=y2 + high).contains(&y)
}

/// The smaller eigenvalue of the mean structure tensor (J. Shi and C. Tomasi, "Good Features to
/// Track", 1994).
fn least_change(level: &Level, x: usize, y: usize) -> f32 {
    let (mut xx, mut xy, mut yy) = (0_i32, 0_i32, 0_i32);
    for row in y - HALF..=y + HALF {
        let line = |row: usize| &level.pixels[row * level.width..(row + 1) * level.width];
        let (above, this, below) = (line(row - 1), line(row), line(row + 1));
        for column in x - HALF..=x + HALF {
            let dx = i32::from(this[column + 1]) - i32::from(this[column - 1]);
            let dy = i32::from(below[column]) - i32::from(above[column]);
            xx += dx * dx;
            xy += dx * dy;
            yy += dy * dy;
        }
    }
    let count = (2 * HALF + 1).pow(2) as f32;
    // differences over two pixels
    let [xx, xy, yy] = [xx, xy, yy].map(|sum| sum as f32 / count / 4.0);
    (xx + yy) / 2.0 - (((xx - yy) / 2.0).powi(2) + xy * xy).sqrt()
}
