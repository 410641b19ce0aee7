//! The parameters of a recording's cameras: `camera.NAME` holds for the recorded image topic of that
//! camera.

use super::{CameraConfig, Config};
use crate::pipeline::{Camera, CameraInfoOrigin, CameraSettings};

impl Config {
    /// Returns the settings of each of `cameras`: those of the named camera with its image topic, or
    /// those for all cameras.
    pub fn recorded_settings(&self, cameras: &[Camera]) -> Vec<CameraSettings> {
        let settings = |camera| {
            self.recorded_camera(camera)
                .map_or(self.input, |named| named.tuning)
        };
        cameras.iter().map(settings).collect()
    }

    /// Returns where the calibration of `camera` comes from: the same choice.
    pub fn recorded_origin(&self, camera: &Camera) -> &CameraInfoOrigin {
        let named = self.recorded_camera(camera);
        named.map_or(&self.camera_info, |named| &named.camera_info)
    }

    fn recorded_camera(&self, camera: &Camera) -> Option<&CameraConfig> {
        let named = self.cameras.iter().filter(|named| named.name.is_some());
        named
            .into_iter()
            .find(|named| is_topic(&named.image_topic, camera.image_topic()))
    }
}

/// Whether `recorded` is `configured`: the same topic, or a relative one in some namespace.
fn is_topic(configured: &str, recorded: &str) -> bool {
    match recorded.strip_suffix(configured) {
        Some("") => true,
        Some(namespace) => !configured.starts_with('/') && namespace.ends_with('/'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Transport;

    #[test]
    fn a_recorded_camera_had_the_mounting_of_all() {
        let assignments = [
            "cameras=[front, rear]",
            "ranging.camera_height_m=1.5",
            "camera.rear.camera_height_m=0.9",
            "camera.rear.image_topic=/rear/image_rect",
            "camera.rear.camera_info_url=rear.yaml",
        ]
        .map(str::to_owned);
        let config = Config::load(None, None, &assignments).unwrap();
        for (topic, transport, height_m, file) in [
            ("/rear/image_rect", Transport::Raw, 0.9, Some("rear.yaml")),
            (
                "/rear/image_rect/compressed",
                Transport::Compressed,
                0.9,
                Some("rear.yaml"),
            ),
            ("/front/image_raw", Transport::Raw, 1.5, None),
            // not the topic of a camera: an absolute name has one place only
            ("/car/rear/image_rect", Transport::Raw, 1.5, None),
            ("/other", Transport::Raw, 1.5, None),
        ] {
            let camera = Camera {
                topic: topic.to_owned(),
                transport,
            };
            let settings = config.recorded_settings(std::slice::from_ref(&camera));
            assert_eq!(settings[0].mounting.height_m, Some(height_m), "{topic}");
            let origin = config.recorded_origin(&camera);
            assert_eq!(
                origin.file.as_deref(),
                file.map(std::path::Path::new),
                "{topic}"
            );
        }
    }

    #[test]
    fn a_relative_topic_is_found_in_a_namespace() {
        assert!(is_topic("front/image_raw", "/car/front/image_raw"));
        assert!(is_topic("front/image_raw", "/front/image_raw"));
        assert!(!is_topic("front/image_raw", "/upfront/image_raw"));
        assert!(!is_topic("/front/image_raw", "/car/front/image_raw"));
    }
}
