//! Detect objects in camera images with ShuffleNet V2 detectors.
//!
//! The modules stand in the order in which a frame passes through them.

pub mod core;

pub mod bag;
pub mod msg;

pub mod image;
pub mod onnx;

pub mod infer;

pub mod detector;

pub mod eval;
pub mod harness;
pub mod report;

pub mod node;
#[cfg(feature = "ros")]
pub mod ros;

pub mod cli;
