//! The parameters as YAML writes them. The JSON schema is generated from these types; the defaults
//! are defined only here.

mod detector;
mod diagnostics;
mod input;
mod model;
mod qos;
mod ranging;
mod runtime;
mod sight;
mod tracking;
mod web;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use detector::{RawClassifier, RawDetector};
pub use diagnostics::RawDiagnostics;
pub use input::{RawCamera, RawInput, ReliabilityChoice, TransportChoice};
pub use model::{Precision, RawModel};
pub use qos::{RawQos, RawQosOverrides};
pub use ranging::{ImageGeometry, RawRanging};
pub use runtime::RawRuntime;
pub use sight::RawSight;
pub use tracking::RawTracking;
pub use web::RawWeb;

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
    pub ranging: RawRanging,
    /// Names of the cameras to subscribe to. Each has its own parameters under camera.NAME.
    /// Default: empty, one unnamed camera on input.image_topic.
    #[schemars(extend("readOnly" = true))]
    pub cameras: Vec<String>,
    /// Parameters of each camera that differ from input, by camera name.
    pub camera: BTreeMap<String, RawCamera>,
    pub diagnostics: RawDiagnostics,
    pub web: RawWeb,
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
            ranging: RawRanging::default(),
            cameras: Vec::new(),
            camera: BTreeMap::new(),
            diagnostics: RawDiagnostics::default(),
            web: RawWeb::default(),
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
