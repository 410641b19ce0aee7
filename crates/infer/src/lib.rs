//! Runs a model in ONNX Runtime on the best available execution provider.
//!
//! ONNX Runtime is loaded at run time, so that one binary works with its CPU, CUDA, TensorRT and
//! OpenVINO builds. The session falls back to the next provider if one fails, and returns to it
//! when it works again. This crate does not decode outputs.
//!
//! ```
//! # if std::env::var_os("ORT_DYLIB_PATH").is_none() { return Ok(()) }
//! let runtime = shuffledet_infer::Runtime::load()?;
//! println!("ONNX Runtime {}", runtime.version());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod backend;
pub mod backoff;
mod cache;
pub mod error;
pub mod gpu;
mod library_file;
mod log;
pub mod opening;
pub mod options;
pub mod placement;
pub mod provider;
pub mod provider_error;
pub mod provider_statuses;
pub mod runner;
pub mod runtime;
mod selection;
pub mod self_test;
pub mod session;
pub mod telemetry;
mod upgrade;

pub use backend::{ModelFile, OrtBackend};
pub use backoff::Backoff;
pub use error::{BadOutput, InferError, ShapeMismatch};
pub use opening::Opening;
pub use options::ProviderOptions;
pub use provider::Provider;
pub use provider_error::ProviderError;
pub use provider_statuses::ProviderStatuses;
pub use runner::{Backend, Outputs, Runner};
pub use runtime::Runtime;
pub use session::{Session, SessionOptions, WhileBuilding};
