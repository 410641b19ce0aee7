//! How much of a box lies in an outline.

/// Returns the share of a box (left, top, width, height) inside a polygon, in [0, 1]. The polygon
/// may be concave and have either direction. The share is arbitrary if the polygon crosses itself.
pub(super) fn share_inside(bbox: &[f64; 4], polygon: &[[f64; 2]]) -> f64 {
    let [left, top, width, height] = *bbox;
    let sides = [
        (0, left, 1.0),
        (0, left + width, -1.0),
        (1, top, 1.0),
        (1, top + height, -1.0),
    ];
    // each side of the box cuts off what is beyond it (Sutherland and Hodgman)
    let mut inside = polygon.to_vec();
    for (axis, limit, sign) in sides {
        let depth = |point: &[f64; 2]| (point[axis] - limit) * sign;
        let mut kept = Vec::with_capacity(inside.len() + 4);
        let before = inside.iter().cycle().skip(inside.len().saturating_sub(1));
        for (from, to) in before.zip(&inside) {
            let (start, end) = (depth(from), depth(to));
            if (start < 0.0) != (end < 0.0) {
                let at = start / (start - end);
                let mut crossing = [0, 1].map(|k| from[k] + (to[k] - from[k]) * at);
                crossing[axis] = limit;
                kept.push(crossing);
            }
            if end >= 0.0 {
                kept.push(*to);
            }
        }
        inside = kept;
    }
    let share = area(&inside) / (width * height);
    // what is not a number lies nowhere
    if share.is_finite() {
        share.clamp(0.0, 1.0)
    } else {
        0.0
    }
}

/// Returns the area of a polygon with either direction.
pub(super) fn area(polygon: &[[f64; 2]]) -> f64 {
    let next = polygon.iter().cycle().skip(1);
    let twice: f64 = (polygon.iter().zip(next))
        .map(|(a, b)| a[0] * b[1] - b[0] * a[1])
        .sum();
    twice.abs() / 2.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::matching::iou;

    const TRIANGLE: [[f64; 2]; 3] = [[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]];

    #[test]
    fn a_box_lies_in_part_in_a_triangle() {
        assert_eq!(area(&TRIANGLE), 50.0);
        assert_eq!(share_inside(&[0.0, 0.0, 10.0, 10.0], &TRIANGLE), 0.5);
        assert_eq!(share_inside(&[1.0, 1.0, 2.0, 2.0], &TRIANGLE), 1.0);
        assert_eq!(share_inside(&[6.0, 6.0, 2.0, 2.0], &TRIANGLE), 0.0);
        assert_eq!(share_inside(&[-5.0, 0.0, 10.0, 5.0], &TRIANGLE), 0.5);
        assert_eq!(share_inside(&[0.0, 0.0, 10.0, 10.0], &[]), 0.0);
    }

    #[test]
    fn a_notch_is_not_inside() {
        // a U: its arms from 0 to 2 and from 8 to 10
        let u = [
            [0.0, 0.0],
            [2.0, 0.0],
            [2.0, 8.0],
            [8.0, 8.0],
            [8.0, 0.0],
            [10.0, 0.0],
            [10.0, 10.0],
            [0.0, 10.0],
        ];
        assert_eq!(share_inside(&[0.0, 0.0, 10.0, 8.0], &u), 0.4);
        assert_eq!(share_inside(&[3.0, 0.0, 4.0, 8.0], &u), 0.0);
        let backwards: Vec<_> = u.into_iter().rev().collect();
        assert_eq!(share_inside(&[0.0, 0.0, 10.0, 8.0], &backwards), 0.4);
    }

    proptest! {
        #[test]
        fn a_rectangle_is_as_a_crowd(
            bbox in prop::array::uniform4(1.0..50.0_f64),
            region in prop::array::uniform4(1.0..50.0_f64),
        ) {
            let [x, y, w, h] = region;
            let corners = [[x, y], [x + w, y], [x + w, y + h], [x, y + h]];
            let expected = iou(&bbox, &region, true);
            prop_assert!((share_inside(&bbox, &corners) - expected).abs() < 1e-9);
        }

        #[test]
        fn any_numbers_are_taken(
            bbox in prop::array::uniform4(any::<f64>()),
            polygon in prop::collection::vec(prop::array::uniform2(any::<f64>()), 0..6),
        ) {
            prop_assert!((0.0..=1.0).contains(&share_inside(&bbox, &polygon)));
        }
    }
}
