//! The pinhole and its lens.

use nalgebra::{Point2, Vector3};
use thiserror::Error;

use crate::msg::camera_info::CameraInfo;

/// Why a CameraInfo does not tell where a pixel looks.
#[derive(Debug, Error, PartialEq)]
pub enum CameraError {
    #[error(
        "camera info: expected a positive focal length, found fx {fx}, fy {fy}; calibrate the camera"
    )]
    NotCalibrated { fx: f64, fy: f64 },
    #[error("camera info: expected finite numbers, found {found} in {field}; calibrate the camera")]
    NotFinite { field: &'static str, found: f64 },
    #[error(
        "camera info: expected distortion plumb_bob (4 or 5 numbers) or rational_polynomial (8), found {model:?} ({count}); use the rectified images"
    )]
    Distortion { model: String, count: usize },
    #[error("camera: expected a height of more than 0 m, found {found}")]
    Height { found: f64 },
    #[error("camera: expected a pitch within a quarter turn, found {found} rad")]
    Pitch { found: f64 },
}

/// Where each pixel looks.
#[derive(Debug, Clone, PartialEq)]
pub struct Intrinsics {
    /// In pixels of the image.
    focal: [f64; 2],
    /// In pixels of the image.
    centre: [f64; 2],
}

impl Intrinsics {
    /// Of the camera's own images: matrix `K` and the distortion, binning and region of interest taken into account.
    ///
    /// Errors: not calibrated, not finite, or another distortion model.
    pub fn raw(info: &CameraInfo) -> Result<Self, CameraError> {
        todo!()
    }

    /// Of rectified images (`image_rect`): matrix `P`, without distortion.
    ///
    /// Errors: not calibrated or not finite.
    pub fn rectified(info: &CameraInfo) -> Result<Self, CameraError> {
        todo!()
    }

    /// The direction in the optical frame in which a pixel looks, with z = 1; `None` where the lens model has no
    /// direction for it.
    pub fn ray(&self, pixel: Point2<f64>) -> Option<Vector3<f64>> {
        todo!()
    }
}
