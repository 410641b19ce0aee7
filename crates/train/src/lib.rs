//! Trains detectors and classifiers with a ShuffleNet V2 backbone on libtorch.
//!
//! [`net`] has the networks, [`weights`] the values to start from, [`export`] the way to an ONNX
//! file with the description that `shuffledet` reads. [`quantise`] makes models with integers.

pub mod export;
pub mod net;
pub mod quantise;
pub mod weights;

#[cfg(test)]
mod fixtures;
