//! Running a model in ONNX Runtime.

pub mod provider;
pub mod runtime;
pub mod session;

pub use provider::Provider;
pub use runtime::Runtime;
pub use session::{InferError, Outputs, Session, SessionOptions};
