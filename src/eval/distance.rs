//! Hits and errors by distance from the camera.

use serde::{Deserialize, Serialize};

use super::accuracy::AccuracySettings;
use super::record::{Category, ImageRecord};
use crate::camera::GroundPlane;

/// Where bands begin and end, in metres; the last one has no end.
pub const DEFAULT_BANDS_M: [f64; 5] = [0.0, 10.0, 20.0, 40.0, 80.0];

/// What was found at some distances, at the operating point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DistanceBand {
    /// Metres on the ground; both are absent for boxes that do not stand on the ground, such as those above the horizon.
    pub from_m: Option<f64>,
    /// Absent in the band without end, too.
    pub to_m: Option<f64>,
    /// Objects that count.
    pub objects: u64,
    /// Those of them that were found as what they are.
    pub true_positives: u64,
    /// By the distance of the detection.
    pub false_positives: u64,
    /// -1 where nothing was found.
    pub precision: f64,
    /// -1 where there are no objects.
    pub recall: f64,
}

/// Counts by distance of the middle of a box's lower edge on flat ground. Bands begin at each of `bands_m`, which
/// ascends; the one before the first is left out if that is 0, and the last of the result is what is not on the ground.
pub fn by_distance(
    categories: &[Category],
    images: &[&ImageRecord],
    settings: &AccuracySettings,
    camera: &GroundPlane,
    bands_m: &[f64],
) -> Vec<DistanceBand> {
    todo!()
}
