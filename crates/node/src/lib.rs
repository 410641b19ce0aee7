//! The live node's own logic, without ROS: what it was told, what it may do when, what it says of itself.

pub mod arguments;
pub mod diagnostics;
pub mod doctor;
pub mod failures;
pub mod lifecycle;
pub mod parameters;
pub mod qos;
