//! Checks what the distance of objects needs: tracking, a calibration, the height of the camera.

use super::check::{Check, Report};
use shuffledet_detector::config::{CameraConfig, Config};
use shuffledet_detector::pipeline::camera::info_topic;
use shuffledet_detector::pipeline::{Camera, Transport};

/// Adds a check for each camera of a live node.
pub(super) fn check(config: &Config, report: &mut Report) {
    for camera in &config.cameras {
        report.add(of_camera(config, camera));
    }
}

fn of_camera(config: &Config, camera: &CameraConfig) -> Check {
    let name = match &camera.name {
        Some(name) => format!("distances of {name}"),
        None => "distances".to_owned(),
    };
    if !config.tracking.enabled {
        return Check::ok(name, "off, because tracking.enabled is false");
    }
    if !config.ranging {
        let found = "off, because ranging.enabled is false; time to collision is measured";
        return Check::ok(name, found);
    }
    let origin = &camera.camera_info;
    if let Err(error) = origin.feed(&camera.image_topic) {
        let fix = "give the YAML file that camera_calibration writes, or remove camera_info_url to use a topic";
        return Check::fail(name, error.to_string(), fix);
    }
    let has_height = camera.tuning.mounting.height_m.is_some();
    let cues = match (has_height, camera.tuning.mounting.pitch_rad) {
        (false, _) => "by size alone, because camera_height_m is not given",
        (true, None) => "by size and ground, with the pitch estimated from the boxes",
        (true, Some(_)) => "by size and ground",
    };
    match &origin.file {
        Some(file) if has_height => {
            Check::ok(name, format!("{cues}; calibration from {}", file.display()))
        }
        Some(file) => Check::warn(
            name,
            format!("{cues}; calibration from {}", file.display()),
            "measure the height of the camera above the ground and set camera_height_m; far objects then have \
             smaller errors, and classes without a height have distances, too",
        ),
        None => {
            let beside = || {
                info_topic(&Camera {
                    topic: camera.image_topic.clone(),
                    transport: Transport::Raw,
                })
            };
            let topic = origin.topic.clone().unwrap_or_else(beside);
            Check::ok(
                name,
                format!(
                    "{cues}, once sensor_msgs/msg/CameraInfo arrives on {topic}; until then only time to collision"
                ),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Level;
    use super::*;

    fn found(assignments: &[&str]) -> Check {
        let assignments: Vec<_> = assignments.iter().map(|&text| text.to_owned()).collect();
        let config = Config::load(None, None, &assignments).unwrap();
        let mut report = Report::default();
        check(&config, &mut report);
        report.checks.swap_remove(0)
    }

    #[test]
    fn what_is_missing_is_said_with_what_is_left() {
        let nothing = found(&[]);
        assert_eq!(nothing.level, Level::Ok);
        for part in [
            "by size alone",
            "camera_height_m",
            "arrives on camera_info",
            "time to collision",
        ] {
            assert!(nothing.found.contains(part), "{}", nothing.found);
        }
        let height = found(&["ranging.camera_height_m=1.5"]);
        assert!(height.found.contains("pitch estimated"), "{}", height.found);
        assert!(found(&["tracking.enabled=false"]).found.starts_with("off"));
        let named = found(&[
            "cameras=[front]",
            "camera.front.camera_info_topic=/front/info",
        ]);
        assert_eq!(named.name, "distances of front");
        assert!(
            named.found.contains("arrives on /front/info"),
            "{}",
            named.found
        );
    }

    #[test]
    fn a_file_that_is_no_calibration_fails_and_one_without_a_height_warns() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("front.yaml");
        let url = format!("ranging.camera_info_url={}", path.display());
        let missing = found(&[&url]);
        assert_eq!(missing.level, Level::Fail);
        assert!(missing.found.contains("front.yaml"), "{}", missing.found);
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
        assert_eq!(found(&[&url]).level, Level::Warn);
        let pitch = "ranging.camera_pitch_deg=2";
        let complete = found(&[&url, "ranging.camera_height_m=1.5", pitch]);
        assert_eq!(complete.level, Level::Ok);
        assert!(
            complete.found.starts_with("by size and ground;"),
            "{}",
            complete.found
        );
    }
}
