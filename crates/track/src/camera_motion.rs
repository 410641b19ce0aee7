//! The motion of the picture between two frames.

use shuffledet_core::BBox;

/// An affine map that takes a point of the frame before to this frame, in pixels:
/// `x' = a x + b y + tx`, `y' = c x + d y + ty`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CameraMotion {
    pub a: f64,
    pub b: f64,
    pub tx: f64,
    pub c: f64,
    pub d: f64,
    pub ty: f64,
}

impl CameraMotion {
    /// The motion of a camera that stands still.
    pub const NONE: CameraMotion = CameraMotion {
        a: 1.0,
        b: 0.0,
        tx: 0.0,
        c: 0.0,
        d: 1.0,
        ty: 0.0,
    };

    /// Returns the motion with the coefficients `[a, b, tx, c, d, ty]`. Returns `None` if the map
    /// scales an area to less than a quarter or more than four times, stretches a side to more than
    /// four times, or shifts by a million pixels: no camera moves so between two frames.
    pub fn new([a, b, tx, c, d, ty]: [f64; 6]) -> Option<Self> {
        let area = a * d - b * c;
        let is_possible = (0.25..=4.0).contains(&area)
            && [a, b, c, d].iter().all(|factor| factor.abs() <= 4.0)
            && [tx, ty].iter().all(|shift| shift.abs() < 1e6);
        is_possible.then_some(Self { a, b, tx, c, d, ty })
    }

    /// Returns the place of a point in this frame.
    pub fn point(&self, x: f64, y: f64) -> (f64, f64) {
        let (along, down) = self.direction(x, y);
        (along + self.tx, down + self.ty)
    }

    /// Returns the image of a direction or a velocity, which no shift changes.
    pub fn direction(&self, x: f64, y: f64) -> (f64, f64) {
        (self.a * x + self.b * y, self.c * x + self.d * y)
    }

    /// Returns the factor by which lengths grow: the root of the area's.
    pub fn scale(&self) -> f64 {
        (self.a * self.d - self.b * self.c).abs().sqrt()
    }

    /// Returns the motion that does this one, then `next`.
    pub fn then(&self, next: &CameraMotion) -> CameraMotion {
        let (a, c) = next.direction(self.a, self.c);
        let (b, d) = next.direction(self.b, self.d);
        let (tx, ty) = next.point(self.tx, self.ty);
        CameraMotion { a, b, tx, c, d, ty }
    }

    /// Returns the box with its centre moved and its sides scaled.
    pub fn moved(&self, bbox: &BBox) -> BBox {
        let (x1, x2) = (f64::from(bbox.x1), f64::from(bbox.x2));
        let (y1, y2) = (f64::from(bbox.y1), f64::from(bbox.y2));
        let (x, y) = self.point((x1 + x2) / 2.0, (y1 + y2) / 2.0);
        let half_width = (x2 - x1) / 2.0 * self.scale();
        let half_height = (y2 - y1) / 2.0 * self.scale();
        BBox {
            x1: (x - half_width) as f32,
            y1: (y - half_height) as f32,
            x2: (x + half_width) as f32,
            y2: (y + half_height) as f32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_motion() -> impl Strategy<Value = CameraMotion> {
        let near_one = 0.8..1.25;
        let shift = -50.0..50.0;
        (
            near_one.clone(),
            -0.1..0.1,
            shift.clone(),
            -0.1..0.1,
            near_one,
            shift,
        )
            .prop_map(|(a, b, tx, c, d, ty)| CameraMotion { a, b, tx, c, d, ty })
    }

    proptest! {
        #[test]
        fn one_motion_then_another_is_their_composition(first in any_motion(), second in any_motion(), x in -1e3..1e3, y in -1e3..1e3) {
            let (u, v) = first.point(x, y);
            let expected = second.point(u, v);
            let found = first.then(&second).point(x, y);
            prop_assert!((found.0 - expected.0).abs() < 1e-6 && (found.1 - expected.1).abs() < 1e-6);
        }
    }

    #[test]
    fn a_box_moves_and_grows() {
        let zoom = CameraMotion::new([2.0, 0.0, 1.0, 0.0, 2.0, -1.0]).unwrap();
        let bbox = BBox {
            x1: 10.0,
            y1: 10.0,
            x2: 20.0,
            y2: 30.0,
        };
        let expected = BBox {
            x1: 21.0,
            y1: 19.0,
            x2: 41.0,
            y2: 59.0,
        };
        assert_eq!(zoom.moved(&bbox), expected);
        assert_eq!(CameraMotion::NONE.moved(&bbox), bbox);
    }

    #[test]
    fn a_map_that_no_camera_makes_is_refused() {
        for coefficients in [
            [f64::NAN, 0.0, 0.0, 0.0, 1.0, 0.0],
            [1.0, 0.0, f64::INFINITY, 0.0, 1.0, 0.0],
            [0.0; 6],
            [-1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
            [3.0, 0.0, 0.0, 0.0, 3.0, 0.0],
            [1e30, 0.0, 0.0, 0.0, 1e-30, 0.0],
            [1.0, 0.0, 0.0, 0.0, 1.0, -1e38],
        ] {
            assert_eq!(CameraMotion::new(coefficients), None, "{coefficients:?}");
        }
    }
}
