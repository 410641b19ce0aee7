//! A camera whose calibration is known.

use thiserror::Error;

use super::{CameraError, Intrinsics};
use shuffledet_msg::CameraInfo;

/// The intrinsics of a camera, and the size of the images that they are for.
#[derive(Debug, Clone, PartialEq)]
pub struct CalibratedCamera {
    intrinsics: Intrinsics,
    /// Width and height in pixels; 0 if the calibration does not say.
    image: [u32; 2],
}

/// Images do not have the size that the camera was calibrated for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "the camera info is for images of {}x{}, found images of {}x{}; calibrate the camera for these, or \
     publish the camera info that belongs to them",
    expected[0], expected[1], found[0], found[1]
)]
pub struct ImageSizeError {
    pub expected: [u32; 2],
    pub found: [u32; 2],
}

/// How far the ratios of the sides may differ between the calibration and an image that was resized.
const ASPECT_TOLERANCE: f64 = 0.01;

impl CalibratedCamera {
    /// Takes the calibration of the camera's own images, or if `rectified` that of the images after
    /// rectification.
    ///
    /// # Errors
    /// The camera is not calibrated, a value is not finite, or the distortion model is another.
    pub fn new(info: &CameraInfo, rectified: bool) -> Result<Self, CameraError> {
        let intrinsics = match rectified {
            true => Intrinsics::rectified(info)?,
            false => Intrinsics::raw(info)?,
        };
        let roi = info.roi;
        let [width, height] = match (roi.width, roi.height) {
            (0, _) | (_, 0) => [info.width, info.height],
            part => part.into(),
        };
        Ok(Self {
            intrinsics,
            image: [
                width / info.binning_x.max(1),
                height / info.binning_y.max(1),
            ],
        })
    }

    /// Returns the intrinsics of an image of this size in pixels. An image of the same shape as the
    /// calibration was resized.
    ///
    /// # Errors
    /// The image has another shape.
    pub fn intrinsics(&self, found: [u32; 2]) -> Result<Intrinsics, ImageSizeError> {
        let expected = self.image;
        if expected == found || expected.contains(&0) {
            return Ok(self.intrinsics.clone());
        }
        let scale = [0, 1].map(|axis| f64::from(found[axis]) / f64::from(expected[axis]));
        let stretch = (scale[0] / scale[1] - 1.0).abs();
        if stretch.is_nan() || stretch > ASPECT_TOLERANCE {
            return Err(ImageSizeError { expected, found });
        }
        Ok(self.intrinsics.scaled(scale))
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::Point2;
    use shuffledet_msg::RegionOfInterest;

    use super::super::intrinsics::tests::camera;
    use super::*;

    fn calibrated(info: &CameraInfo) -> CalibratedCamera {
        CalibratedCamera::new(info, false).unwrap()
    }

    #[test]
    fn an_image_that_was_resized_looks_the_same_way() {
        let whole = calibrated(&camera("plumb_bob", &[-0.2, 0.05, 0.0, 0.0, 0.0]));
        let ray = |size, x, y| whole.intrinsics(size).unwrap().ray(Point2::new(x, y));
        let (own, half) = (
            ray([960, 540], 100.5, 300.5).unwrap(),
            ray([480, 270], 50.0, 150.0).unwrap(),
        );
        assert!((own - half).norm() < 1e-9, "{own} {half}");
    }

    #[test]
    fn an_image_of_another_shape_is_refused() {
        let camera = calibrated(&camera("", &[]));
        let error = camera.intrinsics([960, 400]).unwrap_err().to_string();
        assert!(
            error.contains("960x540") && error.contains("960x400"),
            "{error}"
        );
        assert!(camera.intrinsics([0, 0]).is_err());
    }

    #[test]
    fn a_region_and_binning_make_the_image_smaller() {
        let mut info = camera("", &[]);
        (info.binning_x, info.binning_y) = (2, 2);
        let whole = calibrated(&info);
        assert!(whole.intrinsics([480, 270]).is_ok());
        info.roi = RegionOfInterest {
            width: 800,
            height: 200,
            ..info.roi
        };
        let part = calibrated(&info);
        assert_eq!(part.image, [400, 100]);
        // a calibration that states no size fits every image
        (info.width, info.height, info.roi) = (0, 0, RegionOfInterest::default());
        assert!(calibrated(&info).intrinsics([7, 9]).is_ok());
    }
}
