//! Flat ground below a camera.

use super::{CameraError, Intrinsics};

/// A camera above flat ground.
#[derive(Debug, Clone, PartialEq)]
pub struct GroundPlane {
    intrinsics: Intrinsics,
    height_m: f64,
    pitch_rad: f64,
}

/// A place on the ground, from the point below the camera.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroundPoint {
    pub forward_m: f64,
    pub left_m: f64,
}

impl GroundPoint {
    /// In metres, along the ground.
    pub fn distance_m(&self) -> f64 {
        self.forward_m.hypot(self.left_m)
    }
}

impl GroundPlane {
    /// A camera at `height_m` metres; `pitch_rad` is REP 103's, positive when it looks down.
    ///
    /// Errors: a height that is not positive, a pitch that is not within a quarter turn.
    pub fn new(intrinsics: Intrinsics, height_m: f64, pitch_rad: f64) -> Result<Self, CameraError> {
        todo!()
    }

    /// Where the ray through a pixel meets the ground; `None` at or above the horizon.
    pub fn point(&self, x_px: f64, y_px: f64) -> Option<GroundPoint> {
        todo!()
    }

    /// Where an object stands whose box is left, top, width, height: below the middle of its lower edge.
    pub fn foot(&self, bbox: [f64; 4]) -> Option<GroundPoint> {
        self.point(bbox[0] + bbox[2] / 2.0, bbox[1] + bbox[3])
    }
}
