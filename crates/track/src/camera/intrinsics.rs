//! The pinhole and its lens.

use nalgebra::{Point2, Vector2, Vector3};
use thiserror::Error;

use shuffledet_msg::camera_info::CameraInfo;

/// Why it is not known where a pixel looks.
#[derive(Debug, Error, PartialEq)]
pub enum CameraError {
    #[error(
        "camera info: expected focal lengths of more than 0 pixels, found {fx} and {fy}; calibrate the camera"
    )]
    NotCalibrated { fx: f64, fy: f64 },
    #[error("camera info: expected finite numbers, found {found}; calibrate the camera")]
    NotFinite { found: f64 },
    #[error(
        "camera info: expected distortion plumb_bob with 4 or 5 numbers or rational_polynomial with 8, found \
         {model:?} with {count}; use the rectified images"
    )]
    Distortion { model: String, count: usize },
    #[error("camera: expected a height above the ground of more than 0 m, found {found}")]
    Height { found: f64 },
    #[error(
        "camera: expected a pitch within a quarter turn (1.57 rad) of level, found {found} rad"
    )]
    Pitch { found: f64 },
}

/// Where each pixel looks.
#[derive(Debug, Clone, PartialEq)]
pub struct Intrinsics {
    /// Focal lengths in pixels of the image.
    focal: [f64; 2],
    /// Where the optical axis meets the image, in its pixels.
    centre: Point2<f64>,
    lens: Lens,
}

/// Distortion by the model of Brown and Conrady, in its rational form; all 0 is none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Lens {
    /// k1, k2, k3, with r^2, r^4, r^6.
    numerator: [f64; 3],
    /// k4, k5, k6, likewise.
    denominator: [f64; 3],
    /// p1, p2.
    tangential: [f64; 2],
}

impl Lens {
    fn new(info: &CameraInfo) -> Result<Self, CameraError> {
        if info.d.iter().all(|&number| number == 0.0) {
            return Ok(Self::default());
        }
        finite(&info.d)?;
        let at = |i: usize| info.d.get(i).copied().unwrap_or(0.0);
        let is_known = matches!(
            (info.distortion_model.as_str(), info.d.len()),
            ("plumb_bob", 4 | 5) | ("rational_polynomial", 8)
        );
        if !is_known {
            return Err(CameraError::Distortion {
                model: info.distortion_model.clone(),
                count: info.d.len(),
            });
        }
        Ok(Self {
            numerator: [at(0), at(1), at(4)],
            denominator: [at(5), at(6), at(7)],
            tangential: [at(2), at(3)],
        })
    }

    /// Returns the factor and the shift that distort a point of the plane z = 1.
    fn bend(&self, point: Point2<f64>) -> (f64, Vector2<f64>) {
        let (x, y) = (point.x, point.y);
        let r2 = x * x + y * y;
        let series = |k: [f64; 3]| 1.0 + r2 * (k[0] + r2 * (k[1] + r2 * k[2]));
        let [p1, p2] = self.tangential;
        let shift = Vector2::new(
            2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x),
            p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y,
        );
        (series(self.numerator) / series(self.denominator), shift)
    }

    fn distort(&self, point: Point2<f64>) -> Point2<f64> {
        let (scale, shift) = self.bend(point);
        point * scale + shift
    }

    /// Returns the undistorted point that is seen at `seen`, by iteration; `None` if the model has
    /// none, which happens far outside the image.
    fn undistort(&self, seen: Point2<f64>) -> Option<Point2<f64>> {
        const STEPS: usize = 100;
        /// On the plane z = 1: a thousandth of a pixel at a focal length of 1,000.
        const CLOSE: f64 = 1e-6;
        /// A smaller step changes nothing that matters.
        const SETTLED: f64 = 1e-12;
        let mut point = seen;
        for _ in 0..STEPS {
            let (scale, shift) = self.bend(point);
            let before = std::mem::replace(&mut point, (seen - shift) / scale);
            if (point - before).norm() < SETTLED {
                break;
            }
        }
        let error = (self.distort(point) - seen).norm();
        // not a number is not close
        (error < CLOSE).then_some(point)
    }
}

