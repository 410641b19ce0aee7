//! Providers that fail, are slow or compute something else, injected at the boundary where sessions are made and run: no GPU
//! and no ONNX Runtime is needed.

mod accounting;
mod failing;
mod opening;
mod scripted;
mod upgrading;
