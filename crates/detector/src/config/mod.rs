//! The parameters: raw values from YAML, checked once against the schema, then typed values that
//! need no further check.

mod difference;
#[cfg(test)]
mod document;
pub mod node;
mod ranging;
pub mod raw;
mod recorded;
pub mod schema;
pub mod threads;
mod tracking;
pub mod tree;
mod web;

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;
use thiserror::Error;

use crate::classify::second_stage::SecondStageConfig;
use crate::detect::settings::Thresholds;
use crate::model::class_ids::ClassIdForm;
use crate::pipeline::{CameraInfoOrigin, CameraSettings, TrackingSettings};
pub use node::{CameraConfig, DiagnosticsConfig};
use raw::{LogLevel, Precision, RawClassifier, RawConfig, RawQosOverrides};
use shuffledet_core::bounded_file::TEXT_LIMIT;
use shuffledet_core::{InputSize, text};
use shuffledet_infer::options::OpenVinoPrecision;
use shuffledet_infer::{Provider, ProviderOptions, SessionOptions};
use threads::Mode;
pub use threads::Threads;
pub use web::WebConfig;

/// Valid parameters. Values that depend on the model (class names) are checked when it is loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The name of a model in the manifest, or the path of an ONNX file.
    pub model: String,
    /// Where files of models lie that are named while the node runs; `None`: beside the first model.
    pub model_folder: Option<PathBuf>,
    pub input_size: InputSize,
    /// `None`: that of the model.
    pub input_budget: Option<f64>,
    pub thresholds: Thresholds,
    pub class_id: ClassIdForm,
    /// The classifier of boxes; `None`: there is none.
    pub second_stage: Option<SecondStageConfig>,
    pub session: SessionOptions,
    pub threads: Threads,
    /// The threads that a live node may use in place of `threads` if they make its frames faster.
    pub wider_threads: Option<Threads>,
    /// The input settings of every camera in paced replay, and of a node's only camera.
    pub input: CameraSettings,
    pub tracking: TrackingSettings,
    /// Whether the distance of objects is measured.
    pub ranging: bool,
    /// The calibration of every camera in replay, and of a node's only camera.
    pub camera_info: CameraInfoOrigin,
    /// The cameras of a live node, at least one.
    pub cameras: Vec<CameraConfig>,
    pub diagnostics: DiagnosticsConfig,
    pub web: WebConfig,
    pub autostart: bool,
    /// `None`: the value of `--log-level`.
    pub log_level: Option<LogLevel>,
    pub use_sim_time: bool,
    /// The QoS overrides by topic.
    pub qos_overrides: BTreeMap<String, RawQosOverrides>,
    raw: RawConfig,
}

/// Why parameters are refused. `origin` is the file, `--model` or the assignment that gave them.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{origin}: {source}")]
    Yaml {
        origin: String,
        source: serde_yaml::Error,
    },
    #[error(
        "{origin}: expected ROS 2 parameters (/**: ros__parameters: ...) for the node shuffledet, found {found}"
    )]
    Shape { origin: String, found: String },
    #[error("--set {assignment}: {problem}")]
    Assignment { assignment: String, problem: String },
    #[error("{origin}: {}", problems.join("\n  "))]
    Invalid {
        origin: String,
        problems: Vec<String>,
    },
}

impl Config {
    /// Merges the defaults, the parameters of `file`, `model` as `model.name`, and each `key=value`
    /// of `assignments`. Later values override earlier ones. Each source is checked separately.
    /// Opens no model and no other file.
    ///
    /// # Errors
    /// The file cannot be read or is not a parameter file, an assignment has no `=`, or a parameter
    /// is unknown, has the wrong type or is out of range. The error lists all problems of one
    /// source.
    pub fn load(
        file: Option<&Path>,
        model: Option<&str>,
        assignments: &[String],
    ) -> Result<Self, ConfigError> {
        let mut parameters = Value::Object(serde_json::Map::new());
        if let Some(path) = file {
            let mut from_file = tree::from_config_file(&read(path)?, path)?;
            tree::normalise_lists(&mut from_file);
            check(&from_file, &path.display().to_string())?;
            tree::merge(&mut parameters, from_file);
        }
        if let Some(name) = model {
            let named = serde_json::json!({ "model": { "name": name } });
            check(&named, "--model")?;
            tree::merge(&mut parameters, named);
        }
        for assignment in assignments {
            let mut assigned = tree::from_assignment(assignment)?;
            tree::normalise_lists(&mut assigned);
            check(&assigned, &format!("--set {assignment}"))?;
            tree::merge(&mut parameters, assigned);
        }
        Self::from_tree(parameters, "parameters")
    }

