//! The parameters: raw values from YAML, checked once against the schema, then typed values that
//! need no further check.

#[cfg(test)]
mod document;
pub mod node;
pub mod raw;
pub mod schema;
pub mod threads;
pub mod tree;

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;
use thiserror::Error;

use crate::detect::settings::Thresholds;
use crate::model::class_ids::ClassIdForm;
use crate::pipeline::CameraSettings;
pub use node::{CameraConfig, DiagnosticsConfig};
use raw::{LogLevel, Precision, RawConfig, RawQosOverrides};
use shuffledet_core::{InputSize, text};
use shuffledet_infer::options::OpenVinoPrecision;
use shuffledet_infer::{Provider, ProviderOptions, SessionOptions};
use threads::Mode;
pub use threads::Threads;

/// Valid parameters. Values that depend on the model (class names) are checked when it is loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The name of a model in the manifest, or the path of an ONNX file.
    pub model: String,
    pub input_size: InputSize,
    /// `None`: that of the model.
    pub input_budget: Option<f64>,
    pub thresholds: Thresholds,
    pub class_id: ClassIdForm,
    pub session: SessionOptions,
    pub threads: Threads,
    /// The threads that a live node may use in place of `threads` if they make its frames faster.
    pub wider_threads: Option<Threads>,
    /// The input settings of every camera in paced replay, and of a node's only camera.
    pub input: CameraSettings,
    /// The cameras of a live node, at least one.
    pub cameras: Vec<CameraConfig>,
    pub diagnostics: DiagnosticsConfig,
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
            input_size: input_size.map_err(|error| format!("model.input_size: {error}"))?,
            input_budget: raw.model.input_budget,
            class_id: raw.detector.class_id,
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
            input: node::tuning(&raw.input, None)?,
            cameras,
            diagnostics: DiagnosticsConfig::from(&raw.diagnostics),
            autostart: raw.autostart,
            log_level: raw.log_level,
            use_sim_time: raw.use_sim_time,
            qos_overrides: raw.qos_overrides.clone(),
            raw,
        })
    }

    /// Returns the current parameters as a ROS 2 parameter file.
    pub fn to_ros_yaml(&self) -> Result<String, serde_yaml::Error> {
        tree::to_ros_yaml(self.to_tree())
    }
}