fn finite(numbers: &[f64]) -> Result<(), CameraError> {
    match numbers.iter().find(|number| !number.is_finite()) {
        Some(&found) => Err(CameraError::NotFinite { found }),
        None => Ok(()),
    }
}

impl Intrinsics {
    /// Returns the intrinsics of the camera's own images: matrix `K` and the distortion.
    ///
    /// # Errors
    /// The camera is not calibrated, a value is not finite, or the distortion model is another.
    pub fn raw(info: &CameraInfo) -> Result<Self, CameraError> {
        let [fx, _, cx, _, fy, cy, ..] = info.k;
        Self::new(info, [fx, fy], [cx, cy], Lens::new(info)?)
    }

    /// Returns the intrinsics of rectified images (`image_rect`): matrix `P`, without distortion.
    ///
    /// # Errors
    /// The camera is not calibrated, or a value is not finite.
    pub fn rectified(info: &CameraInfo) -> Result<Self, CameraError> {
        let [fx, _, cx, _, _, fy, cy, ..] = info.p;
        Self::new(info, [fx, fy], [cx, cy], Lens::default())
    }

    /// Adapts a matrix of the whole sensor to the image, which may be a region of it, and binned.
    fn new(
        info: &CameraInfo,
        [fx, fy]: [f64; 2],
        [cx, cy]: [f64; 2],
        lens: Lens,
    ) -> Result<Self, CameraError> {
        finite(&[fx, fy, cx, cy])?;
        if !(fx > 0.0 && fy > 0.0) {
            return Err(CameraError::NotCalibrated { fx, fy });
        }
        let [columns, rows] = [info.binning_x, info.binning_y].map(|n| f64::from(n.max(1)));
        let roi = info.roi;
        Ok(Self {
            focal: [fx / columns, fy / rows],
            centre: Point2::new(
                (cx - f64::from(roi.x_offset)) / columns,
                (cy - f64::from(roi.y_offset)) / rows,
            ),
            lens,
        })
    }

    /// Returns the intrinsics of the image, enlarged by these factors along x and y.
    pub fn scaled(&self, [x, y]: [f64; 2]) -> Self {
        Self {
            focal: [self.focal[0] * x, self.focal[1] * y],
            // pixel 0 of an image that is half as large shows the pixels 0 and 1: its centre is at 0.5
            centre: Point2::new(
                (self.centre.x + 0.5) * x - 0.5,
                (self.centre.y + 0.5) * y - 0.5,
            ),
            lens: self.lens,
        }
    }

    /// Returns the focal lengths along x and y in pixels of the image.
    pub fn focal_px(&self) -> [f64; 2] {
        self.focal
    }