    /// Merges the parameters of `tree` over the defaults. `origin` is their source.
    pub fn from_tree(mut tree: Value, origin: &str) -> Result<Self, ConfigError> {
        tree::normalise_lists(&mut tree);
        check(&tree, origin)?;
        let invalid = |problem: String| ConfigError::Invalid {
            origin: origin.to_owned(),
            problems: vec![problem],
        };
        // the types accept every value that the schema accepts; a difference is a bug, and still
        // reported
        let raw: RawConfig =
            serde_json::from_value(tree).map_err(|error| invalid(error.to_string()))?;
        Self::from_raw(raw).map_err(invalid)
    }

    /// Returns all parameters with their current values. Parameters without a default that were not
    /// given are absent.
    pub fn to_tree(&self) -> Value {
        // plain structs, and maps with string keys: JSON can represent all of it
        serde_json::to_value(&self.raw).unwrap_or_default()
    }

    fn from_raw(raw: RawConfig) -> Result<Self, String> {
        let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let cameras = node::cameras(&raw)?;
        let threads = |mode| Threads::new(&raw.runtime, mode, cores, cameras.len());
        let (chosen, widest) = (threads(raw.runtime.mode), threads(Mode::Latency));
        let open = raw.runtime.mode == Mode::Auto && raw.runtime.workers == 0;
        let detector = raw.detector.clone();
        let class_score_thresholds = detector.class_score_thresholds.into_iter();
        let input_size = raw.model.input_size.parse();
        Ok(Self {
            model: raw.model.name.clone(),
            model_folder: Some(raw.model.folder.as_str())
                .filter(|folder| !folder.is_empty())
                .map(PathBuf::from),
            input_size: input_size.map_err(|error| format!("model.input_size: {error}"))?,
            input_budget: raw.model.input_budget,
            class_id: raw.detector.class_id,
            second_stage: second_stage(&raw.classifier)?,
            thresholds: Thresholds {
                // the schema keeps the value in [0, 1], and rounding does not change that
                score: detector.score_threshold.map(|score| score as f32),
                nms_iou: detector.nms_iou_threshold.map(|iou| iou as f32),
                nms_across: detector.nms_across.map(|groups| split_groups(&groups)),
                max_detections: detector.max_detections,
                classes: detector.classes,
                class_score_thresholds: class_score_thresholds
                    .map(|(class, score)| (class, score as f32))
                    .collect(),
            },
            session: chosen.apply(session(&raw)),
            threads: chosen,
            wider_threads: (open && widest.intra_op > chosen.intra_op).then_some(widest),
            input: node::tuning(&raw, None)?,
            tracking: tracking::tracking(&raw.tracking, &raw.ranging),
            ranging: raw.ranging.enabled,
            camera_info: ranging::camera_info(&raw.ranging, None)?,
            cameras,
            diagnostics: DiagnosticsConfig::from(&raw.diagnostics),
            web: web::web(&raw.web)?,
            autostart: raw.autostart,
            log_level: raw.log_level,
            use_sim_time: raw.use_sim_time,
            qos_overrides: raw.qos_overrides.clone(),
            raw,
        })
    }

    /// Returns whether the sessions of `other` can serve these parameters: model, input size and
    /// providers are the same.
    pub fn has_sessions_of(&self, other: &Self) -> bool {
        let sessions =
            |config: &Self| (config.model.clone(), config.input_size, config.input_budget);
        sessions(self) == sessions(other) && self.session == other.session
    }

    /// Returns the current parameters as a ROS 2 parameter file.
    pub fn to_ros_yaml(&self) -> Result<String, serde_yaml::Error> {
        tree::to_ros_yaml(self.to_tree())
    }
}

/// Returns the classifier of boxes, if a model is named.
fn second_stage(raw: &RawClassifier) -> Result<Option<SecondStageConfig>, String> {
    let classes: Vec<String> = raw
        .classes
        .iter()
        .filter(|name| !name.trim().is_empty())
        .cloned()
        .collect();
    match (raw.model.as_str(), classes.is_empty()) {
        ("", true) => Ok(None),
        ("", false) => Err("classifier.model: expected a model, because classifier.classes is given; name one, or remove the classes".to_owned()),
        (model, true) => Err(format!("classifier.classes: expected the classes whose boxes {model} classifies, found none; name at least one, such as traffic light")),
        (model, false) => Ok(Some(SecondStageConfig {
            model: model.to_owned(),
            classes,
            margin: raw.margin as f32,
            max_boxes: raw.max_boxes,
        })),
    }
}

