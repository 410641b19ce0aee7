//! The parameters as YAML writes them. The JSON schema is generated from these types; the defaults
//! are defined only here.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::threads::Mode;
use crate::model::class_ids::ClassIdForm;
use shuffledet_core::{InputSize, Region};
use shuffledet_image::{ImageLimits, JpegScale};
use shuffledet_infer::Provider;
use shuffledet_infer::options::{CudaOptions, OpenVinoOptions, TensorRtOptions, XnnpackOptions};

/// All parameters of shuffledet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "Parameters of shuffledet")]
pub struct RawConfig {
    pub model: RawModel,
    pub detector: RawDetector,
    pub classifier: RawClassifier,
    pub runtime: RawRuntime,
    pub input: RawInput,
    pub tracking: RawTracking,
    pub sight: RawSight,
    /// Names of the cameras to subscribe to. Each has its own parameters under camera.NAME.
    /// Default: empty, one unnamed camera on input.image_topic.
    #[schemars(extend("readOnly" = true))]
    pub cameras: Vec<String>,
    /// Parameters of each camera that differ from input, by camera name.
    pub camera: BTreeMap<String, RawCamera>,
    pub diagnostics: RawDiagnostics,
    /// Whether the node configures and activates itself at startup. If false, a lifecycle manager
    /// does it.
    #[schemars(extend("readOnly" = true))]
    pub autostart: bool,
    /// The lowest severity that the node logs. Default: the value of --log-level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_level: Option<LogLevel>,
    /// Whether the node takes the time from /clock.
    #[schemars(extend("readOnly" = true))]
    pub use_sim_time: bool,
    /// Quality of service of subscriptions and publishers, by topic, where it differs from the
    /// default: qos_overrides.TOPIC.subscription.reliability and so on.
    #[schemars(extend("readOnly" = true))]
    pub qos_overrides: BTreeMap<String, RawQosOverrides>,
}

impl Default for RawConfig {
    fn default() -> Self {
        Self {
            model: RawModel::default(),
            detector: RawDetector::default(),
            classifier: RawClassifier::default(),
            runtime: RawRuntime::default(),
            input: RawInput::default(),
            tracking: RawTracking::default(),
            sight: RawSight::default(),
            cameras: Vec::new(),
            camera: BTreeMap::new(),
            diagnostics: RawDiagnostics::default(),
            autostart: true,
            log_level: None,
            use_sim_time: false,
            qos_overrides: BTreeMap::new(),
        }
    }
}

/// The log severities of ROS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

/// The model and its precision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawModel {
    /// The name of a model in models/manifest.yaml, or the path of an .onnx file. An .onnx file
    /// needs a description of the same stem (.yaml) beside it. auto: the first model of the
    /// manifest, road, which is built into the program.
    #[schemars(length(min = 1), extend("readOnly" = true))]
    pub name: String,
    /// exact: 32-bit floats, the model's own precision. fast: half precision on providers that
    /// support it: bf16 on OpenVINO, fp16 on TensorRT. fast tries OpenVINO before the CPU provider.
    /// The CPU provider always computes in 32-bit floats.
    #[schemars(extend("readOnly" = true))]
    pub precision: Precision,
    /// The size of the network's input in pixels. auto: the size that shows the picture largest
    /// within input_budget, in the picture's shape and without padding; for a model that stretches,
    /// in a shape squeezed by up to 4/3 towards that of its training. native: the size that the model
    /// was trained at. WIDTHxHEIGHT: this size for every picture; multiples of 32 from 32 to 4096. A
    /// model whose graph cannot be rewritten for another size runs at its own.
    #[schemars(extend("readOnly" = true, "pattern" = "^(auto|native|[0-9]+x[0-9]+)$"))]
    pub input_size: String,
    /// The most pixels that input_size auto takes, as a multiple of the pixels at which the model
    /// was trained. Time per frame grows with it. Default: input_budget in the model's description,
    /// or 1.
    #[schemars(range(min = 0.05, max = 16.0), extend("readOnly" = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_budget: Option<f64>,
}

