//! How ONNX Runtime runs the model.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::threads::Mode;
use shuffledet_infer::Provider;
use shuffledet_infer::options::{CudaOptions, OpenVinoOptions, TensorRtOptions, XnnpackOptions};

/// How ONNX Runtime runs the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawRuntime {
    /// Execution providers in order of preference. The node uses the first that works, and the next
    /// if it fails while running. It reports why it does not use the others.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub providers: Vec<Provider>,
    /// Whether to stop with an error if the first provider does not work. If false, the next
    /// provider is used.
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
