//! How far away objects are.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far away tracked objects are. It takes the calibration of the camera: a CameraInfo beside
/// the images, or a file. With several cameras, these values apply to each camera that does not set
/// its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawRanging {
    /// Whether the distance of objects is measured and published on ~/tracks_3d. If true, the node
    /// subscribes to the CameraInfo of each camera without a file. It needs tracking.enabled.
    #[schemars(extend("readOnly" = true))]
    pub enabled: bool,
    /// The topic of the sensor_msgs/msg/CameraInfo that belongs to the images. Default: empty,
    /// camera_info in the namespace of the images, as image_transport has it.
    #[schemars(extend("readOnly" = true))]
    pub camera_info_topic: String,
    /// The path, or file:// URL, of the calibration in place of a topic: the YAML file that
    /// camera_calibration writes. Default: empty, the topic.
    #[schemars(extend("readOnly" = true))]
    pub camera_info_url: String,
    /// What the images are: raw, as the lens shows them, or rectified, without its distortion.
    /// auto: rectified if the last part of their topic's name contains rect, otherwise raw.
    #[schemars(extend("readOnly" = true))]
    pub images: ImageGeometry,
    /// The height of the camera above the ground, in metres. 0: unknown; distances then come from
    /// the size of objects alone.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub camera_height_m: f64,
    /// The pitch of the camera in degrees, positive if it looks down. Default: unset, estimated
    /// from the boxes of the frames.
    #[schemars(range(min = -60.0, max = 60.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera_pitch_deg: Option<f64>,
    /// Mean heights of objects by class name, in metres. Each replaces the default of its class, or
    /// gives one to a class that has none (docs/range.md).
    #[schemars(extend("additionalProperties" = {"type": "number", "minimum": 0.05, "maximum": 30.0}))]
    pub class_heights_m: BTreeMap<String, f64>,
    /// Standard deviations of these heights by class name, as shares of the mean. Default: that of
    /// the class, or 0.12.
    #[schemars(extend("additionalProperties" = {"type": "number", "minimum": 0.01, "maximum": 1.0}))]
    pub class_height_spreads: BTreeMap<String, f64>,
}

impl Default for RawRanging {
    fn default() -> Self {
        Self {
            enabled: true,
            camera_info_topic: String::new(),
            camera_info_url: String::new(),
            images: ImageGeometry::Auto,
            camera_height_m: 0.0,
            camera_pitch_deg: None,
            class_heights_m: BTreeMap::new(),
            class_height_spreads: BTreeMap::new(),
        }
    }
}

/// Whether the distortion of the lens is in the images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ImageGeometry {
    #[default]
    Auto,
    Raw,
    Rectified,
}
