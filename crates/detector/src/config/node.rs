//! The checked parameters of a live node only: its cameras and the limits of its diagnostics.

use std::time::Duration;

use super::ranging;
use super::raw::{
    RawCamera, RawConfig, RawDiagnostics, RawSight, ReliabilityChoice, TransportChoice,
};
use crate::pipeline::{CameraInfoOrigin, CameraSettings};
use shuffledet_core::Regions;
use shuffledet_image::ImageLimits;

/// A camera that the node subscribes to.
#[derive(Debug, Clone, PartialEq)]
pub struct CameraConfig {
    /// `None` for a node's only camera: its topics need no name of their own.
    pub name: Option<String>,
    /// The topic of raw images. Compressed images are on the same name followed by `/compressed`.
    pub image_topic: String,
    pub transport: TransportChoice,
    /// The expected rate in frames per second, if given.
    pub expected_hz: Option<f64>,
    pub reliability: ReliabilityChoice,
    pub tuning: CameraSettings,
    pub camera_info: CameraInfoOrigin,
}

impl CameraConfig {
    /// Returns the name used in messages and logs: the camera's name, or its topic if it has none.
    pub fn title(&self) -> String {
        self.name
            .clone()
            .unwrap_or_else(|| self.image_topic.clone())
    }
}

/// The limits at which `/diagnostics` warns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiagnosticsConfig {
    /// The time window for rates and quantiles.
    pub window: Duration,
    pub stale_after: Duration,
    /// The time after activation to wait for the first frame before searching for the camera.
    pub grace: Duration,
    pub warn_latency: Duration,
    pub error_latency: Duration,
    /// The share of the received frames, in [0, 1].
    pub warn_dropped: f64,
    /// The share of the expected frames, in [0, 1].
    pub warn_missing: f64,
    /// The share of the expected frames, in [0, 1].
    pub error_missing: f64,
    /// The share of the received frames, in [0, 1].
    pub error_failed: f64,
    /// The time after which a part that does not move is stuck.
    pub stuck_after: Duration,
}

impl DiagnosticsConfig {
    /// Returns the limits for a camera of this rate. It becomes stale after two of its periods at
    /// the earliest.
    pub fn of_rate(self, expected_hz: Option<f64>) -> Self {
        let periods = expected_hz.map(|hz| Duration::try_from_secs_f64(2.0 / hz));
        let least = periods.map_or(Duration::ZERO, |two| two.unwrap_or(Duration::MAX));
        Self {
            stale_after: self.stale_after.max(least),
            ..self
        }
    }
}

impl From<&RawDiagnostics> for DiagnosticsConfig {
    fn from(raw: &RawDiagnostics) -> Self {
        Self {
            window: Duration::from_secs_f64(raw.window_s),
            stale_after: ms(raw.stale_after_ms),
            grace: ms(raw.grace_ms),
            warn_latency: ms(raw.warn_latency_ms),
            error_latency: ms(raw.error_latency_ms),
            warn_dropped: raw.warn_dropped_percent / 100.0,
            warn_missing: raw.warn_missing_percent / 100.0,
            error_missing: raw.error_missing_percent / 100.0,
            error_failed: raw.error_failed_percent / 100.0,
            stuck_after: ms(raw.stuck_after_ms),
        }
    }
}

/// Returns the named cameras, or the only unnamed one. Returns an error text if they are invalid.
pub(super) fn cameras(raw: &RawConfig) -> Result<Vec<CameraConfig>, String> {
    let unknown = raw.camera.keys().find(|name| !raw.cameras.contains(name));
    if let Some(name) = unknown {
        let known = if raw.cameras.is_empty() {
            "none".to_owned()
        } else {
            raw.cameras.join(", ")
        };
        return Err(format!(
            "camera.{name}: expected a camera listed in cameras, which has {known}"
        ));
    }
    for (i, name) in raw.cameras.iter().enumerate() {
        if !is_ros_name(name) {
            return Err(format!(
                "cameras: {name:?} is not valid in a topic name; expected letters, digits and underscores, a letter first"
            ));
        }
        if raw.cameras[..i].contains(name) {
            return Err(format!("cameras: {name} is listed twice"));
        }
    }
    if raw.cameras.is_empty() {
        return Ok(vec![CameraConfig {
            name: None,
            image_topic: raw.input.image_topic.clone(),
            transport: raw.input.transport,
            expected_hz: above_zero(raw.input.expected_rate_hz),
            reliability: raw.input.reliability,
            tuning: tuning(raw, None)?,
            camera_info: ranging::camera_info(&raw.ranging, None)?,
        }]);
    }
    raw.cameras
        .iter()
        .map(|name| {
            let camera = raw.camera.get(name).cloned().unwrap_or_default();
            Ok(CameraConfig {
                name: Some(name.clone()),
                transport: camera.transport.unwrap_or(raw.input.transport),
                expected_hz: above_zero(
                    camera
                        .expected_rate_hz
                        .unwrap_or(raw.input.expected_rate_hz),
                ),
                reliability: camera.reliability.unwrap_or(raw.input.reliability),
                tuning: tuning(raw, Some((name, &camera)))?,
                camera_info: ranging::camera_info(&raw.ranging, Some((name, &camera)))?,
                image_topic: camera
                    .image_topic
                    .unwrap_or_else(|| format!("{name}/image_raw")),
            })
        })
        .collect()
}