impl Default for RawModel {
    fn default() -> Self {
        Self {
            name: crate::model::AUTO.to_owned(),
            precision: Precision::Exact,
            input_size: InputSize::Auto.to_string(),
            input_budget: None,
        }
    }
}

/// The numeric precision of inference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    Exact,
    Fast,
}

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

/// How ONNX Runtime runs the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawRuntime {
    /// Execution providers in order of preference. The node uses the first that works, and the next
    /// if it fails while running. It reports why it does not use the others.
    #[schemars(length(min = 1), extend("readOnly" = true, "uniqueItems" = true))]
    pub providers: Vec<Provider>,
    /// Whether to stop with an error if the first provider does not work. If false, the next
    /// provider is used.
    #[schemars(extend("readOnly" = true))]
    pub strict: bool,
    /// Trades throughput against latency. throughput: one frame per core. latency: all cores on one
    /// frame of each camera. auto: throughput, except on a node with fewer cameras than cores: that
    /// node measures both at configuration and uses more threads per frame if they reduce the time
    /// of a frame by at least a quarter.
    #[schemars(extend("readOnly" = true))]
    pub mode: Mode,
    /// The number of frames processed in parallel. 0: chosen by mode.
    #[schemars(range(max = 256), extend("readOnly" = true))]
    pub workers: usize,
    /// The number of threads within one inference. 0: chosen by mode.
    #[schemars(range(max = 256), extend("readOnly" = true))]
    pub intra_op_threads: usize,
    #[schemars(extend("readOnly" = true))]
    pub tensorrt: TensorRtOptions,
    #[schemars(extend("readOnly" = true))]
    pub cuda: CudaOptions,
    #[schemars(extend("readOnly" = true))]
    pub openvino: OpenVinoOptions,
    #[schemars(extend("readOnly" = true))]
    pub xnnpack: XnnpackOptions,
}

impl Default for RawRuntime {
    fn default() -> Self {
        Self {
            providers: vec![Provider::Cpu],
            strict: false,
            mode: Mode::Auto,
            workers: 0,
            intra_op_threads: 0,
            tensorrt: TensorRtOptions::default(),
            cuda: CudaOptions::default(),
            openvino: OpenVinoOptions::default(),
            xnnpack: XnnpackOptions::default(),
        }
    }
}

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
    /// class names. The class of a track is the one that most of its boxes have, by score. A class
    /// that the model lacks is ignored.
    pub groups: Vec<String>,
    /// Whether tracks move with the background of the picture, which is followed from frame to
    /// frame. It helps a camera that turns or shakes, and costs time.
    pub camera_motion: bool,
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
        }
    }
}

/// Whether the cameras see: the faults of their pictures, judged from the model's input (the first of
/// input.regions).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawSight {
    /// Whether pictures are judged. /diagnostics and the latency message then name the faults.
    pub enabled: bool,
    /// The time for which a fault must be there before it is reported, and absent before it is no
    /// longer reported, in seconds.
    #[schemars(range(min = 0.05, max = 60.0))]
    pub hold_s: f64,
    /// frozen: the mean difference from the picture before is less, in grey levels (0 to 255). 0:
    /// never.
    #[schemars(range(min = 0.0, max = 255.0))]
    pub frozen_below: f64,
    /// black: 98 % of the picture is darker, in grey levels. 0: never.
    #[schemars(range(min = 0.0, max = 255.0))]
    pub black_below: f64,
    /// washed_out: fewer grey levels lie between the darkest and the brightest 2 % of the picture.
    /// 0: never.
    #[schemars(range(min = 0.0, max = 255.0))]
    pub contrast_below: f64,
    /// blurred: the sharpness is less. It is 0.0625 on smooth slopes and 0.25 at sharp edges. 0: never.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sharpness_below: f64,
    /// covered: a larger share of the picture is dark and without texture. 1: never.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub covered_above: f64,
    /// torn: a shift of one row leaves less than this share of the difference between two rows. 0:
    /// never.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub tear_below: f64,
}

