//! Which frames are processed, and the cameras they come from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use shuffledet_core::Region;
use shuffledet_image::{ImageLimits, JpegScale};

/// Which frames are processed. With several cameras, these values apply to each camera that does
/// not set its own. Replay uses only jpeg_scale, the limits of images and regions, and max_age_ms and max_rate_hz
/// with --rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawInput {
    /// The topic of raw images. Compressed images are expected on the same name followed by
    /// /compressed.
    #[schemars(length(min = 1), extend("readOnly" = true))]
    pub image_topic: String,
    /// The topic to take images from. raw: image_topic. compressed: image_topic/compressed. auto:
    /// the topic on which images arrive, or raw if they arrive on both. With auto the node first
    /// subscribes to both and then drops the subscription that it does not need. It subscribes to
    /// both again if no image arrives for diagnostics.stale_after_ms, but at least 500 ms and three
    /// periods of the camera.
    #[schemars(extend("readOnly" = true))]
    pub transport: TransportChoice,
    /// Reliability of the image subscription. reliable: lost images are sent again; receives only
    /// from reliable publishers. best_effort: lost images are not sent again; receives from all
    /// publishers. qos_overrides of a topic take precedence.
    #[schemars(extend("readOnly" = true))]
    pub reliability: ReliabilityChoice,
    /// Whether frames are processed.
    pub enabled: bool,
    /// The maximum age of a frame when its processing starts, in milliseconds. Older frames are
    /// dropped. The age counts from the stamp if the clocks allow it, and from reception otherwise.
    /// Not applied in replay without --rate.
    #[schemars(range(min = 1.0, max = 60_000.0))]
    pub max_age_ms: f64,
    /// The maximum mean rate of processed frames, in frames per second. Frames beyond it are
    /// dropped. After a pause of the camera, up to one second's frames may be processed at a higher
    /// rate. 0: no limit.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub max_rate_hz: f64,
    /// The expected rate of the camera, in frames per second. /diagnostics warns if many of the
    /// expected frames are missing. 0: derived from the stamps of the camera.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub expected_rate_hz: f64,
    /// The scale at which JPEG images are decoded, relative to their width and height: full, half,
    /// quarter, eighth or auto. auto: the smallest of these scales at which the image has at least 1.5
    /// times the width and height that it has in the model's input; luma and chroma go into the
    /// input without a conversion to BGR. A smaller scale takes less time and changes the
    /// detections; `shuffledet eval` measures the effect. Detections stay in pixels of the original
    /// image.
    pub jpeg_scale: JpegScale,
    /// The maximum number of pixels of an image. A larger image fails as too_large before memory is
    /// reserved for it.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub max_pixels: u64,
    /// The maximum size of the data of an image message, in bytes. A longer one fails as too_large.
    #[schemars(range(min = 1, max = 4_000_000_000_i64))]
    pub max_bytes: u64,
    /// The maximum number of scans of a progressive JPEG. Each scan takes a pass over the image,
    /// even with few bytes; encoders write about ten. A JPEG with more fails as damaged_image.
    #[schemars(range(min = 1, max = 1000))]
    pub max_jpeg_scans: u32,
    /// The parts of the picture to search: left, top, right and bottom of each as shares of its
    /// width and height from 0 to 1, one part after the other in one list; at most 16 parts. Each
    /// is a run of the model with an input size of its own, and takes its time. Overlapping results
    /// are joined. An example with the picture and a band around the horizon: [0.0, 0.0, 1.0, 1.0,
    /// 0.0, 0.4, 1.0, 0.7]. --config and --set also take a list of lists. Default: the whole
    /// picture.
    #[schemars(length(min = 4, max = 64))]
    pub regions: Vec<f64>,
}

impl Default for RawInput {
    fn default() -> Self {
        Self {
            image_topic: "image_raw".to_owned(),
            transport: TransportChoice::Auto,
            reliability: ReliabilityChoice::BestEffort,
            enabled: true,
            max_age_ms: 200.0,
            max_rate_hz: 0.0,
            expected_rate_hz: 0.0,
            jpeg_scale: JpegScale::Full,
            max_pixels: ImageLimits::DEFAULT.pixels,
            max_bytes: ImageLimits::DEFAULT.bytes,
            max_jpeg_scans: ImageLimits::DEFAULT.jpeg_scans,
            regions: Region::WHOLE.sides().to_vec(),
        }
    }
}

/// The transport of a camera's images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TransportChoice {
    Raw,
    Compressed,
    Auto,
}

/// The reliability of the subscription to a camera's images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReliabilityChoice {
    BestEffort,
    Reliable,
}

/// The parameters of one of several cameras.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawCamera {
    /// Same as input.image_topic. Default: NAME/image_raw.
    #[schemars(length(min = 1), extend("readOnly" = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_topic: Option<String>,
    /// Same as input.transport. Default: input.transport.
    #[schemars(extend("readOnly" = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<TransportChoice>,
    /// Same as input.reliability. Default: input.reliability.
    #[schemars(extend("readOnly" = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reliability: Option<ReliabilityChoice>,
    /// Same as input.max_age_ms. Default: input.max_age_ms.
    #[schemars(range(min = 1.0, max = 60_000.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_ms: Option<f64>,
    /// Same as input.max_rate_hz. Default: input.max_rate_hz.
    #[schemars(range(min = 0.0, max = 1000.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rate_hz: Option<f64>,
    /// Same as input.expected_rate_hz. Default: input.expected_rate_hz.
    #[schemars(range(min = 0.0, max = 1000.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_rate_hz: Option<f64>,
    /// Same as input.jpeg_scale. Default: input.jpeg_scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jpeg_scale: Option<JpegScale>,
    /// Same as input.regions. Default: input.regions.
    #[schemars(length(min = 4, max = 64))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regions: Option<Vec<f64>>,
    /// Same as sight.enabled. Default: sight.enabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sight_enabled: Option<bool>,
    /// Same as sight.covered_above. Default: sight.covered_above.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub covered_above: Option<f64>,
    /// The weight of this camera under overload, relative to the other cameras. Default: 1.
    #[schemars(range(min = 0.01, max = 100.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<f64>,
    /// Same as input.enabled. Default: input.enabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Same as ranging.camera_info_topic. Default: empty, camera_info beside the images.
    #[schemars(extend("readOnly" = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera_info_topic: Option<String>,
    /// Same as ranging.camera_info_url. Default: ranging.camera_info_url.
    #[schemars(extend("readOnly" = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera_info_url: Option<String>,
    /// Same as ranging.camera_height_m. Default: ranging.camera_height_m.
    #[schemars(range(min = 0.0, max = 100.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera_height_m: Option<f64>,
    /// Same as ranging.camera_pitch_deg. Default: ranging.camera_pitch_deg.
    #[schemars(range(min = -60.0, max = 60.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera_pitch_deg: Option<f64>,
}
