//! Finds and loads the ONNX Runtime library and reads its version.

#![expect(unsafe_code, reason = "ONNX Runtime's and TensorRT's C functions")]

use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;
use thiserror::Error;

use super::library_file::missing_length;
use super::log;
use super::telemetry::{self, TelemetryIsOn};
use shuffledet_core::locations;

/// The oldest ONNX Runtime with the API of this build (feature `api-24` of `ort`).
const OLDEST: &str = "1.24";

/// A loaded ONNX Runtime.
#[derive(Debug, Clone)]
pub struct Runtime {
    pub(super) environment: Environment,
    path: PathBuf,
}

/// Why ONNX Runtime is not available.
#[derive(Debug, Error)]
pub enum RuntimeError {
    #[error("ONNX Runtime: {source}\nexpected the library of ONNX Runtime {OLDEST} or newer, looked for {}; \
        run `make build` to install it into the checkout, or set ORT_DYLIB_PATH=/path/to/libonnxruntime.so", path.display())]
    Load {
        path: PathBuf,
        source: ort::LoadDynamicError,
    },
    #[error(
        "ONNX Runtime at {} is cut off: expected {expected} bytes or more, found {found}; run \
         `make build` to install it again, or set ORT_DYLIB_PATH=/path/to/libonnxruntime.so",
        path.display()
    )]
    Cut {
        path: PathBuf,
        expected: u64,
        found: u64,
    },
    #[error("ONNX Runtime at {} does not start: {source}", path.display())]
    Start { path: PathBuf, source: ort::Error },
    #[error(transparent)]
    Telemetry(#[from] TelemetryIsOn),
}

impl Runtime {
    /// Loads the library from [`locations::onnx_runtime`], with its telemetry switched off. A
    /// process loads it once: later calls from any thread return the same library.
    pub fn load() -> Result<Self, RuntimeError> {
        // ONNX Runtime refuses a second environment, even after the first is dropped
        static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*loaded {
            return Ok(runtime.clone());
        }
        let runtime = Self::start(locations::onnx_runtime())?;
        Ok(loaded.insert(runtime).clone())
    }

    fn start(path: PathBuf) -> Result<Self, RuntimeError> {
        telemetry::ensure_off()?;
        // the loader looks elsewhere for a name without a folder, and says itself if there is no file
        if let (Ok(Some(expected)), Ok(file)) = (missing_length(&path), path.metadata()) {
            let found = file.len();
            return Err(RuntimeError::Cut {
                path,
                expected,
                found,
            });
        }
        let builder = ort::init_from(&path).map_err(|source| RuntimeError::Load {
            path: path.clone(),
            source,
        })?;
        let environment = builder
            .with_name("shuffledet")
            .with_telemetry(false)
            .with_logger(Arc::new(|level, _, _, _, message: &str| {
                log::log(level, message)
            }))
            .build()
            .map_err(|source| RuntimeError::Start {
                path: path.clone(),
                source,
            })?;
        environment.set_log_level(LogLevel::Error);
        Ok(Self { environment, path })
    }

    /// Returns the path that was loaded; for a bare name, the system's loader found the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the library's version, for example `1.32.0`; empty if it does not tell.
    pub fn version(&self) -> String {
        library_version(&self.path).unwrap_or_default()
    }
}

/// Calls the library directly: `ort` has no function for this.
fn library_version(path: &Path) -> Option<String> {
    type GetApiBase = unsafe extern "C" fn() -> *const ort::sys::OrtApiBase;
    // SAFETY: the library is loaded already, so that no initialiser runs; the symbol has the type
    // from ONNX Runtime's C header, and the version is a constant text of the library, which stays
    // loaded.
    unsafe {
        let library = libloading::Library::new(path).ok()?;
        let get_api_base = library.get::<GetApiBase>(b"OrtGetApiBase").ok()?;
        let version = (get_api_base().as_ref()?.GetVersionString)();
        Some(CStr::from_ptr(version).to_str().ok()?.to_owned())
    }
}

/// Returns the version of TensorRT that the system's loader finds, as one number: `10.3.0` is
/// 100300.
pub(super) fn tensorrt_version() -> Option<i32> {
    type GetInferLibVersion = unsafe extern "C" fn() -> i32;
    // SAFETY: loading the library runs NVIDIA's initialisers, as ONNX Runtime's provider does next;
    // the function takes no argument and returns an int by its header (NvInferRuntimeBase.h), and
    // is called while the library is loaded.
    unsafe {
        let library = libloading::Library::new("libnvinfer.so.10").ok()?;
        let version = library
            .get::<GetInferLibVersion>(b"getInferLibVersion")
            .ok()?;
        Some(version())
    }
}
