//! The parameters as they are written in YAML. The JSON schema is made from these types, and the defaults stand here
//! and nowhere else.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::infer::Provider;

/// Every parameter of shuffledet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "Parameters of shuffledet")]
pub struct RawConfig {
    pub model: RawModel,
    pub detector: RawDetector,
    pub runtime: RawRuntime,
    pub input: RawInput,
}

/// Which model detects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawModel {
    /// A model of models/manifest.yaml, or the path of an .onnx file with a description of the same stem (.yaml)
    /// beside it.
    #[schemars(length(min = 1))]
    pub name: String,
}

impl Default for RawModel {
    fn default() -> Self {
        Self {
            name: "fastestdet_352".to_owned(),
        }
    }
}

/// What becomes a detection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawDetector {
    /// A detection scores more than this. Default: the model's own.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score_threshold: Option<f32>,
    /// Of two boxes of one class whose intersection over union is greater, the lower score goes. Default: the
    /// model's own.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nms_iou_threshold: Option<f32>,
    /// The most detections of one image; the best are kept.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_detections: usize,
    /// Names of the classes to detect. Empty: all of the model's.
    pub classes: Vec<String>,
    /// By class name, a score threshold in place of score_threshold.
    #[schemars(extend("additionalProperties" = {"type": "number", "minimum": 0.0, "maximum": 1.0}))]
    pub class_score_thresholds: BTreeMap<String, f32>,
}

impl Default for RawDetector {
    fn default() -> Self {
        Self {
            score_threshold: None,
            nms_iou_threshold: None,
            max_detections: 100,
            classes: Vec::new(),
            class_score_thresholds: BTreeMap::new(),
        }
    }
}

/// How ONNX Runtime runs the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawRuntime {
    /// Execution providers in order of preference. The first that works is used; what became of the others is
    /// reported.
    #[schemars(length(min = 1))]
    pub providers: Vec<Provider>,
    /// Fail rather than run on another provider than the first.
    pub strict: bool,
    /// Frames worked on in parallel. 0: one per core.
    #[schemars(range(max = 256))]
    pub workers: usize,
    /// Threads within one run of the model.
    #[schemars(range(min = 1, max = 256))]
    pub intra_op_threads: usize,
}

impl Default for RawRuntime {
    fn default() -> Self {
        Self {
            providers: vec![Provider::Cpu],
            strict: false,
            workers: 0,
            intra_op_threads: 1,
        }
    }
}

/// Which frames are worth the work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawInput {
    /// A frame that has waited longer is dropped, in milliseconds. Not applied where replay is lossless.
    #[schemars(range(min = 1.0, max = 60_000.0))]
    pub max_age_ms: f64,
}

impl Default for RawInput {
    fn default() -> Self {
        Self { max_age_ms: 200.0 }
    }
}
