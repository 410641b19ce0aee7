//! The programs of shuffledet: the command line, and the live node on ROS 2 (feature `ros`).
//!
//! Everything that they do is in the library crates under `crates/`.

pub mod cli;
#[cfg(feature = "ros")]
pub mod ros;
