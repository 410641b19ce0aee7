//! The parameters as they are written in YAML. The JSON schema is made from these types, and the defaults stand here
//! and nowhere else.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::threads::Mode;
use crate::model::class_ids::ClassIdForm;
use shuffledet_image::JpegScale;
use shuffledet_infer::Provider;
use shuffledet_infer::options::{CudaOptions, OpenVinoOptions, TensorRtOptions, XnnpackOptions};

/// Every parameter of shuffledet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "Parameters of shuffledet")]
pub struct RawConfig {
    pub model: RawModel,
    pub detector: RawDetector,
    pub runtime: RawRuntime,
    pub input: RawInput,
    /// Names of the cameras that the node subscribes to, each with its parameters under camera.NAME. Empty: one camera
    /// without a name, on input.image_topic.
    #[schemars(extend("readOnly" = true))]
    pub cameras: Vec<String>,
    /// By camera name, what differs from input.
    pub camera: BTreeMap<String, RawCamera>,
    pub diagnostics: RawDiagnostics,
    /// Whether the node configures and activates itself when it starts. Otherwise a lifecycle manager does.
    #[schemars(extend("readOnly" = true))]
    pub autostart: bool,
    /// The least that the node logs. Default: as --log-level says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_level: Option<LogLevel>,
    /// Take the time from /clock.
    #[schemars(extend("readOnly" = true))]
    pub use_sim_time: bool,
    /// By topic, the quality of service of its subscription or publisher where it differs from the default:
    /// qos_overrides.TOPIC.subscription.reliability and so on.
    #[schemars(extend("readOnly" = true))]
    pub qos_overrides: BTreeMap<String, RawQosOverrides>,
}

impl Default for RawConfig {
    fn default() -> Self {
        Self {
            model: RawModel::default(),
            detector: RawDetector::default(),
            runtime: RawRuntime::default(),
            input: RawInput::default(),
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

/// Severities of ROS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

/// Which model detects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawModel {
    /// A model of models/manifest.yaml, or the path of an .onnx file with a description of the same stem (.yaml)
    /// beside it.
    #[schemars(length(min = 1), extend("readOnly" = true))]
    pub name: String,
    /// exact: 32-bit floats, as the model was made. fast: half precision on providers that have it, bf16 on OpenVINO,
    /// which is then tried before the CPU, and fp16 on TensorRT; the CPU provider itself stays exact.
    #[schemars(extend("readOnly" = true))]
    pub precision: Precision,
}

impl Default for RawModel {
    fn default() -> Self {
        Self {
            name: "fastestdet_352".to_owned(),
            precision: Precision::Exact,
        }
    }
}

/// How exactly the model is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    Exact,
    Fast,
}

/// What becomes a detection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawDetector {
    /// A detection scores more than this. Default: the model's own.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score_threshold: Option<f64>,
    /// Of two boxes of one class whose intersection over union is greater, the lower score goes. Default: the
    /// model's own.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nms_iou_threshold: Option<f64>,
    /// The most detections of one image; the best are kept.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_detections: usize,
    /// Names of the classes to detect. Empty: all of the model's.
    pub classes: Vec<String>,
    /// By class name, a score threshold in place of score_threshold.
    #[schemars(extend("additionalProperties" = {"type": "number", "minimum": 0.0, "maximum": 1.0}))]
    pub class_score_thresholds: BTreeMap<String, f64>,
    /// What class_id of a detection's hypothesis says, in messages and recordings. name: the class's name. index: the
    /// model's own index, from 0. coco: the class's id in the data set, category_id of the model's labels. The class map of
    /// ~/label_info has the same numbers (of name: the indices).
    #[schemars(extend("readOnly" = true))]
    pub class_id: ClassIdForm,
}

impl Default for RawDetector {
    fn default() -> Self {
        Self {
            score_threshold: None,
            nms_iou_threshold: None,
            max_detections: 100,
            classes: Vec::new(),
            class_score_thresholds: BTreeMap::new(),
            class_id: ClassIdForm::Name,
        }
    }
}

/// How ONNX Runtime runs the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawRuntime {
    /// Execution providers in order of preference. The first that works is used, and the next when it fails while it
    /// runs; what became of the others is reported.
    #[schemars(length(min = 1), extend("readOnly" = true, "uniqueItems" = true))]
    pub providers: Vec<Provider>,
    /// Fail rather than run on another provider than the first.
    #[schemars(extend("readOnly" = true))]
    pub strict: bool,
    /// What the cores are used for. throughput: a frame on each, for the most frames a second. latency: all of them on
    /// one frame of each camera, for the soonest result while frames come seldom. auto: throughput, except for a node of
    /// fewer cameras than cores whose frames take three quarters of the time or less with more threads, which it measures
    /// when it configures.
    #[schemars(extend("readOnly" = true))]
    pub mode: Mode,
    /// Frames worked on in parallel. 0: as mode says.
    #[schemars(range(max = 256), extend("readOnly" = true))]
    pub workers: usize,
    /// Threads within one run of the model. 0: as mode says.
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

