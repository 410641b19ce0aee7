//! Recognises rows with key points if `data.yaml` does not mention them. Such a row has an even
//! count of numbers after the class, as a polygon does.

/// The form of key points, as `kpt_shape` of `data.yaml` states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyPoints {
    pub points: usize,
    /// 2: x and y; 3: also the visibility, 0 to 2.
    pub dimensions: usize,
}

/// A point of a turned or rounded box may lie this much outside it, as a share of the image.
const SLACK: f64 = 0.01;

/// Returns the key points that the rows have if they are no polygons. `rows` has the numbers after
/// the class of each row that may be either.
///
/// The rows have key points if all have the same count of numbers, every point lies in the box of
/// its row (or is 0 0, not labelled), and most second pairs, which are the size of the box, lie
/// far from the other pairs. The corners of a polygon follow each other closely.
pub(super) fn recognise<'a>(rows: impl Iterator<Item = &'a [f64]> + Clone) -> Option<KeyPoints> {
    let count = rows.clone().next()?.len();
    let forms = [3, 2].map(|dimensions| KeyPoints {
        points: count.saturating_sub(4) / dimensions,
        dimensions,
    });
    let form = forms.into_iter().find(|form| {
        let mut rows = rows.clone();
        rows.all(|row| row.len() == count && form.fits(row))
    })?;
    let far = rows.clone().filter(|row| form.size_is_far(row)).count();
    (2 * far > rows.count()).then_some(form)
}

impl KeyPoints {
    fn points_of(self, row: &[f64]) -> impl Iterator<Item = &[f64]> {
        row.get(4..)
            .unwrap_or_default()
            .chunks_exact(self.dimensions)
    }

    fn fits(&self, row: &[f64]) -> bool {
        let &[x, y, w, h, ref rest @ ..] = row else {
            return false;
        };
        let in_box = |point: &[f64]| {
            let is_near =
                |at: f64, centre: f64, side: f64| (at - centre).abs() <= side / 2.0 + SLACK;
            point[..2] == [0.0, 0.0] || (is_near(point[0], x, w) && is_near(point[1], y, h))
        };
        let visible = |point: &[f64]| point[2..].iter().all(|v| [0.0, 1.0, 2.0].contains(v));
        self.points > 0
            && rest.len() == self.points * self.dimensions
            && self.points_of(row).all(|p| in_box(p) && visible(p))
    }

    /// Whether the second pair is farther from the centre and the points than these are from each
    /// other.
    fn size_is_far(self, row: &[f64]) -> bool {
        let labelled = self.points_of(row).filter(|p| p[..2] != [0.0, 0.0]);
        let others: Vec<&[f64]> = labelled.chain([&row[..2]]).collect();
        let distance = |a: &[f64], b: &[f64]| (a[0] - b[0]).hypot(a[1] - b[1]);
        let extent = others
            .iter()
            .flat_map(|a| others.iter().map(|b| distance(a, b)))
            .fold(0.0, f64::max);
        others
            .iter()
            .all(|other| distance(other, &row[2..4]) > extent)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(rows: &[&[f64]]) -> Option<KeyPoints> {
        recognise(rows.iter().copied())
    }

    const PLATE: [f64; 12] = [
        0.7, 0.6, 0.1, 0.04, 0.66, 0.59, 0.74, 0.59, 0.74, 0.61, 0.66, 0.61,
    ];

    #[test]
    fn key_points_are_recognised_with_and_without_visibility() {
        let flat = KeyPoints {
            points: 4,
            dimensions: 2,
        };
        assert_eq!(found(&[&PLATE]), Some(flat));
        let visible = [
            0.7, 0.6, 0.1, 0.04, 0.66, 0.59, 2.0, 0.74, 0.59, 1.0, 0.0, 0.0, 0.0, 0.66, 0.61, 2.0,
        ];
        let expected = KeyPoints {
            points: 4,
            dimensions: 3,
        };
        assert_eq!(found(&[&visible]), Some(expected));
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn rows_of_other_lengths_and_turned_boxes_are_polygons() {
        let triangle = [0.4, 0.3, 0.6, 0.3, 0.5, 0.7];
        assert_eq!(found(&[&PLATE, &triangle]), None);
        let turned = [0.5, 0.3, 0.6, 0.5, 0.5, 0.7, 0.4, 0.5];
        assert_eq!(found(&[&turned]), None);
        // a box of its own as a polygon
        assert_eq!(found(&[&[0.4, 0.4, 0.6, 0.4, 0.6, 0.6, 0.4, 0.6]]), None);
    }

    proptest! {
        #[test]
        fn round_polygons_are_no_key_points(
            centre in (0.2..0.8_f64, 0.2..0.8_f64), radius in 0.01..0.2_f64, corners in 4_usize..20, turn in 0.0..6.3_f64,
        ) {
            let row: Vec<f64> = (0..corners).flat_map(|index| {
                let angle = turn + index as f64 * std::f64::consts::TAU / corners as f64;
                [centre.0 + radius * angle.cos(), centre.1 + radius * angle.sin()]
            }).collect();
            prop_assert_eq!(found(&[&row]), None);
        }

        #[test]
        fn small_boxes_away_from_the_corner_have_key_points(
            centre in (0.4..0.9_f64, 0.4..0.9_f64), size in (0.02..0.1_f64, 0.02..0.1_f64),
            points in prop::collection::vec((-0.5..0.5_f64, -0.5..0.5_f64), 2..18),
        ) {
            let mut row = vec![centre.0, centre.1, size.0, size.1];
            for (x, y) in &points {
                row.extend([centre.0 + x * size.0, centre.1 + y * size.1]);
            }
            let expected = KeyPoints { points: points.len(), dimensions: 2 };
            prop_assert_eq!(found(&[&row]), Some(expected));
        }

        #[test]
        fn any_rows_are_taken(rows in prop::collection::vec(prop::collection::vec(any::<f64>(), 0..20), 0..4)) {
            let _ = recognise(rows.iter().map(Vec::as_slice));
        }
    }
}
