//! Where a point of one picture is in the next: B. D. Lucas and T. Kanade, "An Iterative Image
//! Registration Technique" (1981), from coarse to fine, with the template of the first picture (S. Baker
//! and I. Matthews, "Lucas-Kanade 20 Years On", 2004: the inverse compositional form).

use super::grey::{GreyPyramid, Level};

/// Half the side of the window.
const HALF: usize = 5;
const SIDE: usize = 2 * HALF + 1;
/// With a border for the slopes.
const WIDE: usize = SIDE + 2;
const ITERATIONS: usize = 8;
/// A smaller step ends the search, in pixels.
const CLOSE: f32 = 0.02;
/// The mean difference of grey levels at which the point is another one.
const OTHER: f32 = 18.0;

/// Returns the place in `next` of the point `from` of `before`, both in pixels of the finest level.
/// `None` if it left the picture or looks different.
pub(super) fn follow(before: &GreyPyramid, next: &GreyPyramid, from: [f32; 2]) -> Option<[f32; 2]> {
    let mut shift = [0.0_f32; 2];
    let mut difference = f32::INFINITY;
    let levels = before.levels().iter().zip(next.levels()).enumerate().rev();
    for (number, (before, next)) in levels {
        shift = shift.map(|side| side * 2.0);
        // the middles of pixels lie at halves
        let scale = 0.5_f32.powi(number as i32);
        let at = from.map(|side| (side + 0.5) * scale - 0.5);
        match refine(before, next, at, shift) {
            Some((better, remaining)) => (shift, difference) = (better, remaining),
            // the border is near at a coarse level; the finest decides
            None if number > 0 => {}
            None => return None,
        }
    }
    (difference < OTHER).then(|| [from[0] + shift[0], from[1] + shift[1]])
}

/// Improves the shift of a window at one level. Returns the mean difference that remains, too.
fn refine(
    before: &Level,
    next: &Level,
    at: [f32; 2],
    mut shift: [f32; 2],
) -> Option<([f32; 2], f32)> {
    let template: [f32; WIDE * WIDE] = window(before, at)?;
    let mut slopes = [[0.0_f32; 2]; SIDE * SIDE];
    let (mut xx, mut xy, mut yy) = (0.0_f32, 0.0_f32, 0.0_f32);
    for row in 0..SIDE {
        for column in 0..SIDE {
            let centre = (row + 1) * WIDE + column + 1;
            let dx = (template[centre + 1] - template[centre - 1]) / 2.0;
            let dy = (template[centre + WIDE] - template[centre - WIDE]) / 2.0;
            slopes[row * SIDE + column] = [dx, dy];
            xx += dx * dx;
            xy += dx * dy;
            yy += dy * dy;
        }
    }
    let determinant = xx * yy - xy * xy;
    // a plain area or an edge: nothing to hold on to
    if determinant < 1e-3 * (xx + yy) * (xx + yy) || determinant < 1.0 {
        return None;
    }
    let mut difference = f32::INFINITY;
    for _ in 0..ITERATIONS {
        let moved: [f32; WIDE * WIDE] = window(next, [at[0] + shift[0], at[1] + shift[1]])?;
        let (mut x, mut y, mut sum) = (0.0_f32, 0.0_f32, 0.0_f32);
        for row in 0..SIDE {
            for column in 0..SIDE {
                let centre = (row + 1) * WIDE + column + 1;
                let error = moved[centre] - template[centre];
                let [dx, dy] = slopes[row * SIDE + column];
                x += dx * error;
                y += dy * error;
                sum += error.abs();
            }
        }
        difference = sum / (SIDE * SIDE) as f32;
        let step = [
            (yy * x - xy * y) / determinant,
            (xx * y - xy * x) / determinant,
        ];
        shift = [shift[0] - step[0], shift[1] - step[1]];
        if step[0].hypot(step[1]) < CLOSE {
            break;
        }
    }
    shift
        .iter()
        .all(|side| side.is_finite())
        .then_some((shift, difference))
}

/// The pixels around a point, interpolated between neighbours; `None` near the border.
fn window(level: &Level, at: [f32; 2]) -> Option<[f32; WIDE * WIDE]> {
    const BEFORE: f32 = (WIDE / 2) as f32;
    let corner = at.map(|side| (side - BEFORE).floor());
    let [share_x, share_y] = [0, 1].map(|axis| at[axis] - BEFORE - corner[axis]);
    let fits =
        |corner: f32, side: usize| corner >= 0.0 && corner + (WIDE + 1) as f32 <= side as f32;
    if !fits(corner[0], level.width) || !fits(corner[1], level.height) {
        return None;
    }
    let [left, top] = corner.map(|side| side as usize);
    let weights = [
        (1.0 - share_x) * (1.0 - share_y),
        share_x * (1.0 - share_y),
        (1.0 - share_x) * share_y,
        share_x * share_y,
    ];
    let mut found = [0.0; WIDE * WIDE];
    for (row, out) in found.chunks_exact_mut(WIDE).enumerate() {
        let begin = (top + row) * level.width + left;
        let upper = &level.pixels[begin..begin + WIDE + 1];
        let lower = &level.pixels[begin + level.width..begin + level.width + WIDE + 1];
        for (column, out) in out.iter_mut().enumerate() {
            let pixels = [
                upper[column],
                upper[column + 1],
                lower[column],
                lower[column + 1],
            ];
            let [a, b, c, d] = pixels.map(f32::from);
            *out = weights[0] * a + weights[1] * b + weights[2] * c + weights[3] * d;
        }
    }
    Some(found)
}
