//! The calibration of a camera, as CameraInfo messages or a file give it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use shuffledet_core::bounded_file::TEXT_LIMIT;
use shuffledet_core::text;
use shuffledet_msg::{CalibrationError, CameraInfo};
use shuffledet_track::camera::{CalibratedCamera, CameraError};

/// Where the calibration of a camera comes from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CameraInfoOrigin {
    /// The calibration file; `None`: messages.
    pub file: Option<PathBuf>,
    /// The topic of messages; `None`: that beside the images.
    pub topic: Option<String>,
    /// Whether the images are rectified; `None`: if the name of their topic says so.
    pub rectified: Option<bool>,
}

impl CameraInfoOrigin {
    /// Returns whether the images of this topic are rectified.
    pub fn is_rectified(&self, image_topic: &str) -> bool {
        let raw = image_topic.strip_suffix("/compressed");
        let name = raw.unwrap_or(image_topic).rsplit('/').next();
        let by_name = name.is_some_and(|name| name.contains("rect"));
        self.rectified.unwrap_or(by_name)
    }

    /// Returns the feed of a camera with images on this topic: complete if the calibration comes from
    /// a file, else without a message so far.
    ///
    /// # Errors
    /// The file cannot be read, is no calibration, or describes a lens that is not known.
    pub fn feed(&self, image_topic: &str) -> Result<CameraInfoFeed, CameraInfoFileError> {
        let rectified = self.is_rectified(image_topic);
        match &self.file {
            Some(path) => CameraInfoFeed::from_file(path, rectified),
            None => Ok(CameraInfoFeed::new(rectified)),
        }
    }
}

/// The calibration of one camera so far.
#[derive(Debug, Default)]
pub struct CameraInfoFeed {
    /// Whether the images are rectified.
    rectified: bool,
    /// The last message.
    last: Vec<u8>,
    camera: Option<Arc<CalibratedCamera>>,
    problem: Option<String>,
}

/// A calibration file that cannot be used.
#[derive(Debug, Error)]
pub enum CameraInfoFileError {
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Calibration {
        path: PathBuf,
        source: CalibrationError,
    },
    #[error("{}: {source}", path.display())]
    Camera { path: PathBuf, source: CameraError },
}

/// A message that is longer holds no camera's coefficients, in bytes.
const LONGEST: usize = 65_536;
/// The place of the stamp in a message.
const STAMP: std::ops::Range<usize> = 4..12;

impl CameraInfoFeed {
    /// Waits for messages about images that are `rectified` or not.
    pub fn new(rectified: bool) -> Self {
        Self {
            rectified,
            ..Self::default()
        }
    }

    /// Reads the YAML of camera_calibration at `path`.
    ///
    /// # Errors
    /// The file cannot be read, is no calibration, or describes a lens that is not known.
    pub fn from_file(path: &Path, rectified: bool) -> Result<Self, CameraInfoFileError> {
        let path_buf = || path.to_owned();
        let yaml = text::read(path, TEXT_LIMIT).map_err(|source| CameraInfoFileError::Read {
            path: path_buf(),
            source,
        })?;
        let info = CameraInfo::from_calibration_yaml(&yaml).map_err(|source| {
            CameraInfoFileError::Calibration {
                path: path_buf(),
                source,
            }
        })?;
        let camera = CalibratedCamera::new(&info, rectified);
        let camera = camera.map_err(|source| CameraInfoFileError::Camera {
            path: path_buf(),
            source,
        })?;
        Ok(Self {
            camera: Some(Arc::new(camera)),
            ..Self::new(rectified)
        })
    }

    /// Takes a `sensor_msgs/msg/CameraInfo` in CDR. Returns whether it says something else than the
    /// one before.
    pub fn take(&mut self, message: &[u8]) -> bool {
        if without_stamp(message).eq(without_stamp(&self.last)) {
            return false;
        }
        self.last.clear();
        self.last
            .extend_from_slice(&message[..message.len().min(LONGEST)]);
        match self.read(message) {
            Ok(camera) => {
                self.camera = Some(Arc::new(camera));
                self.problem = None;
                true
            }
            Err(problem) => {
                self.camera = None;
                let problem = Some(problem);
                let is_new = self.problem != problem;
                self.problem = problem;
                is_new
            }
        }
    }

