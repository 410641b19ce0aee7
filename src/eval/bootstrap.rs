//! Is the difference between two runs more than chance? The paired bootstrap over images.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::record::{Category, ImageRecord};

/// How to resample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BootstrapSettings {
    pub resamples: usize,
    /// Of the interval, such as 0.95.
    pub confidence: f64,
    /// The same seed gives the same intervals.
    pub seed: u64,
    /// As in [`AccuracySettings`](super::AccuracySettings), the last.
    pub max_detections: usize,
    /// Threads that share the resamples; the result does not depend on it.
    pub threads: usize,
}

impl Default for BootstrapSettings {
    fn default() -> Self {
        Self {
            resamples: 1000,
            confidence: 0.95,
            seed: 0,
            max_detections: 100,
            threads: 1,
        }
    }
}

/// A figure of both runs and the interval that its difference lies in.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// -1 where there are no objects.
    pub a: f64,
    /// -1 where there are no objects.
    pub b: f64,
    /// `b - a`.
    pub difference: f64,
    /// Of the difference.
    pub low: f64,
    /// Of the difference.
    pub high: f64,
}

impl Interval {
    /// Whether chance is no explanation: the interval does not hold 0.
    pub fn is_significant(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

/// The differences of two runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Differences {
    #[serde(rename = "AP")]
    pub ap: Interval,
    #[serde(rename = "AP50")]
    pub ap50: Interval,
    /// In the order of the categories.
    pub per_class: Vec<ClassDifference>,
}

/// The difference of two runs in one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassDifference {
    pub name: String,
    pub id: u64,
    #[serde(rename = "AP")]
    pub ap: Interval,
    #[serde(rename = "AP50")]
    pub ap50: Interval,
}

/// Why two runs cannot be compared image by image.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PairingError {
    #[error(
        "comparing two runs: expected the same images in both, found {a} and {b}; evaluate both on the same data set"
    )]
    Count { a: usize, b: usize },
    #[error(
        "comparing two runs: image {id} is in one of them only; evaluate both on the same data set"
    )]
    Image { id: u64 },
}

/// Resamples the images and gives intervals for how much better `b` is than `a`.
///
/// Errors: the two do not have the same images, by id.
pub fn paired_bootstrap(
    categories: &[Category],
    a: &[&ImageRecord],
    b: &[&ImageRecord],
    settings: &BootstrapSettings,
) -> Result<Differences, PairingError> {
    todo!()
}
