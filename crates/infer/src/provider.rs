//! The execution providers by name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An execution provider of ONNX Runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    TensorRt,
    Cuda,
    OpenVino,
    Xnnpack,
    Cpu,
}

impl Provider {
    /// All providers, the fastest first.
    pub const ALL: [Self; 5] = [
        Provider::TensorRt,
        Provider::Cuda,
        Provider::OpenVino,
        Provider::Xnnpack,
        Provider::Cpu,
    ];

    /// Returns the name in `runtime.providers`.
    pub fn name(self) -> &'static str {
        match self {
            Provider::TensorRt => "tensorrt",
            Provider::Cuda => "cuda",
            Provider::OpenVino => "openvino",
            Provider::Xnnpack => "xnnpack",
            Provider::Cpu => "cpu",
        }
    }

    /// Returns ONNX Runtime's name of the provider.
    pub fn onnx_runtime_name(self) -> &'static str {
        match self {
            Provider::TensorRt => "TensorrtExecutionProvider",
            Provider::Cuda => "CUDAExecutionProvider",
            Provider::OpenVino => "OpenVINOExecutionProvider",
            Provider::Xnnpack => "XnnpackExecutionProvider",
            Provider::Cpu => "CPUExecutionProvider",
        }
    }

    /// Whether creating a session may take minutes; a live node serves on another provider in that
    /// time.
    pub fn builds_slowly(self) -> bool {
        self == Provider::TensorRt
    }
}
