//! Flat ground below a camera.

use std::f64::consts::FRAC_PI_2;

use nalgebra::{Point2, Rotation3, Vector3};

use super::{CameraError, Intrinsics};

/// A camera above flat ground.
#[derive(Debug, Clone, PartialEq)]
pub struct GroundPlane {
    intrinsics: Intrinsics,
    height_m: f64,
    /// From the camera's optical frame to a level body frame below it.
    to_level: Rotation3<f64>,
}

/// A place on the ground, seen from the point below the camera.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroundPoint {
    pub forward_m: f64,
    pub left_m: f64,
}

impl GroundPoint {
    /// Returns the distance along the ground in metres.
    pub fn distance_m(&self) -> f64 {
        self.forward_m.hypot(self.left_m)
    }
}

impl GroundPlane {
    /// Creates the ground plane of a camera at `height_m` metres. `pitch_rad` follows REP 103: it
    /// is positive if the camera looks down.
    ///
    /// # Errors
    /// The height is not positive, or the pitch is not within a quarter turn.
    pub fn new(intrinsics: Intrinsics, height_m: f64, pitch_rad: f64) -> Result<Self, CameraError> {
        if !(height_m > 0.0 && height_m.is_finite()) {
            return Err(CameraError::Height { found: height_m });
        }
        if pitch_rad.is_nan() || pitch_rad.abs() >= FRAC_PI_2 {
            return Err(CameraError::Pitch { found: pitch_rad });
        }
        // the optical axes as the body sees them: right, down, forward
        let optical_to_body =
            Rotation3::from_basis_unchecked(&[-Vector3::y(), -Vector3::z(), Vector3::x()]);
        let pitch = Rotation3::from_axis_angle(&Vector3::y_axis(), pitch_rad);
        Ok(Self {
            intrinsics,
            height_m,
            to_level: pitch * optical_to_body,
        })
    }

    /// Returns the point where the ray through a pixel meets the ground; `None` at or above the
    /// horizon, and if the lens model has no ray.
    pub fn point(&self, x_px: f64, y_px: f64) -> Option<GroundPoint> {
        let ray = self.to_level * self.intrinsics.ray(Point2::new(x_px, y_px))?;
        let point = ray * (self.height_m / -ray.z);
        (ray.z < 0.0 && point.x.is_finite() && point.y.is_finite()).then_some(GroundPoint {
            forward_m: point.x,
            left_m: point.y,
        })
    }

    /// Returns the point on the ground where an object stands: below the middle of the lower edge
    /// of its box (left, top, width, height).
    pub fn foot(&self, bbox: [f64; 4]) -> Option<GroundPoint> {
        self.point(bbox[0] + bbox[2] / 2.0, bbox[1] + bbox[3])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::intrinsics::tests::camera;
    use super::*;

    fn plane(height_m: f64, pitch_rad: f64) -> GroundPlane {
        let intrinsics = Intrinsics::raw(&camera("", &[])).unwrap();
        GroundPlane::new(intrinsics, height_m, pitch_rad).unwrap()
    }

    #[test]
    fn a_level_camera_sees_by_similar_triangles() {
        let ground = plane(1.5, 0.0);
        // 81 pixels below the horizon at a focal length of 810: one in ten
        let point = ground.point(480.0 + 160.0, 270.0 + 81.0).unwrap();
        assert!((point.forward_m - 15.0).abs() < 1e-9);
        assert!((point.left_m + 3.0).abs() < 1e-9);
        assert!((point.distance_m() - 15_f64.hypot(3.0)).abs() < 1e-9);
        assert_eq!(
            ground.foot([600.0, 51.0, 80.0, 300.0]),
            ground.point(640.0, 351.0)
        );
    }

    #[test]
    fn the_horizon_has_no_ground() {
        let ground = plane(1.5, 0.0);
        assert_eq!(ground.point(480.0, 270.0), None);
        assert_eq!(ground.point(480.0, 100.0), None);
        assert_eq!(ground.point(f64::NAN, 400.0), None);
    }

    #[test]
    fn looking_down_the_axis_meets_the_ground() {
        let ground = plane(2.0, std::f64::consts::FRAC_PI_4);
        let point = ground.point(480.0, 270.0).unwrap();
        assert!((point.forward_m - 2.0).abs() < 1e-9);
        // the horizon is up in the image then
        assert!(ground.point(480.0, 0.0).is_some());
        assert!(plane(2.0, -0.3).point(480.0, 500.0).is_none());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let intrinsics = || Intrinsics::raw(&camera("", &[])).unwrap();
        for height in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(
                GroundPlane::new(intrinsics(), height, 0.0),
                Err(CameraError::Height { .. })
            ));
        }
        for pitch in [1.6, -1.6, f64::NAN] {
            assert!(matches!(
                GroundPlane::new(intrinsics(), 1.0, pitch),
                Err(CameraError::Pitch { .. })
            ));
        }
    }

    proptest! {
        #[test]
        fn a_point_is_found_where_it_was_put(
            forward in 3.0..100_f64, left in -3.0..3_f64, height in 0.5..3_f64, pitch in -0.1..0.3_f64,
        ) {
            let ground = plane(height, pitch);
            // by hand: turn the way to the point into the camera's frame, and project it
            let (sin, cos) = f64::sin_cos(pitch);
            let (depth, down) = (forward * cos + height * sin, height * cos - forward * sin);
            let pixel = (480.0 - 800.0 * left / depth, 270.0 + 810.0 * down / depth);
            let point = ground.point(pixel.0, pixel.1).unwrap();
            prop_assert!((point.forward_m - forward).abs() < 1e-6 * forward);
            prop_assert!((point.left_m - left).abs() < 1e-6 * forward);
        }
    }
}
