//! The model and its precision.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use shuffledet_core::InputSize;

/// The model and its precision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawModel {
    /// The name of a model in models/manifest.yaml, or the path of an .onnx file. An .onnx file
    /// needs a description of the same stem (.yaml) beside it. auto: the first model of the
    /// manifest, road, which is built into the program. A node that runs loads and tests another
    /// model beside the one that serves, and refuses it if that fails.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The folder in which the file of a model must lie that is named while the node runs. Default:
    /// empty, the folder of the file that the node started with, or the model folder if it started
    /// with a name of the manifest. Names of the manifest are always taken.
    #[schemars(extend("readOnly" = true))]
    pub folder: String,
    /// exact: 32-bit floats, the model's own precision. fast: half precision on providers that
    /// support it: bf16 on OpenVINO, fp16 on TensorRT. fast tries OpenVINO before the CPU provider.
    /// The CPU provider always computes in 32-bit floats.
    pub precision: Precision,
    /// The size of the network's input in pixels. auto: the size that shows the picture largest
    /// within input_budget, in the picture's shape and without padding; for a model that stretches,
    /// in a shape squeezed by up to 4/3 towards that of its training. native: the size that the model
    /// was trained at. WIDTHxHEIGHT: this size for every picture; multiples of 32 from 32 to 4096. A
    /// model whose graph cannot be rewritten for another size runs at its own.
    #[schemars(extend("pattern" = "^(auto|native|[0-9]+x[0-9]+)$"))]
    pub input_size: String,
    /// The most pixels that input_size auto takes, as a multiple of the pixels at which the model
    /// was trained. Time per frame grows with it. Default: input_budget in the model's description,
    /// or 1.
    #[schemars(range(min = 0.05, max = 16.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_budget: Option<f64>,
}

impl Default for RawModel {
    fn default() -> Self {
        Self {
            name: crate::model::AUTO.to_owned(),
            folder: String::new(),
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
