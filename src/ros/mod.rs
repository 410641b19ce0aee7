//! The live node on ROS 2: the only place that names r2r.

pub mod lifecycle;
