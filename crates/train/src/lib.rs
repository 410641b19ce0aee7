//! Trains detectors and classifiers with a ShuffleNet V2 backbone on libtorch.
//!
//! In the order of the data: [`data`] reads labelled pictures, [`augment`] makes batches of them, [`net`] has the
//! networks, [`losses`] what they minimise, [`fit`] the training, [`log`] what it leaves for people.

pub mod data;

pub mod augment;

pub mod net;

pub mod losses;

pub mod fit;
pub mod log;

pub mod cli;
