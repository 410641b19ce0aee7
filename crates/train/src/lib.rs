//! Trains detectors and classifiers with a ShuffleNet V2 backbone on libtorch.
//!
//! In the order of the data: [`data`] reads labelled pictures, [`augment`] makes batches of them, [`net`] has the
//! networks, [`weights`] the values to start from, [`losses`] what they minimise, [`measure`] AP on held-out pictures,
//! [`log`] what a run leaves for people, [`fit`] the training, [`export`] the way to an ONNX file with the description that `shuffledet` reads. [`quantise`] makes
//! models with integers.

pub mod data;

pub mod augment;

pub mod net;
pub mod weights;

pub mod losses;

pub mod measure;
pub mod run_files;

pub mod log;

pub mod fit;

pub mod export;
pub mod quantise;

pub mod cli;

#[cfg(test)]
mod fixtures;
