//! How right the detections are: ground truth, matching, average precision, and what is made of them.
//!
//! Everything here is a pure function of [`ImageRecord`]s: an evaluation file holds them, a shard is some of them, and
//! comparing, merging and resuming need nothing else.

pub mod record;

pub use record::{Category, Found, ImageRecord, ImageSource, Object};
