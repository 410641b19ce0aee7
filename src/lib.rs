//! The programs of shuffledet: the command line, and the live node on ROS 2 (feature `ros`).
//!
//! They use the library crates under `crates/`, which do the detection, evaluation and reports.

pub mod cli;
#[cfg(feature = "ros")]
pub mod ros;
mod view;
