//! How much boxes of a frame overlap.

use super::matrix::Matrix;

/// Left, top, right, bottom in pixels.
pub type Corners = [f64; 4];

/// The intersection over union of each box of `a` (rows) with each of `b` (columns); 0 for a box
/// without area.
pub fn overlaps(a: &[Corners], b: &[Corners]) -> Matrix {
    Matrix::filled(a.len(), b.len(), |row, column| {
        let (a, b) = (a[row], b[column]);
        let (area_a, area_b) = (area(a), area(b));
        let shared = intersection(a, b);
        let union = area_a + area_b - shared;
        if [area_a, area_b, union]
            .iter()
            .any(|&area| area <= f64::EPSILON)
        {
            0.0
        } else {
            shared / union
        }
    })
}

/// The share of `a` that lies in `region`; 0 where `a` has no area.
pub fn share_within(a: Corners, region: Corners) -> f64 {
    let area = area(a);
    if area > f64::EPSILON {
        intersection(a, region) / area
    } else {
        0.0
    }
}

fn area([left, top, right, bottom]: Corners) -> f64 {
    (right - left) * (bottom - top)
}

fn intersection(a: Corners, b: Corners) -> f64 {
    let width = a[2].min(b[2]) - a[0].max(b[0]);
    let height = a[3].min(b[3]) - a[1].max(b[1]);
    width.max(0.0) * height.max(0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn disjoint_and_flat_boxes_do_not_overlap() {
        let square = [0.0, 0.0, 2.0, 2.0];
        let others = [
            square,
            [1.0, 0.0, 3.0, 2.0],
            [5.0, 5.0, 6.0, 6.0],
            [0.0, 0.0, 0.0, 2.0],
        ];
        let found = overlaps(&[square], &others);
        let row: Vec<_> = (0..4).map(|column| found.at(0, column)).collect();
        assert_eq!(row, [1.0, 1.0 / 3.0, 0.0, 0.0]);
        assert_eq!(share_within(others[1], square), 0.5);
        assert_eq!(share_within(others[3], square), 0.0);
    }

    proptest! {
        #[test]
        fn overlap_is_a_share_and_symmetric(a in [0.0..50_f64, 0.0..50.0, 0.0..50.0, 0.0..50.0],
            b in [0.0..50_f64, 0.0..50.0, 0.0..50.0, 0.0..50.0]) {
            let corners = |[x, y, w, h]: [f64; 4]| [x, y, x + w, y + h];
            let (a, b) = (corners(a), corners(b));
            let overlap = overlaps(&[a], &[b]).at(0, 0);
            prop_assert!((0.0..=1.0 + 1e-12).contains(&overlap));
            prop_assert_eq!(overlap, overlaps(&[b], &[a]).at(0, 0));
        }
    }
}
