//! Tracks of detected objects, from boxes and stamps alone.
//!
//! The crate knows no images, no files, no ROS and no clock: time is the stamp of a frame.

pub mod assignment;
pub mod box_filter;
pub mod calibration;
pub mod camera;
pub mod camera_motion;
mod class_votes;
mod common_shift;
pub mod ids;
pub mod lifetimes;
mod place;
pub mod range;
#[cfg(any(test, feature = "scenes"))]
pub mod scenes;
mod score_evidence;
pub mod settings;
pub mod stamps;
pub mod time_to_collision;
pub mod track;
pub mod tracker;

pub use box_filter::BoxFilter;
pub use camera_motion::CameraMotion;
pub use ids::{TrackId, TrackIds};
pub use lifetimes::{Lifetime, Lifetimes, ShownTrack};
pub use range::{ClassHeights, Horizon, Range, RangeFinder};
pub use settings::Settings;
pub use stamps::Step;
pub use time_to_collision::{HeightHistory, TimeToCollision};
pub use track::{State, Track};
pub use tracker::Tracker;
