//! Turns the frames of a video as its file specifies.

use opencv::core::{
    Mat, ROTATE_90_CLOCKWISE, ROTATE_90_COUNTERCLOCKWISE, ROTATE_180, flip, rotate, transpose,
};

use super::container::DisplayMatrix;

/// The transformation that turns a decoded frame upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Clockwise.
    Quarter,
    Half,
    ThreeQuarters,
    /// Swaps left and right.
    Mirror,
    /// Swaps top and bottom.
    Flip,
    /// Swaps rows and columns.
    Transpose,
    /// Swaps rows and columns about the other diagonal.
    Transverse,
}

impl Turn {
    /// Returns the transformation of a matrix without its scale; `None` if it leaves frames
    /// unchanged.
    ///
    /// # Errors
    /// The matrix turns by an angle other than quarter turns: the angle in degrees, clockwise.
    pub fn from_matrix(matrix: &DisplayMatrix) -> Result<Option<Self>, f64> {
        let DisplayMatrix { a, b, c, d } = *matrix;
        // a file's numbers are rounded to 1/65536
        let none = |value: f64, beside: f64| value.abs() < 1e-3 * beside.abs();
        let straight = none(b, a) && none(c, d) && a != 0.0 && d != 0.0;
        let across = none(a, b) && none(d, c) && b != 0.0 && c != 0.0;
        match (straight, across) {
            (true, _) => Ok(match (a > 0.0, d > 0.0) {
                (true, true) => None,
                (false, false) => Some(Turn::Half),
                (false, true) => Some(Turn::Mirror),
                (true, false) => Some(Turn::Flip),
            }),
            (_, true) => Ok(Some(match (b > 0.0, c > 0.0) {
                (true, false) => Turn::Quarter,
                (false, true) => Turn::ThreeQuarters,
                (true, true) => Turn::Transpose,
                (false, false) => Turn::Transverse,
            })),
            // a matrix of zeros has no meaning
            _ if [a, b, c, d] == [0.0; 4] => Ok(None),
            _ => Err(b.atan2(a).to_degrees()),
        }
    }

    /// Writes the turned `frame` into `upright`.
    pub fn apply(self, frame: &Mat, upright: &mut Mat) -> opencv::Result<()> {
        match self {
            Turn::Quarter => rotate(frame, upright, ROTATE_90_CLOCKWISE),
            Turn::Half => rotate(frame, upright, ROTATE_180),
            Turn::ThreeQuarters => rotate(frame, upright, ROTATE_90_COUNTERCLOCKWISE),
            Turn::Mirror => flip(frame, upright, 1),
            Turn::Flip => flip(frame, upright, 0),
            Turn::Transpose => transpose(frame, upright),
            Turn::Transverse => {
                let mut turned = Mat::default();
                rotate(frame, &mut turned, ROTATE_180)?;
                transpose(&turned, upright)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use opencv::core::MatTraitConst;

    use super::*;

    fn matrix([a, b, c, d]: [f64; 4]) -> DisplayMatrix {
        DisplayMatrix { a, b, c, d }
    }

    #[test]
    fn every_turn_puts_each_pixel_where_the_matrix_says() {
        // 2 rows of 3 pixels: 0 1 2, 3 4 5
        let frame = Mat::from_slice_2d(&[[0_u8, 1, 2], [3, 4, 5]]).unwrap();
        for numbers in [
            [1.0, 0.0, 0.0, 1.0],
            [0.0, 1.0, -1.0, 0.0],
            [-1.0, 0.0, 0.0, -1.0],
            [0.0, -1.0, 1.0, 0.0],
            [-1.0, 0.0, 0.0, 1.0],
            [1.0, 0.0, 0.0, -1.0],
            [0.0, 1.0, 1.0, 0.0],
            [0.0, -1.0, -1.0, 0.0],
        ] {
            let [a, b, c, d] = numbers;
            let mut upright = frame.clone();
            if let Some(turn) = Turn::from_matrix(&matrix(numbers)).unwrap() {
                turn.apply(&frame, &mut upright).unwrap();
            }
            // the matrix turns about the corner; the shown part begins at its least x and y
            let shown = |x: f64, y: f64| (a * x + c * y, b * x + d * y);
            let corners =
                [(0.0, 0.0), (2.0, 0.0), (0.0, 1.0), (2.0, 1.0)].map(|(x, y)| shown(x, y));
            let least = corners.iter().fold((0.0_f64, 0.0_f64), |(x, y), corner| {
                (x.min(corner.0), y.min(corner.1))
            });
            for row in 0..2 {
                for column in 0..3 {
                    let (x, y) = shown(f64::from(column), f64::from(row));
                    let at = ((y - least.1) as i32, (x - least.0) as i32);
                    let found = *upright.at_2d::<u8>(at.0, at.1).unwrap();
                    assert_eq!(i32::from(found), 3 * row + column, "{numbers:?}");
                }
            }
        }
    }

    #[test]
    fn what_only_scales_or_says_nothing_turns_nothing() {
        assert_eq!(Turn::from_matrix(&matrix([2.0, 0.0, 0.0, 1.0])), Ok(None));
        assert_eq!(Turn::from_matrix(&matrix([0.0; 4])), Ok(None));
        assert_eq!(
            Turn::from_matrix(&matrix([1e-5, 1.0, -1.0, 0.0])),
            Ok(Some(Turn::Quarter))
        );
        let half = std::f64::consts::FRAC_1_SQRT_2;
        let angle = Turn::from_matrix(&matrix([half, half, -half, half])).unwrap_err();
        assert!((angle - 45.0).abs() < 1e-9);
        assert!(Turn::from_matrix(&matrix([f64::NAN; 4])).is_err());
    }
}
