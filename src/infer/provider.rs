//! Execution providers by name.

use ort::ep::{self, ExecutionProviderDispatch};
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
    /// As in `runtime.providers`.
    pub fn name(self) -> &'static str {
        match self {
            Provider::TensorRt => "tensorrt",
            Provider::Cuda => "cuda",
            Provider::OpenVino => "openvino",
            Provider::Xnnpack => "xnnpack",
            Provider::Cpu => "cpu",
        }
    }

    /// As ONNX Runtime calls it.
    pub fn onnx_runtime_name(self) -> &'static str {
        match self {
            Provider::TensorRt => "TensorrtExecutionProvider",
            Provider::Cuda => "CUDAExecutionProvider",
            Provider::OpenVino => "OpenVINOExecutionProvider",
            Provider::Xnnpack => "XnnpackExecutionProvider",
            Provider::Cpu => "CPUExecutionProvider",
        }
    }

    /// Registers itself or fails: ONNX Runtime's own way is to run on the CPU without a word.
    pub(super) fn dispatch(self) -> ExecutionProviderDispatch {
        let dispatch = match self {
            Provider::TensorRt => ep::TensorRT::default().build(),
            Provider::Cuda => ep::CUDA::default().build(),
            Provider::OpenVino => ep::OpenVINO::default().build(),
            Provider::Xnnpack => ep::XNNPACK::default().build(),
            Provider::Cpu => ep::CPU::default().build(),
        };
        dispatch.error_on_failure()
    }
}
