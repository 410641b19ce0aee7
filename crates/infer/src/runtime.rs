//! The ONNX Runtime library: found, loaded, asked for its version.

use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;
use thiserror::Error;

use super::log;
use super::telemetry::{self, TelemetryIsOn};
use shuffledet_core::locations;

/// The oldest ONNX Runtime that has the API which this program was built for (feature `api-24` of `ort`).
const OLDEST: &str = "1.24";

/// A loaded ONNX Runtime.
#[derive(Debug, Clone)]
pub struct Runtime {
    pub(super) environment: Environment,
    path: PathBuf,
}

/// Why there is no ONNX Runtime to use.
#[derive(Debug, Error)]
pub enum RuntimeError {
    #[error("ONNX Runtime: {source}\nexpected the library of ONNX Runtime {OLDEST} or newer, looked for {}; \
        run `make build` to install it into the checkout, or set ORT_DYLIB_PATH=/path/to/libonnxruntime.so", path.display())]
    Load {
        path: PathBuf,
        source: ort::LoadDynamicError,
    },
    #[error("ONNX Runtime at {} does not start: {source}", path.display())]
    Start { path: PathBuf, source: ort::Error },
    #[error(transparent)]
    Telemetry(#[from] TelemetryIsOn),
}

impl Runtime {
    /// Loads the library from where [`locations::onnx_runtime`] says, its telemetry switched off. A process has one: later
    /// calls, from whichever thread, give the same.
    pub fn load() -> Result<Self, RuntimeError> {
        // ONNX Runtime refuses a second environment, even when the first is gone
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

    /// The library as it was asked for; where that is a bare name, the system's loader found it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The library's version, as `1.32.0`; empty if it does not say.
    pub fn version(&self) -> String {
        library_version(&self.path).unwrap_or_default()
    }
}

/// Asks the library itself: `ort` offers no way to.
fn library_version(path: &Path) -> Option<String> {
    type GetApiBase = unsafe extern "C" fn() -> *const ort::sys::OrtApiBase;
    // SAFETY: the library is loaded already, so that no initialiser runs; the symbol's type is the one that ONNX
    // Runtime's C header gives, and the version is a constant text of the library, which stays loaded.
    unsafe {
        let library = libloading::Library::new(path).ok()?;
        let get_api_base = library.get::<GetApiBase>(b"OrtGetApiBase").ok()?;
        let version = (get_api_base().as_ref()?.GetVersionString)();
        Some(CStr::from_ptr(version).to_str().ok()?.to_owned())
    }
}

/// The version of the TensorRT that the system's loader finds, as `10.3.0` in one number: 100300.
pub(super) fn tensorrt_version() -> Option<i32> {
    type GetInferLibVersion = unsafe extern "C" fn() -> i32;
    // SAFETY: loading the library runs NVIDIA's initialisers, as ONNX Runtime's provider does right after; the function
    // takes nothing, returns an int by its header (NvInferRuntimeBase.h), and is called while the library is loaded.
    unsafe {
        let library = libloading::Library::new("libnvinfer.so.10").ok()?;
        let version = library
            .get::<GetInferLibVersion>(b"getInferLibVersion")
            .ok()?;
        Some(version())
    }
}
