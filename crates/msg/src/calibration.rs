//! [`CameraInfo`] from the YAML that camera_calibration writes and camera_info_manager reads.

use serde::Deserialize;
use thiserror::Error;

use super::camera_info::CameraInfo;
use shuffledet_core::yaml;

/// Why a calibration is invalid.
#[derive(Debug, Error)]
pub enum CalibrationError {
    #[error("camera calibration: {0}; expected the YAML that ROS camera_calibration writes")]
    Yaml(#[from] serde_yaml::Error),
    #[error("camera calibration: {key}: expected more than 0 pixels, found 0")]
    NoPixels { key: &'static str },
    #[error(
        "camera calibration: {key}: expected {expected}, found {rows}x{cols} with {len} numbers in data"
    )]
    Shape {
        key: &'static str,
        expected: &'static str,
        rows: usize,
        cols: usize,
        len: usize,
    },
    #[error(
        "camera calibration: distortion_coefficients: {model} takes {expected} numbers, found {found}"
    )]
    Coefficients {
        model: String,
        expected: &'static str,
        found: usize,
    },
    #[error("camera calibration: {key}: expected finite numbers, found {value} at data[{index}]")]
    NotFinite {
        key: &'static str,
        index: usize,
        value: f64,
    },
}

/// The content of the file. `camera_name` has no field in the message and is ignored, like every
/// unknown key.
#[derive(Deserialize)]
struct Calibration {
    image_width: u32,
    image_height: u32,
    camera_matrix: Matrix,
    distortion_model: String,
    distortion_coefficients: Matrix,
    rectification_matrix: Matrix,
    projection_matrix: Matrix,
}

#[derive(Deserialize)]
struct Matrix {
    rows: usize,
    cols: usize,
    data: Vec<f64>,
}

impl Matrix {
    fn fixed<const N: usize>(
        self,
        key: &'static str,
        shape: (usize, usize),
        expected: &'static str,
    ) -> Result<[f64; N], CalibrationError> {
        self.check_finite(key)?;
        match <[f64; N]>::try_from(self.data.as_slice()) {
            Ok(data) if (self.rows, self.cols) == shape => Ok(data),
            _ => Err(self.shape_error(key, expected)),
        }
    }

    fn vector(self, key: &'static str) -> Result<Vec<f64>, CalibrationError> {
        self.check_finite(key)?;
        let len = self.data.len();
        match (self.rows, self.cols) {
            (1, n) | (n, 1) if n == len => Ok(self.data),
            _ => Err(self.shape_error(key, "one row or column, as long as data")),
        }
    }

    fn check_finite(&self, key: &'static str) -> Result<(), CalibrationError> {
        match self.data.iter().position(|v| !v.is_finite()) {
            None => Ok(()),
            Some(index) => Err(CalibrationError::NotFinite {
                key,
                index,
                value: self.data[index],
            }),
        }
    }

    fn shape_error(&self, key: &'static str, expected: &'static str) -> CalibrationError {
        CalibrationError::Shape {
            key,
            expected,
            rows: self.rows,
            cols: self.cols,
            len: self.data.len(),
        }
    }
}

impl CameraInfo {
    /// Reads a camera_calibration YAML. The header stays empty; binning and region of interest stay
    /// 0.
    ///
    /// Errors: a key is missing or has another type, a matrix has another shape, a number is not
    /// finite, or the number of coefficients does not match the distortion model. An unknown model
    /// is accepted unchecked.
    pub fn from_calibration_yaml(yaml: &str) -> Result<Self, CalibrationError> {
        let file: Calibration = yaml::parse(yaml)?;
        for (key, pixels) in [
            ("image_width", file.image_width),
            ("image_height", file.image_height),
        ] {
            if pixels == 0 {
                return Err(CalibrationError::NoPixels { key });
            }
        }
        let d = file
            .distortion_coefficients
            .vector("distortion_coefficients")?;
        let (fits, expected) = match file.distortion_model.as_str() {
            "plumb_bob" => (matches!(d.len(), 4 | 5), "4 or 5"),
            "rational_polynomial" => (matches!(d.len(), 8 | 12 | 14), "8, 12 or 14"),
            "equidistant" => (d.len() == 4, "4"),
            _ => (true, ""),
        };
        if !fits {
            return Err(CalibrationError::Coefficients {
                model: file.distortion_model,
                expected,
                found: d.len(),
            });
        }
        Ok(CameraInfo {
            height: file.image_height,
            width: file.image_width,
            k: file.camera_matrix.fixed("camera_matrix", (3, 3), "3x3")?,
            r: file
                .rectification_matrix
                .fixed("rectification_matrix", (3, 3), "3x3")?,
            p: file
                .projection_matrix
                .fixed("projection_matrix", (3, 4), "3x4")?,
            distortion_model: file.distortion_model,
            d,
            ..CameraInfo::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "\
image_width: 960
image_height: 540
camera_name: front
camera_matrix:
  rows: 3
  cols: 3
  data: [1000, 0., 480.5, 0., 1001.25, 270, 0., 0., 1.]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.25, 0.0625, 1.0e-3, -5e-4, 0]
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
projection_matrix:
  rows: 3
  cols: 4
  data:
  - 990
  - 0
  - 481
  - 0
  - 0
  - 991
  - 271
  - 0
  - 0
  - 0
  - 1
  - 0
";

    fn refusal(from: &str, to: &str) -> String {
        assert!(YAML.contains(from));
        CameraInfo::from_calibration_yaml(&YAML.replacen(from, to, 1))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_calibration_fills_the_message() {
        let info = CameraInfo::from_calibration_yaml(YAML).unwrap();
        assert_eq!((info.width, info.height), (960, 540));
        assert_eq!(info.distortion_model, "plumb_bob");
        assert_eq!(info.d, [-0.25, 0.0625, 1e-3, -5e-4, 0.0]);
        assert_eq!(info.k, [1000., 0., 480.5, 0., 1001.25, 270., 0., 0., 1.]);
        assert_eq!(info.r, [1., 0., 0., 0., 1., 0., 0., 0., 1.]);
        assert_eq!(
            info.p,
            [990., 0., 481., 0., 0., 991., 271., 0., 0., 0., 1., 0.]
        );
        assert_eq!(info.header.frame_id, "");
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(refusal("image_width: 960\n", "").contains("missing field `image_width`"));
        assert!(refusal("960", "-1").contains("image_width"));
        assert_eq!(
            refusal("540", "0"),
            "camera calibration: image_height: expected more than 0 pixels, found 0"
        );
        assert_eq!(
            refusal("480.5", ".nan"),
            "camera calibration: camera_matrix: expected finite numbers, found NaN at data[2]"
        );
        assert_eq!(
            refusal("  - 991\n", ""),
            "camera calibration: projection_matrix: expected 3x4, found 3x4 with 11 numbers in data"
        );
        assert_eq!(
            refusal("rows: 3, cols: 3", "rows: 9, cols: 1"),
            "camera calibration: rectification_matrix: expected 3x3, found 9x1 with 9 numbers in data"
        );
        assert_eq!(
            refusal("cols: 5", "cols: 4"),
            "camera calibration: distortion_coefficients: expected one row or column, as long as data, \
             found 1x4 with 5 numbers in data"
        );
        assert_eq!(
            refusal("plumb_bob", "equidistant"),
            "camera calibration: distortion_coefficients: equidistant takes 4 numbers, found 5"
        );
    }
}
