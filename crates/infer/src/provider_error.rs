//! Derives the cause of a provider's failure from ONNX Runtime's message.

use thiserror::Error;

use super::Provider;
use shuffledet_core::Cause;

/// A provider that cannot run a model, or that fails while running.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{cause}: {text}")]
pub struct ProviderError {
    pub cause: Cause,
    /// The finding, and a fix if there is one.
    pub text: String,
}

impl ProviderError {
    pub fn new(cause: Cause, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { cause, text }
    }

    /// Reads ONNX Runtime's message about `provider`. Keeps an unknown message as it is.
    pub fn from_message(provider: Provider, message: &str) -> Self {
        let has = |part: &str| message.contains(part);
        if has("not enabled in this build") || has("not supported in this build") {
            let (name, wheel) = (provider.onnx_runtime_name(), wheel(provider));
            return Self::new(
                Cause::NotInBuild,
                format!("it has no {name}; set ORT_DYLIB_PATH to the library of {wheel}"),
            );
        }
        if let Some(library) = missing_library(message) {
            return library_missing(library, message);
        }
        let cause = if has("CUDA failure 35:")
            || has("driver version is insufficient")
            || has("undefined symbol: cu")
        {
            Cause::DriverTooOld
        } else if has("CUDA failure 100:")
            || has("CUDA failure 101:")
            || has("no CUDA-capable device")
            || has("invalid device ordinal")
            || has("Failed to query available devices")
            || has("is not available")
        {
            Cause::NoDevice
        } else if has("CUDA failure 2:")
            || has("out of memory")
            || has("Failed to allocate memory")
            || has("OutOfMemory")
        {
            Cause::OutOfMemory
        } else if DEVICE_LOST.iter().any(|part| has(part)) {
            Cause::DeviceLost
        } else if has("NOT_IMPLEMENTED") || has("Could not find an implementation") {
            Cause::OperatorUnsupported
        } else {
            Cause::Other
        };
        let name = provider.name();
        let fix = match cause {
            Cause::DriverTooOld => {
                "; install a driver for the CUDA version of this ONNX Runtime".to_owned()
            }
            Cause::NoDevice => format!("; correct runtime.{name}.device, or the driver's set-up"),
            Cause::OutOfMemory => "; lower runtime.workers".to_owned(),
            _ => String::new(),
        };
        Self::new(cause, format!("{}{fix}", gist(message)))
    }
}

/// The CUDA messages for a device that is lost or unusable for the rest of this process.
const DEVICE_LOST: [&str; 7] = [
    "CUDA failure 46:",
    "CUDA failure 700:",
    "CUDA failure 714:",
    "CUDA failure 719:",
    "CUDA failure 999:",
    "unspecified launch failure",
    "device lost",
];

/// Returns a package that has the provider.
fn wheel(provider: Provider) -> &'static str {
    match provider {
        Provider::TensorRt | Provider::Cuda => "onnxruntime-gpu",
        Provider::OpenVino => "onnxruntime-openvino",
        Provider::Xnnpack => "a build with --use_xnnpack",
        Provider::Cpu => "onnxruntime",
    }
}

/// Returns the name in "NAME: cannot open shared object file".
fn missing_library(message: &str) -> Option<&str> {
    let (before, _) = message.split_once(": cannot open shared object file")?;
    before.rsplit(char::is_whitespace).next()
}

fn library_missing(library: &str, message: &str) -> ProviderError {
    let needed = message.split_whitespace();
    let needed_by = needed
        .filter_map(|word| word.rsplit('/').next())
        .find(|name| name.starts_with("libonnxruntime_providers_") && *name != library)
        .map(|name| format!(" (needed by {name})"))
        .unwrap_or_default();
    if library.starts_with("libcuda.so") {
        let text = format!("{library} is missing{needed_by}; install the NVIDIA driver");
        return ProviderError::new(Cause::NoDriver, text);
    }
    let text = format!("{library}{needed_by}; install it, or add its folder to LD_LIBRARY_PATH");
    ProviderError::new(Cause::LibraryMissing, text)
}

/// Returns a message on one line, without function names and source lines.
fn gist(message: &str) -> String {
    let starts = ["CUDA failure", "CUDNN failure", "[OpenVINO]"];
    let from = starts.iter().find_map(|start| message.find(start));
    let told = &message[from.unwrap_or_default()..];
    let told = match from {
        Some(_) => told.split(" ; ").next().unwrap_or(told),
        None => told,
    };
    told.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages of onnxruntime-gpu 1.31.1, onnxruntime 1.32.0 and onnxruntime-openvino 1.24.1,
    /// without their functions.
    #[test]
    fn real_messages_are_understood() {
        let load = "/onnxruntime_src/onnxruntime/core/session/provider_bridge_ort.cc:2043 onnxruntime::Provider& \
            onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load library \
            /opt/ort/libonnxruntime_providers_cuda.so with error: ";
        let no_file = ": cannot open shared object file: No such file or directory\n";
        let cuda = "cuda_call.cc:146 std::conditional_t<THRW, void> CUDA failure ";
        let place = " ; GPU=-1 ; hostname=vm ; file=cuda_execution_provider.cc ; line=355 ; expr=cudaSetDevice(0); ";
        for (message, cause, text) in [
            (
                "CUDA execution provider is not enabled in this build.".to_owned(),
                Cause::NotInBuild,
                "it has no CUDAExecutionProvider; set ORT_DYLIB_PATH to the library of onnxruntime-gpu",
            ),
            (
                format!("{load}libcublasLt.so.13{no_file}"),
                Cause::LibraryMissing,
                "libcublasLt.so.13 (needed by libonnxruntime_providers_cuda.so); install it, or add its folder to \
                 LD_LIBRARY_PATH",
            ),
            (
                format!("{load}libcuda.so.1{no_file}"),
                Cause::NoDriver,
                "libcuda.so.1 is missing (needed by libonnxruntime_providers_cuda.so); install the NVIDIA driver",
            ),
            (
                format!("{cuda}100: no CUDA-capable device is detected{place}"),
                Cause::NoDevice,
                "CUDA failure 100: no CUDA-capable device is detected; correct runtime.cuda.device, or the driver's set-up",
            ),
            (
                format!(
                    "{cuda}35: CUDA driver version is insufficient for CUDA runtime version{place}"
                ),
                Cause::DriverTooOld,
                "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version; install a driver for \
                 the CUDA version of this ONNX Runtime",
            ),
        ] {
            let error = ProviderError::from_message(Provider::Cuda, &message);
            assert_eq!((error.cause, error.text.as_str()), (cause, text));
        }
    }

    #[test]
    fn failures_while_running_have_a_cause() {
        let cause = |message: &str| ProviderError::from_message(Provider::Cuda, message).cause;
        let arena = "Failed to allocate memory for requested buffer of size 1048576";
        assert_eq!(cause(arena), Cause::OutOfMemory);
        let lost = "CUDA failure 719: unspecified launch failure ; GPU=0";
        assert_eq!(cause(lost), Cause::DeviceLost);
        assert_eq!(cause("CUDA failure 2: out of memory"), Cause::OutOfMemory);
        assert_eq!(
            cause("CUDA failure 700: illegal address"),
            Cause::DeviceLost
        );
        assert_eq!(cause(""), Cause::Other);
    }
}