/// Splits each group at its commas. Empty names and groups are left out: a ROS parameter file cannot
/// give an empty list, but a list of an empty text.
fn split_groups(groups: &[String]) -> Vec<Vec<String>> {
    let groups = groups.iter().map(|group| {
        let names = group.split(',').map(str::trim);
        let names = names.filter(|name| !name.is_empty());
        names.map(str::to_owned).collect::<Vec<_>>()
    });
    groups.filter(|group| !group.is_empty()).collect()
}

/// Returns the session options. `model.precision: fast` affects which providers are tried and their
/// precision.
fn session(raw: &RawConfig) -> SessionOptions {
    let runtime = raw.runtime.clone();
    let mut providers = runtime.providers;
    let mut options = ProviderOptions {
        tensorrt: runtime.tensorrt,
        cuda: runtime.cuda,
        openvino: runtime.openvino,
        xnnpack: runtime.xnnpack,
    };
    if raw.model.precision == Precision::Fast {
        if !providers.contains(&Provider::OpenVino) {
            let cpu = providers.iter().position(|&p| p == Provider::Cpu);
            providers.insert(cpu.unwrap_or(providers.len()), Provider::OpenVino);
        }
        if options.openvino.precision == OpenVinoPrecision::F32 {
            options.openvino.precision = OpenVinoPrecision::Bf16;
        }
        options.tensorrt.fp16 = true;
    }
    SessionOptions {
        providers,
        strict: runtime.strict,
        options,
        ..SessionOptions::default()
    }
}

/// Returns the JSON schema of the parameters, pretty-printed: `config/shuffledet.schema.json`.
pub fn schema_text() -> String {
    let mut text = format!("{:#}", schema());
    text.push('\n');
    text
}

fn schema() -> Value {
    schemars::schema_for!(RawConfig).to_value()
}

/// Checks the parameter file `path`. Fails if it cannot be read, is not a parameter file, or gives
/// the node `node` an invalid parameter.
pub fn check_ros_file(path: &Path, node: &str) -> Result<(), ConfigError> {
    match tree::from_ros_yaml(&read(path)?, path, node)? {
        Some(mut parameters) => {
            tree::normalise_lists(&mut parameters);
            check(&parameters, &path.display().to_string())
        }
        None => Ok(()),
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    text::read(path, TEXT_LIMIT).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })
}

fn check(parameters: &Value, origin: &str) -> Result<(), ConfigError> {
    let invalid = |problems| ConfigError::Invalid {
        origin: origin.to_owned(),
        problems,
    };
    let validator = validator().map_err(|error| invalid(vec![error]))?;
    let problems: Vec<_> = validator
        .iter_errors(parameters)
        .map(|error| explain(&error))
        .collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(invalid(problems))
    }
}

fn validator() -> Result<Validator, String> {
    jsonschema::validator_for(&schema()).map_err(|error| error.to_string())
}

/// Formats an error: the parameter's dotted name, what was expected and what was found.
fn explain(error: &ValidationError<'_>) -> String {
    let path = error
        .instance_path()
        .as_str()
        .trim_start_matches('/')
        .replace('/', ".");
    let prefix = if path.is_empty() {
        String::new()
    } else {
        format!("{path}.")
    };
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let names: Vec<_> = unexpected
                .iter()
                .map(|name| format!("{prefix}{name}"))
                .collect();
            let known = known_parameters(&path).join(", ");
            format!(
                "unknown parameter {}; expected one of: {known}",
                names.join(", ")
            )
        }
        _ => format!("{path}: {error}"),
    }
}

/// Lists the parameter names below `path` (a section, or empty for all), including those without a
/// default.
fn known_parameters(path: &str) -> Vec<String> {
    let root = schema();
    let resolve = |schema: &Value| {
        let target = schema["$ref"]
            .as_str()
            .and_then(|target| target.strip_prefix('#'));
        target
            .and_then(|pointer| root.pointer(pointer))
            .unwrap_or(schema)
            .clone()
    };
    let section =
        path.split('.')
            .filter(|key| !key.is_empty())
            .fold(root.clone(), |schema, key| {
                let inner = schema["properties"]
                    .get(key)
                    .unwrap_or(&schema["additionalProperties"]);
                resolve(inner)
            });
    let names = section["properties"]
        .as_object()
        .map(|names| names.keys().cloned().collect());
    names.unwrap_or_default()
}

#[cfg(test)]
mod tests;
