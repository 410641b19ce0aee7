//! Detect objects in camera images with ShuffleNet V2 detectors.
//!
//! The modules stand in the order in which a frame passes through them.

pub mod config;
pub mod locations;
pub mod text;
pub mod whole_file;

pub mod bag;
pub mod msg;

pub mod image;
pub mod model;

pub mod infer;

pub mod detect;

pub mod pipeline;

pub mod metrics;
pub mod report;

pub mod sink;

pub mod camera;
pub mod eval;

pub mod node;
#[cfg(feature = "ros")]
pub mod ros;

pub mod cli;
