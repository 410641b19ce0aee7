//! ROS 2 messages as CDR bytes: views for reading, builders for writing, and conversions from other
//! forms of images.
//!
//! All code works on bytes in memory and opens no file or socket. A `parse` borrows from the
//! message if possible. A `write` clears the caller's buffer and fills it, so that a reused buffer
//! needs no allocation. The bytes are those that ROS 2 sends and rosbag2 stores (see [`cdr`]).
//! [`definition`] has the schema text for recordings.
//!
//! ```
//! use shuffledet_msg::{CompressedImageView, HeaderView};
//!
//! let mut bytes = Vec::new();
//! let header = HeaderView { frame_id: "camera_front", ..HeaderView::default() };
//! CompressedImageView { header, format: "jpeg", data: &[0xff, 0xd8] }.write(&mut bytes)?;
//! assert_eq!(CompressedImageView::parse(&bytes)?.header.frame_id, "camera_front");
//! # Ok::<(), shuffledet_msg::CdrError>(())
//! ```

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
pub mod detection3d_array;
pub mod diagnostic_array;
pub mod float64;
pub mod image_annotations;
pub mod image_marker;
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
    BoundingBox2D, Detection2D, Detection2DArray, DetectionRef, HypothesisRef,
    ObjectHypothesisWithPose, PoseWithCovariance, write_detections,
};
pub use detection3d_array::{
    BoundingBox3D, Detection3D, Detection3DArray, Detection3DRef, write_detections_3d,
};
pub use diagnostic_array::{DiagnosticArray, DiagnosticStatus, Level, write_diagnostics};
pub use header::{Header, HeaderView};
pub use image::ImageView;
pub use image_annotations::{BoxAnnotation, Strokes, write_image_annotations};
pub use image_form::{Carries, ImageForm, ImageFormError};
pub use image_marker::{MarkedBox, write_image_marker};
pub use label_info::{LabelInfo, VisionClass};
pub use time::{Stamp, stamp};
pub use vision_info::VisionInfo;