    fn read(&self, message: &[u8]) -> Result<CalibratedCamera, String> {
        if message.len() > LONGEST {
            let bytes = message.len();
            return Err(format!(
                "camera info: expected at most {LONGEST} bytes, found {bytes}; check what publishes it"
            ));
        }
        let info = CameraInfo::parse(message).map_err(|error| error.to_string())?;
        CalibratedCamera::new(&info, self.rectified).map_err(|error| error.to_string())
    }

    /// Returns the calibration, if there is one that can be used.
    pub fn camera(&self) -> Option<Arc<CalibratedCamera>> {
        self.camera.clone()
    }

    /// Returns why the last message cannot be used.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }
}

/// Returns the bytes of a message except for its stamp.
fn without_stamp(message: &[u8]) -> impl Iterator<Item = &u8> {
    let (before, after) = (message.get(..STAMP.start), message.get(STAMP.end..));
    // a message that ends before its stamp is compared as a whole
    let whole = after.is_none().then_some(message);
    let parts = [whole, before.filter(|_| after.is_some()), after];
    parts.into_iter().flatten().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shuffledet_msg::{Header, Stamp};

    fn info(focal: f64, sec: i32) -> Vec<u8> {
        let info = CameraInfo {
            header: Header {
                stamp: Stamp { sec, nanosec: 0 },
                frame_id: "optical".to_owned(),
            },
            width: 640,
            height: 480,
            k: [focal, 0.0, 320.0, 0.0, focal, 240.0, 0.0, 0.0, 1.0],
            ..CameraInfo::default()
        };
        let mut message = Vec::new();
        info.write(&mut message).unwrap();
        message
    }

    fn focal(feed: &CameraInfoFeed) -> Option<f64> {
        let camera = feed.camera()?;
        Some(camera.intrinsics([640, 480]).unwrap().focal_px()[0])
    }

    #[test]
    fn rectified_images_are_known_by_their_name() {
        let auto = CameraInfoOrigin::default();
        assert!(auto.is_rectified("/front/image_rect/compressed"));
        assert!(auto.is_rectified("/front/image_rect_color"));
        assert!(!auto.is_rectified("/rectangle/image_raw"));
        let rectified = Some(true);
        assert!(CameraInfoOrigin { rectified, ..auto }.is_rectified("/front/image_raw"));
    }

    #[test]
    fn only_what_changes_is_news() {
        let mut feed = CameraInfoFeed::new(false);
        assert!(feed.take(&info(500.0, 1)));
        let first = feed.camera().unwrap();
        assert!(!feed.take(&info(500.0, 2)));
        assert!(Arc::ptr_eq(&first, &feed.camera().unwrap()));
        assert!(feed.take(&info(600.0, 3)));
        assert_eq!(focal(&feed), Some(600.0));
    }

    #[test]
    fn a_camera_that_is_not_calibrated_has_a_problem_that_is_told_once() {
        let mut feed = CameraInfoFeed::new(false);
        assert!(feed.take(&info(0.0, 1)));
        assert!(feed.problem().unwrap().contains("calibrate the camera"));
        assert_eq!(focal(&feed), None);
        for damaged in [&b""[..], b"\x00\x01\x00\x00", &vec![0; LONGEST + 1]] {
            feed.take(damaged);
            assert!(feed.problem().is_some() && feed.camera().is_none());
        }
        assert!(feed.take(&info(500.0, 2)));
        assert_eq!((feed.problem(), focal(&feed)), (None, Some(500.0)));
    }

    #[test]
    fn a_file_is_read_and_a_wrong_one_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("front.yaml");
        let error = CameraInfoFeed::from_file(&path, false).unwrap_err();
        assert!(error.to_string().contains("front.yaml"), "{error}");
        std::fs::write(&path, "image_width: 640\n").unwrap();
        let error = CameraInfoFeed::from_file(&path, false)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("front.yaml") && error.contains("camera_calibration"),
            "{error}"
        );
        let yaml = "\
image_width: 640
image_height: 480
camera_matrix: {rows: 3, cols: 3, data: [500, 0, 320, 0, 500, 240, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0, 0, 0, 0, 0]}
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
projection_matrix: {rows: 3, cols: 4, data: [450, 0, 320, 0, 0, 450, 240, 0, 0, 0, 1, 0]}
";
        std::fs::write(&path, yaml).unwrap();
        for (rectified, expected) in [(false, 500.0), (true, 450.0)] {
            let feed = CameraInfoFeed::from_file(&path, rectified).unwrap();
            assert_eq!(focal(&feed), Some(expected));
        }
    }
}
