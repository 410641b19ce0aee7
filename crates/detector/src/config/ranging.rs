//! The parameters of ranging: where the calibration of a camera comes from, and how it is mounted.

use super::raw::{ImageGeometry, RawCamera, RawRanging};
use crate::pipeline::{CameraInfoOrigin, CameraMounting};

/// Returns where the calibration of a camera comes from: its own parameters, by its name, or those of
/// `ranging`. Returns an error text if a URL is not that of a file.
pub(super) fn camera_info(
    raw: &RawRanging,
    camera: Option<(&str, &RawCamera)>,
) -> Result<CameraInfoOrigin, String> {
    let own_url = camera.and_then(|(name, own)| {
        let url = own.camera_info_url.as_ref()?;
        Some((format!("camera.{name}.camera_info_url"), url))
    });
    let (key, url) =
        own_url.unwrap_or_else(|| ("ranging.camera_info_url".to_owned(), &raw.camera_info_url));
    let topic = match camera {
        // one topic cannot be that of several cameras
        Some((_, own)) => own.camera_info_topic.as_ref(),
        None => Some(&raw.camera_info_topic),
    };
    let path = url.strip_prefix("file://").unwrap_or(url);
    if path.contains("://") {
        return Err(format!(
            "{key}: expected a path or a file:// URL, found {url}; give the path of the file"
        ));
    }
    Ok(CameraInfoOrigin {
        file: (!path.is_empty()).then(|| path.into()),
        topic: topic.filter(|topic| !topic.is_empty()).cloned(),
        rectified: match raw.images {
            ImageGeometry::Auto => None,
            ImageGeometry::Raw => Some(false),
            ImageGeometry::Rectified => Some(true),
        },
    })
}

/// Returns how a camera is mounted, by its own parameters or those of `ranging`.
pub(super) fn mounting(raw: &RawRanging, own: &RawCamera) -> CameraMounting {
    let height_m = own.camera_height_m.unwrap_or(raw.camera_height_m);
    let pitch_deg = own.camera_pitch_deg.or(raw.camera_pitch_deg);
    CameraMounting {
        height_m: (height_m > 0.0).then_some(height_m),
        pitch_rad: pitch_deg.map(f64::to_radians),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::Config;

    fn load(assignments: &[&str]) -> Result<Config, String> {
        let assignments: Vec<_> = assignments.iter().map(|&text| text.to_owned()).collect();
        Config::load(None, None, &assignments).map_err(|error| error.to_string())
    }

    #[test]
    fn a_camera_has_its_own_mounting_or_that_of_ranging() {
        let config = load(&[
            "cameras=[front, rear]",
            "ranging.camera_height_m=1.5",
            "ranging.camera_info_url=file:///etc/all.yaml",
            "camera.rear.camera_height_m=0.9",
            "camera.rear.camera_pitch_deg=-10",
            "camera.rear.camera_info_url=rear.yaml",
            "camera.rear.camera_info_topic=/rear/info",
        ])
        .unwrap();
        let [front, rear] = config.cameras.as_slice() else {
            panic!("{:?}", config.cameras)
        };
        let file = |path: &str| Some(PathBuf::from(path));
        assert_eq!(front.camera_info.file, file("/etc/all.yaml"));
        assert_eq!(front.camera_info.topic, None);
        assert_eq!(front.tuning.mounting.height_m, Some(1.5));
        assert_eq!(front.tuning.mounting.pitch_rad, None);
        assert_eq!(rear.camera_info.file, file("rear.yaml"));
        assert_eq!(rear.camera_info.topic.as_deref(), Some("/rear/info"));
        assert_eq!(rear.tuning.mounting.height_m, Some(0.9));
        assert_eq!(rear.tuning.mounting.pitch_rad, Some(-10_f64.to_radians()));
        let nothing = load(&[]).unwrap();
        assert_eq!(nothing.camera_info, CameraInfoOrigin::default());
        assert_eq!(nothing.input.mounting, CameraMounting::UNKNOWN);
    }

    #[test]
    fn a_url_of_something_else_than_a_file_is_refused() {
        let error = load(&["ranging.camera_info_url=package://camera/front.yaml"]).unwrap_err();
        assert!(
            error.contains("ranging.camera_info_url: expected a path"),
            "{error}"
        );
    }
}