/// Returns how the frames of a camera are selected, searched and judged; `raw` gives the values that
/// `camera` (its name and parameters) does not set. Returns an error text if its regions are
/// invalid.
pub(super) fn tuning(
    raw: &RawConfig,
    camera: Option<(&str, &RawCamera)>,
) -> Result<CameraSettings, String> {
    let input = &raw.input;
    let own = camera.map(|(_, camera)| camera.clone()).unwrap_or_default();
    let rate_hz = own.max_rate_hz.unwrap_or(input.max_rate_hz);
    let (key, numbers) = match (camera, &own.regions) {
        (Some((name, _)), Some(own)) => (format!("camera.{name}.regions"), own),
        _ => ("input.regions".to_owned(), &input.regions),
    };
    Ok(CameraSettings {
        max_age: Some(ms(own.max_age_ms.unwrap_or(input.max_age_ms))),
        max_rate_hz: above_zero(rate_hz),
        priority: own.priority.unwrap_or(1.0),
        enabled: own.enabled.unwrap_or(input.enabled),
        jpeg_scale: own.jpeg_scale.unwrap_or(input.jpeg_scale),
        limits: ImageLimits {
            pixels: input.max_pixels,
            bytes: input.max_bytes,
            jpeg_scans: input.max_jpeg_scans,
        },
        regions: Regions::new(numbers).map_err(|error| format!("{key}: {error}"))?,
        sight: sight(&raw.sight, &own),
        mounting: ranging::mounting(&raw.ranging, &own),
    })
}

/// Returns how the pictures of a camera are judged, if they are.
fn sight(raw: &RawSight, own: &RawCamera) -> Option<shuffledet_sight::Settings> {
    let enabled = own.sight_enabled.unwrap_or(raw.enabled);
    enabled.then(|| shuffledet_sight::Settings {
        hold_s: raw.hold_s,
        frozen_below: raw.frozen_below,
        black_below: raw.black_below,
        contrast_below: raw.contrast_below,
        sharpness_below: raw.sharpness_below,
        covered_above: own.covered_above.unwrap_or(raw.covered_above),
        tear_below: raw.tear_below,
    })
}

/// Returns `None` for 0.
fn above_zero(rate_hz: f64) -> Option<f64> {
    (rate_hz > 0.0).then_some(rate_hz)
}

/// Converts milliseconds. The schema keeps the value within a Duration's range.
fn ms(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default()
}

fn is_ros_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(names: &[&str]) -> RawConfig {
        let cameras = names.iter().map(|&name| name.to_owned()).collect();
        RawConfig {
            cameras,
            ..RawConfig::default()
        }
    }

    #[test]
    fn without_names_there_is_one_camera() {
        let cameras = cameras(&raw(&[])).unwrap();
        let [camera] = cameras.as_slice() else {
            panic!("{cameras:?}")
        };
        assert_eq!(
            (camera.name.as_deref(), camera.image_topic.as_str()),
            (None, "image_raw")
        );
    }

    #[test]
    fn a_cameras_own_parameters_come_before_those_of_input() {
        let mut raw = raw(&["front", "left"]);
        let own = RawCamera {
            max_rate_hz: Some(10.0),
            ..RawCamera::default()
        };
        raw.camera.insert("left".to_owned(), own);
        raw.input.expected_rate_hz = 25.0;
        let cameras = cameras(&raw).unwrap();
        assert_eq!(cameras[0].image_topic, "front/image_raw");
        assert_eq!(cameras[0].tuning.max_rate_hz, None);
        assert_eq!(cameras[1].expected_hz, Some(25.0));
        assert_eq!(cameras[1].tuning.max_rate_hz, Some(10.0));
        assert_eq!(cameras[1].tuning.max_age, Some(Duration::from_millis(200)));
    }

    #[test]
    fn a_slow_camera_was_stale_between_two_frames() {
        let second = Duration::from_secs(1);
        let diagnostics = DiagnosticsConfig::from(&RawDiagnostics::default());
        for (rate_hz, expected) in [
            (None, second),
            (Some(25.0), second),
            (Some(0.2), 10 * second),
            (Some(1e-300), Duration::MAX),
        ] {
            assert_eq!(diagnostics.of_rate(rate_hz).stale_after, expected);
        }
    }

    #[test]
    fn a_rate_of_next_to_nothing_panicked() {
        let mut raw = raw(&[]);
        raw.input.max_rate_hz = 1e-300;
        let cameras = cameras(&raw).unwrap();
        assert_eq!(cameras[0].tuning.max_rate_hz, Some(1e-300));
    }

    #[test]
    fn a_camera_has_its_own_regions_or_those_of_input() {
        let mut raw = raw(&["front", "left"]);
        let band = vec![0.0, 0.25, 1.0, 0.75];
        let own = RawCamera {
            regions: Some(band.clone()),
            ..RawCamera::default()
        };
        raw.camera.insert("left".to_owned(), own);
        let found = cameras(&raw).unwrap();
        assert_eq!(found[0].tuning.regions, Regions::WHOLE);
        assert_eq!(found[1].tuning.regions, Regions::new(&band).unwrap());
        raw.input.regions = vec![0.5, 0.0, 0.5, 1.0];
        let error = cameras(&raw).unwrap_err();
        assert!(error.starts_with("input.regions: region 0 "), "{error}");
    }

    #[test]
    fn mistakes_are_named() {
        let mut stray = raw(&["front"]);
        stray.camera.insert("rear".to_owned(), RawCamera::default());
        assert!(cameras(&stray).unwrap_err().contains("camera.rear"));
        assert!(cameras(&raw(&["a", "a"])).unwrap_err().contains("twice"));
        assert!(
            cameras(&raw(&["front left"]))
                .unwrap_err()
                .contains("front left")
        );
    }
}
