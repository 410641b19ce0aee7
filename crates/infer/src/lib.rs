//! Running a model in ONNX Runtime, on the best execution provider there is.

pub mod backend;
pub mod backoff;
mod cache;
pub mod gpu;
mod ladder;
mod log;
pub mod opening;
pub mod options;
pub mod placement;
pub mod provider;
pub mod provider_error;
pub mod runner;
pub mod runtime;
pub mod self_test;
pub mod session;
pub mod standing;
pub mod telemetry;
mod upgrade;

pub use backend::OrtBackend;
pub use backoff::Backoff;
pub use opening::Opening;
pub use options::ProviderOptions;
pub use placement::Placed;
pub use provider::Provider;
pub use provider_error::{Cause, ProviderError};
pub use runner::{Backend, Outputs, Runner};
pub use runtime::Runtime;
pub use session::{InferError, Patience, Session, SessionOptions};
pub use standing::Standing;
