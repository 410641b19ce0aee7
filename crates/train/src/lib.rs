//! Trains detectors and classifiers with a ShuffleNet V2 backbone on libtorch.
//!
//! [`net`] has the networks.

pub mod net;
