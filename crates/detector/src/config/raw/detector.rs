//! How detections are selected and classified.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::class_ids::ClassIdForm;

/// How detections are selected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawDetector {
    /// The confidence threshold: only detections with a higher score are kept. Default: for classes
    /// of a named class set the thresholds tuned for the model (docs/models.md), otherwise the
    /// model's threshold.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score_threshold: Option<f64>,
    /// The intersection over union above which two boxes of the same class, or of one group of
    /// nms_across, count as one object. The box with the lower score is removed. Default: the
    /// model's threshold.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nms_iou_threshold: Option<f64>,
    /// Groups of classes within which one object is one detection, each a text with 2 to 8 class
    /// names: ["car, bus, truck", "bicycle, motorcycle"]. The classes of removed boxes are further
    /// hypotheses of the detection. Default: the groups of the class sets in classes. An empty list,
    /// or "" in ROS, means no groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nms_across: Option<Vec<String>>,
    /// The maximum number of detections per image. The detections with the highest scores are kept.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_detections: usize,
    /// Names of the classes to detect, or of class sets in models/manifest.yaml: road, coco. A class
    /// of a set that the model lacks is ignored. Default: empty, all classes of the model.
    pub classes: Vec<String>,
    /// Confidence thresholds by class name. Each replaces score_threshold and the tuned threshold
    /// for its class.
    #[schemars(extend("additionalProperties" = {"type": "number", "minimum": 0.0, "maximum": 1.0}))]
    pub class_score_thresholds: BTreeMap<String, f64>,
    /// The content of class_id in messages and recordings. name: the class name. index: the index
    /// in the model, from 0. coco: the class id in the data set, which is category_id in the
    /// model's labels. The class map on ~/label_info uses the same numbers; with name, it uses the
    /// indices.
    #[schemars(extend("readOnly" = true))]
    pub class_id: ClassIdForm,
}

impl Default for RawDetector {
    fn default() -> Self {
        Self {
            score_threshold: None,
            nms_iou_threshold: None,
            nms_across: None,
            max_detections: 100,
            classes: Vec::new(),
            class_score_thresholds: BTreeMap::new(),
            class_id: ClassIdForm::Name,
        }
    }
}

/// A second model that looks at the boxes of some classes. Its answer is a further hypothesis of
/// the detection, such as traffic light:red, with the detection's score times the answer's
/// probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawClassifier {
    /// The name of a model of the family classifier in models/manifest.yaml, or the path of an
    /// .onnx file with a description of the same stem (.yaml) beside it. Default: empty, no second
    /// model.
    #[schemars(extend("readOnly" = true))]
    pub model: String,
    /// Names of the detector's classes whose boxes it classifies. At least one if there is a model.
    #[schemars(extend("readOnly" = true))]
    pub classes: Vec<String>,
    /// The part of the box's width and height that is added on each side before the box is cut out.
    #[schemars(range(min = 0.0, max = 2.0), extend("readOnly" = true))]
    pub margin: f64,
    /// The maximum number of boxes of an image that are classified, those with the highest scores.
    /// Each is a run of the model.
    #[schemars(range(min = 1, max = 1000), extend("readOnly" = true))]
    pub max_boxes: usize,
}

impl Default for RawClassifier {
    fn default() -> Self {
        Self {
            model: String::new(),
            classes: Vec::new(),
            margin: 0.1,
            max_boxes: 16,
        }
    }
}
