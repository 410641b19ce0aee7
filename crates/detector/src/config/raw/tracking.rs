//! How detections become tracks.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How detections become tracks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawTracking {
    /// Whether objects are tracked. Detections then have the id of their track, and ~/tracks has
    /// the tracks.
    pub enabled: bool,
    /// The time between two boxes of an object that confirms its track, in seconds. A box with a
    /// high score confirms it at once, and boxes with low scores need several times as long. A
    /// track is shown when it is confirmed.
    #[schemars(range(min = 0.001, max = 10.0))]
    pub confirm_s: f64,
    /// The time for which a track without boxes is shown, in seconds. It coasts: its box is
    /// predicted.
    #[schemars(range(min = 0.0, max = 60.0))]
    pub coast_s: f64,
    /// The time without boxes after which a track is deleted, in seconds. Until then, a box near
    /// its predicted place continues it.
    #[schemars(range(min = 0.0, max = 60.0))]
    pub delete_s: f64,
    /// delete_s by class name. Each replaces delete_s for its class.
    #[schemars(extend("additionalProperties" = {"type": "number", "minimum": 0.0, "maximum": 60.0}))]
    pub class_delete_s: BTreeMap<String, f64>,
    /// Groups of classes that one object may be taken for from frame to frame, each a text with
    /// class names. The class of a track is the one that most of its boxes have, by score. Of the
    /// default groups, a class that the model lacks is ignored.
    pub groups: Vec<String>,
    /// Whether tracks move with the background of the picture, which is followed from frame to
    /// frame. It helps a camera that turns or shakes, and costs time.
    pub camera_motion: bool,
    /// Whether the node predicts ~/tracks and ~/tracks_3d to the time at which it publishes them.
    /// Their header then has that time: the stamp of the image plus its age. The header of each
    /// object keeps the stamp of the image. Not applied in replay.
    pub predict_to_publish: bool,
}

impl Default for RawTracking {
    fn default() -> Self {
        Self {
            enabled: true,
            confirm_s: 0.1,
            coast_s: 0.5,
            delete_s: 1.0,
            class_delete_s: BTreeMap::new(),
            groups: vec![
                "car, bus, train, truck".to_owned(),
                "bicycle, motorcycle".to_owned(),
            ],
            camera_motion: true,
            predict_to_publish: false,
        }
    }
}
