//! Detect objects in camera images with ShuffleNet V2 detectors.
//!
//! The modules stand in the order in which a frame passes through them.

pub mod cli;
#[cfg(feature = "ros")]
pub mod ros;