/// Splits each group at its commas. Empty names and groups are left out: a ROS parameter file cannot
/// give an empty list, but a list of an empty text.
fn split_groups(groups: &[String]) -> Vec<Vec<String>> {
    let names = |group: &String| {
        let names = group.split(',').map(str::trim);
        let names = names.filter(|name| !name.is_empty());
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    let groups = groups.iter().map(names);
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
    text::read(path).map_err(|source| ConfigError::Read {
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
mod tests {
    use std::fs;

    use super::*;
    use shuffledet_infer::Provider;
    use std::path::PathBuf;

    fn repository(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(path)
    }

    fn load(yaml: &str) -> Result<Config, ConfigError> {
        let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
        fs::write(file.path(), yaml).unwrap();
        Config::load(Some(file.path()), None, &[])
    }

    #[test]
    fn the_shipped_file_holds_the_defaults_and_names_every_parameter() {
        let path = repository("config/shuffledet.yaml");
        assert_eq!(
            Config::load(Some(&path), None, &[]).unwrap(),
            Config::load(None, None, &[]).unwrap()
        );
        let text = fs::read_to_string(path).unwrap();
        for section in schema()["$defs"].as_object().unwrap().values() {
            for name in section["properties"]
                .as_object()
                .into_iter()
                .flat_map(|p| p.keys())
            {
                assert!(
                    text.contains(&format!("{name}:")),
                    "config/shuffledet.yaml lacks {name}"
                );
            }
        }
    }

    #[test]
    fn the_shipped_schema_is_that_of_the_code() {
        let path = repository("config/shuffledet.schema.json");
        if std::env::var_os("SHUFFLEDET_UPDATE").is_some() {
            fs::write(&path, schema_text()).unwrap();
        }
        let shipped = fs::read_to_string(path).unwrap();
        assert!(
            shipped == schema_text(),
            "config/shuffledet.schema.json is stale: SHUFFLEDET_UPDATE=1 cargo test the_shipped_schema"
        );
    }

    #[test]
    fn the_parameters_in_force_read_back_the_same() {
        let assignments = [
            "detector.score_threshold=0.5",
            "runtime.providers=[cuda, cpu]",
        ];
        let config = Config::load(None, None, &assignments.map(str::to_owned)).unwrap();
        assert_eq!(config.session.providers, [Provider::Cuda, Provider::Cpu]);
        assert_eq!(load(&config.to_ros_yaml().unwrap()).unwrap(), config);
    }

    #[test]
    fn files_may_be_nested_or_dotted_and_name_the_node_or_all() {
        let yaml = "/**:\n  ros__parameters:\n    detector.max_detections: 7\n    model: {name: nanodet_m_416}\n\
            other_node:\n  ros__parameters: {x: 1}\n\
            shuffledet:\n  ros__parameters:\n    detector: {max_detections: 8}\n";
        let config = load(yaml).unwrap();
        assert_eq!(
            (config.thresholds.max_detections, config.model.as_str()),
            (8, "nanodet_m_416")
        );
        assert!(load("/**:\n  ros__parameters:\n").is_ok());
    }

    #[test]
    fn mistakes_name_file_key_expected_and_found() {
        let message = |parameters: &str| {
            load(&format!("/**:\n  ros__parameters:\n    {parameters}\n"))
                .unwrap_err()
                .to_string()
        };
        let high = message("detector: {score_threshold: 1.5}");
        assert!(
            high.contains(".yaml: detector.score_threshold: 1.5 is greater"),
            "{high}"
        );
        let unknown = message("detector: {score_treshold: 0.5}");
        assert!(
            unknown.contains("unknown parameter detector.score_treshold"),
            "{unknown}"
        );
        assert!(
            unknown.contains("max_detections, classes") && unknown.contains("score_threshold,"),
            "{unknown}"
        );
        let kind = message("detector: {max_detections: many}");
        assert!(
            kind.contains("detector.max_detections") && kind.contains("many"),
            "{kind}"
        );
        let provider = message("runtime: {providers: [gpu]}");
        assert!(
            provider.contains("runtime.providers.0") && provider.contains("gpu"),
            "{provider}"
        );
        let other = load("my_node:\n  ros__parameters: {}\n")
            .unwrap_err()
            .to_string();
        assert!(other.contains("for the node shuffledet"), "{other}");
        assert!(load("- a\n").unwrap_err().to_string().contains("a list"));
        assert!(load("/**: {\n").is_err());
    }

    #[test]
    fn sizes_and_regions_are_checked_by_what_they_mean() {
        let set = |assignments: &[&str]| {
            let assignments: Vec<_> = assignments.iter().map(|&text| text.to_owned()).collect();
            Config::load(None, None, &assignments)
        };
        let message = |assignment| set(&[assignment]).unwrap_err().to_string();
        assert_eq!(set(&[]).unwrap().input_size, InputSize::Auto);
        let fixed = set(&["model.input_size=704x224"]).unwrap().input_size;
        assert_eq!(fixed, InputSize::Fixed((704, 224).into()));
        assert!(message("model.input_size=700x224").contains("multiple of 32"));
        assert!(message("model.input_size=wide").contains("--set model.input_size=wide"));
        assert!(message("model.input_budget=0").contains("model.input_budget"));
        let flat = set(&["input.regions=[0, 0, 1, 1, 0, 0.4, 1, 0.7]"]).unwrap();
        let nested = set(&["input.regions=[[0, 0, 1, 1], [0, 0.4, 1, 0.7]]"]).unwrap();
        assert_eq!(flat, nested);
        assert_eq!(flat.input.regions.as_slice().len(), 2);
        let of_camera = set(&["cameras=[a]", "camera.a.regions=[[0, 0, 1, 0.5]]"]).unwrap();
        assert_eq!(of_camera.cameras[0].tuning.regions.as_slice().len(), 1);
        assert!(message("input.regions=[0, 0, 1, 1, 0, 0.4, 1, 0.3]").contains("region 1 "));
        assert!(message("input.regions=[0, 0, 1]").contains("input.regions"));
        assert!(message("input.regions=[]").contains("input.regions"));
    }

    #[test]
    fn fast_tries_half_precision_before_the_cpu() {
        let session = |settings: &[&str]| {
            let settings: Vec<String> = settings.iter().map(|&s| s.to_owned()).collect();
            Config::load(None, None, &settings).unwrap().session
        };
        let exact = session(&[]);
        assert_eq!(exact.providers, [Provider::Cpu]);
        assert_eq!(exact.options.openvino.precision, OpenVinoPrecision::F32);
        let fast = session(&["model.precision=fast"]);
        assert_eq!(fast.providers, [Provider::OpenVino, Provider::Cpu]);
        assert_eq!(fast.options.openvino.precision, OpenVinoPrecision::Bf16);
        assert!(fast.options.tensorrt.fp16);
        let chosen = session(&[
            "model.precision=fast",
            "runtime.providers=[openvino, cuda]",
            "runtime.openvino.precision=f16",
        ]);
        assert_eq!(chosen.providers, [Provider::OpenVino, Provider::Cuda]);
        assert_eq!(chosen.options.openvino.precision, OpenVinoPrecision::F16);
    }

    #[test]
    fn split_groups_classes_are_read_in_each_form() {
        let groups = |given: &str| {
            let assignment = format!("detector.nms_across={given}");
            let config = Config::load(None, None, &[assignment]).unwrap();
            let back = load(&config.to_ros_yaml().unwrap()).unwrap();
            assert_eq!(back.thresholds, config.thresholds);
            config.thresholds.nms_across
        };
        let vehicles = Some(vec![vec!["car".to_owned(), "bus".to_owned()]]);
        for form in [
            "[[car, bus]]",
            "['car, bus']",
            "'car,bus'",
            "[' car , bus,']",
        ] {
            assert_eq!(groups(form), vehicles, "{form}");
        }
        for form in ["[]", "['']", "''"] {
            assert_eq!(groups(form), Some(Vec::new()), "{form}");
        }
        let unset = Config::load(None, None, &[]).unwrap();
        assert_eq!(unset.thresholds.nms_across, None);
        let wrong = ["detector.nms_across=[[3]]".to_owned()];
        let wrong = Config::load(None, None, &wrong).unwrap_err().to_string();
        assert!(wrong.contains("detector.nms_across.0"), "{wrong}");
    }

    #[test]
    fn assignments_are_checked_alike() {
        let set = |assignment: &str| Config::load(None, None, &[assignment.to_owned()]);
        assert!(
            set("runtime.workers")
                .unwrap_err()
                .to_string()
                .contains("no '='")
        );
        let unknown = set("runtime.wokers=2").unwrap_err().to_string();
        assert!(
            unknown.contains("--set runtime.wokers=2: unknown parameter runtime.wokers"),
            "{unknown}"
        );
        assert_eq!(set("runtime.workers=3").unwrap().threads.workers.get(), 3);
        let per_class = set("detector.class_score_thresholds.traffic light=0.4").unwrap();
        assert_eq!(
            per_class.thresholds.class_score_thresholds["traffic light"],
            0.4
        );
        assert!(set("detector.class_score_thresholds.car=4").is_err());
    }
}
