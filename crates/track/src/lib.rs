//! Tracks of detected objects, from boxes and stamps alone.
//!
//! The crate knows no images, no files, no ROS and no clock: time is the stamp of a frame.

pub mod camera_motion;

pub use camera_motion::CameraMotion;
