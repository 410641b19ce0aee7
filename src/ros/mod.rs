//! The live node on ROS 2: the only place that names r2r.

pub mod executor;
pub mod source;

pub use executor::{Executor, ExecutorGone};