    /// Returns the direction in the optical frame in which a pixel looks, with z = 1; `None` if the
    /// lens model has no direction for it.
    pub fn ray(&self, pixel: Point2<f64>) -> Option<Vector3<f64>> {
        let offset = pixel - self.centre;
        let seen = Point2::new(offset.x / self.focal[0], offset.y / self.focal[1]);
        let point = self.lens.undistort(seen)?;
        Some(Vector3::new(point.x, point.y, 1.0))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use shuffledet_msg::camera_info::RegionOfInterest;

    /// Returns a camera of 960x540 pixels with the distortion `d`.
    pub fn camera(model: &str, d: &[f64]) -> CameraInfo {
        CameraInfo {
            width: 960,
            height: 540,
            distortion_model: model.to_owned(),
            d: d.to_vec(),
            k: [800.0, 0.0, 480.0, 0.0, 810.0, 270.0, 0.0, 0.0, 1.0],
            p: [
                790.0, 0.0, 481.0, 0.0, 0.0, 800.0, 271.0, 0.0, 0.0, 0.0, 1.0, 0.0,
            ],
            ..CameraInfo::default()
        }
    }

    fn ray(info: &CameraInfo, x: f64, y: f64) -> Vector3<f64> {
        let intrinsics = Intrinsics::raw(info).unwrap();
        intrinsics.ray(Point2::new(x, y)).unwrap()
    }

    /// From cv2.undistortPoints (5.0, 1,000 iterations) with the same camera.
    #[test]
    fn rays_are_those_of_opencv() {
        let plumb_bob = [-0.28, 0.09, 0.0012, -0.0008, -0.014];
        let rational = [0.6, -0.2, 0.0003, -0.0002, -0.01, 0.9, 0.05, -0.02];
        for (model, d, expected) in [
            (
                "plumb_bob",
                plumb_bob.as_slice(),
                [
                    (-0.6597893649640525, -0.3410093278604048),
                    (0.0, 0.0),
                    (0.28402869802874064, 0.1655197178566521),
                    (0.7025427965458594, 0.3884259612865031),
                ],
            ),
            (
                "rational_polynomial",
                &rational,
                [
                    (-0.6987881450330797, -0.36038693938175237),
                    (0.0, 0.0),
                    (0.2848764000424842, 0.16615299502693545),
                    (0.7654423933936723, 0.424153077834033),
                ],
            ),
        ] {
            let info = camera(model, d);
            for ((x, y), (ray_x, ray_y)) in [
                (20.0, 30.0),
                (480.0, 270.0),
                (700.5, 400.25),
                (959.0, 539.0),
            ]
            .iter()
            .zip(expected)
            {
                let ours = ray(&info, *x, *y);
                let error = (ours - Vector3::new(ray_x, ray_y, 1.0)).norm();
                assert!(error < 1e-8, "{model} {x} {y}: {ours} {ray_x} {ray_y}");
            }
        }
    }

    #[test]
    fn a_region_and_binning_look_the_same_way() {
        let whole = camera("plumb_bob", &[-0.2, 0.05, 0.0, 0.0, 0.0]);
        let part = CameraInfo {
            binning_x: 2,
            binning_y: 2,
            roi: RegionOfInterest {
                x_offset: 100,
                y_offset: 200,
                width: 800,
                height: 300,
                do_rectify: false,
            },
            ..whole.clone()
        };
        let error = ray(&whole, 500.0, 420.0) - ray(&part, 200.0, 110.0);
        assert!(error.norm() < 1e-12);
    }

    #[test]
    fn rectified_images_are_not_distorted() {
        let info = camera("equidistant", &[0.1, 0.0, 0.0, 0.0]);
        let intrinsics = Intrinsics::rectified(&info).unwrap();
        let ray = intrinsics.ray(Point2::new(481.0 + 79.0, 271.0 - 80.0));
        assert_eq!(ray, Some(Vector3::new(0.1, -0.1, 1.0)));
        assert_eq!(
            Intrinsics::raw(&info).unwrap_err().to_string(),
            "camera info: expected distortion plumb_bob with 4 or 5 numbers or rational_polynomial with 8, found \
             \"equidistant\" with 4; use the rectified images"
        );
    }

    #[test]
    fn a_camera_without_calibration_is_refused() {
        let error = Intrinsics::raw(&CameraInfo::default()).unwrap_err();
        assert_eq!(error, CameraError::NotCalibrated { fx: 0.0, fy: 0.0 });
        let mut info = camera("plumb_bob", &[f64::NAN, 0.0, 0.0, 0.0]);
        assert!(matches!(
            Intrinsics::raw(&info),
            Err(CameraError::NotFinite { .. })
        ));
        info.d.clear();
        info.k[2] = f64::INFINITY;
        assert!(matches!(
            Intrinsics::raw(&info),
            Err(CameraError::NotFinite { .. })
        ));
    }

    proptest! {
        #[test]
        fn undistorting_undoes_distorting(
            x in -0.7..0.7, y in -0.5..0.5, k1 in -0.3..0.3, k2 in -0.05..0.05, p1 in -0.002..0.002,
        ) {
            let lens = Lens::new(&camera("plumb_bob", &[k1, k2, p1, -p1])).unwrap();
            let point = Point2::new(x, y);
            let back = lens.undistort(lens.distort(point)).unwrap();
            prop_assert!((back - point).norm() < 1e-6, "{back}");
        }

        #[test]
        fn no_number_brings_it_down(x: f64, y: f64, d in prop::collection::vec(any::<f64>(), 5)) {
            if let Ok(intrinsics) = Intrinsics::raw(&camera("plumb_bob", &d)) {
                intrinsics.ray(Point2::new(x, y));
            }
        }
    }
}
