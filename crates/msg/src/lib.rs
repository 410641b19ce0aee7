//! ROS 2 messages as CDR bytes: views to read them, builders to write them, and what turns other forms of images into
//! them.
//!
//! Everything here works on bytes in memory. A `parse` borrows from the message where it can; a `write` clears the
//! caller's buffer and fills it, so that a buffer that is used again costs no allocation. The bytes are those that
//! ROS 2 sends and rosbag2 stores (see [`cdr`]); the schema text that a recording needs is in [`definition`].

pub mod cdr;
pub mod definition;

pub mod header;
pub mod time;

pub mod camera_info;
pub mod compressed_image;
pub mod image;
pub mod image_form;

mod foxglove;

pub mod detection2d_array;
pub mod diagnostic_array;
pub mod float64;
pub mod label_info;
pub mod vision_info;

mod calibration;

#[cfg(test)]
mod tests;

pub use calibration::CalibrationError;
pub use camera_info::{CameraInfo, RegionOfInterest};
pub use cdr::{CdrError, Problem};
pub use compressed_image::CompressedImageView;
pub use definition::Definition;
pub use detection2d_array::{
    BoundingBox2D, Detection2D, Detection2DArray, DetectionRef, ObjectHypothesisWithPose,
    PoseWithCovariance, write_detections,
};
pub use diagnostic_array::{DiagnosticArray, DiagnosticStatus, Level, write_diagnostics};
pub use header::{Header, HeaderView};
pub use image::ImageView;
pub use image_form::{Carries, ImageForm, ImageFormError};
pub use label_info::{LabelInfo, VisionClass};
pub use time::Stamp;
pub use vision_info::VisionInfo;
