//! The options of each execution provider: the parameters `runtime.PROVIDER.*` and the registration
//! made from them.

use std::num::NonZeroUsize;
use std::path::Path;

use ort::ep::{self, ExecutionProviderDispatch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Provider;

/// The options of every provider, including providers that are not used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProviderOptions {
    pub cuda: CudaOptions,
    pub tensorrt: TensorRtOptions,
    pub openvino: OpenVinoOptions,
    pub xnnpack: XnnpackOptions,
}

/// NVIDIA CUDA.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CudaOptions {
    /// The index of the GPU in CUDA's order.
    #[schemars(range(min = 0, max = 255))]
    pub device: i32,
    /// The maximum GPU memory that each session takes for its tensors, in MB of 2^20 bytes. 0: no
    /// limit.
    #[schemars(range(max = 1_048_576))]
    pub memory_limit_mb: usize,
}

/// NVIDIA TensorRT.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TensorRtOptions {
    /// The index of the GPU in CUDA's order.
    #[schemars(range(min = 0, max = 255))]
    pub device: i32,
    /// Whether to compute in half precision where it is faster.
    pub fp16: bool,
    /// Whether to compute in int8 where the model is quantised (QuantizeLinear and DequantizeLinear
    /// nodes).
    pub int8: bool,
    /// The maximum GPU memory for building the engine, in MB of 2^20 bytes.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub workspace_mb: usize,
    /// Whether to keep the built engine, so that the next start takes seconds.
    pub engine_cache: bool,
    /// Whether to keep the measurements of the build, so that the next build takes less time.
    pub timing_cache: bool,
    /// The folder of both caches. Default: empty, shuffledet/tensorrt in the user's cache folder
    /// (XDG_CACHE_HOME).
    pub cache_folder: String,
}

impl Default for TensorRtOptions {
    fn default() -> Self {
        Self {
            device: 0,
            fp16: false,
            int8: false,
            workspace_mb: 1024,
            engine_cache: true,
            timing_cache: true,
            cache_folder: String::new(),
        }
    }
}

/// Intel OpenVINO.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OpenVinoOptions {
    /// The device: CPU, GPU, GPU.1 or NPU, or several in the form AUTO:GPU,CPU.
    #[schemars(length(min = 1))]
    pub device: String,
    /// The precision of inference. A device that does not support it uses the nearest that it
    /// supports.
    pub precision: OpenVinoPrecision,
}

impl Default for OpenVinoOptions {
    fn default() -> Self {
        Self {
            device: "CPU".to_owned(),
            precision: OpenVinoPrecision::F32,
        }
    }
}

/// A number format for inference in OpenVINO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OpenVinoPrecision {
    F32,
    F16,
    Bf16,
}

/// XNNPACK.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct XnnpackOptions {
    /// The number of threads of the provider's own pool. 0: same as runtime.intra_op_threads.
    #[schemars(range(max = 256))]
    pub threads: usize,
}

/// Returns how far the outputs may differ from those of another provider, relative to their root
/// mean square.
pub(super) fn tolerance(provider: Provider, options: &ProviderOptions) -> f64 {
    const FULL: f64 = 0.01;
    // bf16 has 8 bits: 0.06 was measured where an output is almost zero
    const HALF: f64 = 0.15;
    const INT8: f64 = 0.25;
    match provider {
        Provider::TensorRt if options.tensorrt.int8 => INT8,
        Provider::TensorRt if options.tensorrt.fp16 => HALF,
        Provider::OpenVino if options.openvino.precision != OpenVinoPrecision::F32 => HALF,
        _ => FULL,
    }
}

/// Returns the registration of `provider`. A provider that cannot be used fails: by default ONNX
/// Runtime would use the CPU and report nothing. `cache` is the folder where TensorRT keeps what it
/// built.
pub(super) fn registration(
    provider: Provider,
    options: &ProviderOptions,
    intra_op_threads: usize,
    cache: Option<&Path>,
) -> ExecutionProviderDispatch {
    let dispatch = match provider {
        Provider::TensorRt => tensorrt(&options.tensorrt, cache),
        Provider::Cuda => {
            let cuda = ep::CUDA::default().with_device_id(options.cuda.device);
            match options.cuda.memory_limit_mb {
                0 => cuda.build(),
                limit => cuda.with_memory_limit(limit << 20).build(),
            }
        }
        Provider::OpenVino => openvino(&options.openvino, intra_op_threads),
        Provider::Xnnpack => {
            let threads = match options.xnnpack.threads {
                0 => intra_op_threads,
                threads => threads,
            };
            let threads = NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN);
            ep::XNNPACK::default()
                .with_intra_op_num_threads(threads)
                .build()
        }
        Provider::Cpu => ep::CPU::default().build(),
    };
    dispatch.error_on_failure()
}

fn tensorrt(options: &TensorRtOptions, cache: Option<&Path>) -> ExecutionProviderDispatch {
    let mut tensorrt = ep::TensorRT::default()
        .with_device_id(options.device)
        .with_fp16(options.fp16)
        .with_int8(options.int8)
        .with_max_workspace_size(options.workspace_mb << 20);
    if let Some(folder) = cache {
        let folder = folder.display().to_string();
        if options.engine_cache {
            tensorrt = tensorrt
                .with_engine_cache(true)
                .with_engine_cache_path(&folder);
        }
        if options.timing_cache {
            tensorrt = tensorrt
                .with_timing_cache(true)
                .with_timing_cache_path(&folder);
        }
    }
    tensorrt.build()
}

fn openvino(options: &OpenVinoOptions, threads: usize) -> ExecutionProviderDispatch {
    use ep::ArbitrarilyConfigurableExecutionProvider;
    let hint = match options.precision {
        OpenVinoPrecision::F32 => "f32",
        OpenVinoPrecision::F16 => "f16",
        OpenVinoPrecision::Bf16 => "bf16",
    };
    // the provider's own `precision` does not support bf16; the configuration of its devices does,
    // by the bare device name
    let device = options.device.split([':', '.']).next().unwrap_or("CPU");
    let mut properties = serde_json::json!({ "INFERENCE_PRECISION_HINT": hint });
    if options.device == "CPU" {
        properties["INFERENCE_NUM_THREADS"] = threads.to_string().into();
        properties["NUM_STREAMS"] = "1".into();
        // sessions side by side would all be pinned to the same cores
        properties["ENABLE_CPU_PINNING"] = "NO".into();
    }
    let configuration = serde_json::json!({ device: properties });
    ep::OpenVINO::default()
        .with_device_type(&options.device)
        .with_arbitrary_config("load_config", configuration)
        .build()
}