/// Which frames are worth the work. Where the node has several cameras, this is what holds for each unless its own
/// parameters say otherwise. Replay needs none of it, unless it is paced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawInput {
    /// The topic of raw images; that of compressed ones has /compressed after it.
    #[schemars(length(min = 1), extend("readOnly" = true))]
    pub image_topic: String,
    /// Which of the two topics to take images from. auto: the one on which they come, raw if they come on both; the node
    /// subscribes to both, drops the one that it does not need, and tries both again when no image has come for
    /// diagnostics.stale_after_ms (at least half a second, and three of the camera's periods).
    #[schemars(extend("readOnly" = true))]
    pub transport: TransportChoice,
    /// Whether lost images are sent again. reliable asks for publishers that do so, and hears no others; best_effort hears
    /// both. qos_overrides of a topic win.
    #[schemars(extend("readOnly" = true))]
    pub reliability: ReliabilityChoice,
    /// Whether frames are worked on.
    pub enabled: bool,
    /// A frame that is older when its turn comes is dropped, in milliseconds: counted from its stamp where the clock
    /// allows it, else from reception. Not applied where replay is lossless.
    #[schemars(range(min = 1.0, max = 60_000.0))]
    pub max_age_ms: f64,
    /// The mean rate of the frames that are worked on, in frames a second; what comes faster is dropped. Of a camera that
    /// paused, a second's frames may follow each other faster. 0: no limit.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub max_rate_hz: f64,
    /// How many frames a second should arrive: /diagnostics warns when far fewer do. 0: as many as the camera's stamps
    /// tell, once they have told it.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub expected_rate_hz: f64,
    /// How large JPEG images are decoded, of their own width and height: full, half, quarter, eighth. Smaller takes less
    /// time and changes what is detected; `shuffledet eval` shows how much. Detections stay in pixels of the image.
    pub jpeg_scale: JpegScale,
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
        }
    }
}

/// How a camera's images are transported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TransportChoice {
    Raw,
    Compressed,
    Auto,
}

/// What a camera's images are asked for with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReliabilityChoice {
    BestEffort,
    Reliable,
}

/// One of several cameras.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawCamera {
    /// As input.image_topic. Default: NAME/image_raw.
    #[schemars(length(min = 1), extend("readOnly" = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_topic: Option<String>,
    /// As input.transport.
    #[schemars(extend("readOnly" = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<TransportChoice>,
    /// As input.reliability.
    #[schemars(extend("readOnly" = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reliability: Option<ReliabilityChoice>,
    /// As input.max_age_ms.
    #[schemars(range(min = 1.0, max = 60_000.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_ms: Option<f64>,
    /// As input.max_rate_hz.
    #[schemars(range(min = 0.0, max = 1000.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rate_hz: Option<f64>,
    /// As input.expected_rate_hz.
    #[schemars(range(min = 0.0, max = 1000.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_rate_hz: Option<f64>,
    /// As input.jpeg_scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jpeg_scale: Option<JpegScale>,
    /// This camera's share of the work when there is too much of it, as against the others'. Default: 1.
    #[schemars(range(min = 0.01, max = 100.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<f64>,
    /// As input.enabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// When /diagnostics warns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawDiagnostics {
    /// What rates and quantiles are taken over, in seconds.
    #[schemars(range(min = 1.0, max = 600.0))]
    pub window_s: f64,
    /// A camera that was silent for longer is stale, in milliseconds.
    #[schemars(range(min = 10.0, max = 600_000.0))]
    pub stale_after_ms: f64,
    /// How long after activation a camera that has sent nothing yet is waited for before the log and /diagnostics say why,
    /// in milliseconds: a launch may start it later than the node.
    #[schemars(range(min = 0.0, max = 600_000.0))]
    pub grace_ms: f64,
    /// WARN when the p99 of the latency from reception to publication is above this, in milliseconds.
    #[schemars(range(min = 0.1, max = 60_000.0))]
    pub warn_latency_ms: f64,
    /// ERROR when it is above this, in milliseconds.
    #[schemars(range(min = 0.1, max = 60_000.0))]
    pub error_latency_ms: f64,
    /// WARN when more of the received frames were dropped, in percent.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub warn_dropped_percent: f64,
    /// WARN when more of the expected frames do not arrive (input.expected_rate_hz), in percent.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub warn_missing_percent: f64,
    /// ERROR when more of them do not arrive, in percent.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub error_missing_percent: f64,
    /// ERROR when more of the received frames failed, in percent. WARN when any failed.
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

/// Policies by the names that rclcpp gives them in qos_overrides.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawQos {
    /// Whether lost messages are sent again.
    #[schemars(extend("enum" = ["reliable", "best_effort", "system_default", "best_available"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reliability: Option<String>,
    /// Whether a late subscriber gets earlier messages.
    #[schemars(extend("enum" = ["volatile", "transient_local", "system_default", "best_available"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub durability: Option<String>,
    /// Whether the last messages, depth of them, are kept or all.
    #[schemars(extend("enum" = ["keep_last", "keep_all", "system_default"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<String>,
    /// How many messages keep_last keeps.
    #[schemars(range(min = 1, max = 10_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// Nanoseconds within which the next message is due. 0: no deadline.
    #[schemars(range(min = 0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<i64>,
    /// Nanoseconds after which a message is too old to be delivered. 0: never.
    #[schemars(range(min = 0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifespan: Option<i64>,
    /// What shows that a publisher is alive.
    #[schemars(extend("enum" = ["automatic", "manual_by_topic", "system_default", "best_available"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liveliness: Option<String>,
    /// Nanoseconds within which the publisher must be known to be alive. 0: no limit.
    #[schemars(range(min = 0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liveliness_lease_duration: Option<i64>,
}