impl Default for RawSight {
    fn default() -> Self {
        let shuffledet_sight::Settings {
            hold_s,
            frozen_below,
            black_below,
            contrast_below,
            sharpness_below,
            covered_above,
            tear_below,
        } = shuffledet_sight::Settings::default();
        Self {
            enabled: true,
            hold_s,
            frozen_below,
            black_below,
            contrast_below,
            sharpness_below,
            covered_above,
            tear_below,
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
}

/// The limits at which /diagnostics warns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawDiagnostics {
    /// The time window for rates and quantiles, in seconds.
    #[schemars(range(min = 1.0, max = 600.0))]
    pub window_s: f64,
    /// The time without a frame after which a camera is stale, in milliseconds.
    #[schemars(range(min = 10.0, max = 600_000.0))]
    pub stale_after_ms: f64,
    /// The time after activation to wait for the first frame of a camera, in milliseconds. After
    /// it, the log and /diagnostics report why the camera is silent. A launch file may start the
    /// camera later than the node.
    #[schemars(range(min = 0.0, max = 600_000.0))]
    pub grace_ms: f64,
    /// WARN if the p99 latency from reception to publication exceeds this, in milliseconds.
    #[schemars(range(min = 0.1, max = 60_000.0))]
    pub warn_latency_ms: f64,
    /// ERROR if the p99 latency from reception to publication exceeds this, in milliseconds.
    #[schemars(range(min = 0.1, max = 60_000.0))]
    pub error_latency_ms: f64,
    /// WARN if more than this share of the received frames is dropped, in percent.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub warn_dropped_percent: f64,
    /// WARN if more than this share of the expected frames (input.expected_rate_hz) is missing, in
    /// percent.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub warn_missing_percent: f64,
    /// ERROR if more than this share of the expected frames is missing, in percent.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub error_missing_percent: f64,
    /// ERROR if more than this share of the received frames fails, in percent. WARN if any frame
    /// fails.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub error_failed_percent: f64,
}

impl Default for RawDiagnostics {
    fn default() -> Self {
        Self {
            window_s: 10.0,
            stale_after_ms: 1000.0,
            grace_ms: 5000.0,
            warn_latency_ms: 100.0,
            error_latency_ms: 500.0,
            warn_dropped_percent: 20.0,
            warn_missing_percent: 20.0,
            error_missing_percent: 50.0,
            error_failed_percent: 50.0,
        }
    }
}

/// The quality of service of one topic.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawQosOverrides {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<RawQos>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publisher: Option<RawQos>,
}

/// QoS policies by their names in rclcpp's qos_overrides.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawQos {
    /// Whether lost messages are sent again.
    #[schemars(extend("enum" = ["reliable", "best_effort", "system_default", "best_available"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reliability: Option<String>,
    /// Whether a late subscriber receives earlier messages.
    #[schemars(extend("enum" = ["volatile", "transient_local", "system_default", "best_available"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub durability: Option<String>,
    /// Whether to keep the last messages (depth) or all.
    #[schemars(extend("enum" = ["keep_last", "keep_all", "system_default"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<String>,
    /// The number of messages that keep_last keeps.
    #[schemars(range(min = 1, max = 10_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// The maximum time between two messages, in nanoseconds. 0: no deadline.
    #[schemars(range(min = 0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<i64>,
    /// The age after which a message is no longer delivered, in nanoseconds. 0: no limit.
    #[schemars(range(min = 0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifespan: Option<i64>,
    /// How a publisher shows that it is alive.
    #[schemars(extend("enum" = ["automatic", "manual_by_topic", "system_default", "best_available"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liveliness: Option<String>,
    /// The time within which a publisher must show that it is alive, in nanoseconds. 0: no limit.
    #[schemars(range(min = 0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liveliness_lease_duration: Option<i64>,
}
