//! What was taken for what, and which detections and objects that concerns.

use serde::{Deserialize, Serialize};

use super::accuracy::AccuracySettings;
use super::record::{Category, ImageRecord};

/// How often an object of one class was found as each of the classes, at the operating point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    pub score_threshold: f64,
    pub iou: f64,
    /// Names of rows and columns: the classes, then `background`.
    pub labels: Vec<String>,
    /// `counts[truth][found]`. The last row is what was found where nothing is, the last column what was missed.
    pub counts: Vec<Vec<u64>>,
}

/// Why a detection is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FalsePositiveReason {
    /// The object was found already, by a detection with a better score.
    Duplicate,
    /// An object of the class is there, but the box fits it badly.
    Localisation,
    /// The object is of another class.
    Confusion,
    /// Nothing is there.
    Background,
}

/// A wrong detection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FalsePositive {
    /// [`ImageRecord::index`].
    pub image: u64,
    /// Position in [`ImageRecord::detections`].
    pub detection: usize,
    pub score: f64,
    pub reason: FalsePositiveReason,
    /// Position in [`ImageRecord::objects`] of what it was mistaken for or fits badly; none in the background.
    pub object: Option<usize>,
}

/// Why an object was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissReason {
    /// A detection of its class fits it, but does not score enough.
    LowScore,
    /// A detection of its class is there, but its box fits badly.
    Localisation,
    /// It was found as another class.
    Confusion,
    /// Nothing was found there.
    NotFound,
}

/// An object that was not found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Miss {
    /// [`ImageRecord::index`].
    pub image: u64,
    /// Position in [`ImageRecord::objects`].
    pub object: usize,
    pub reason: MissReason,
    /// Position in [`ImageRecord::detections`] of what speaks for the reason; none where nothing was found.
    pub detection: Option<usize>,
}

/// What went wrong at the operating point.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Mistakes {
    /// Best score first.
    pub false_positives: Vec<FalsePositive>,
    /// Largest object first.
    pub misses: Vec<Miss>,
}

/// The confusion matrix.
pub fn confusion(
    categories: &[Category],
    images: &[&ImageRecord],
    settings: &AccuracySettings,
) -> Confusion {
    todo!()
}

/// Every false positive and every miss, the worst first.
pub fn mistakes(
    categories: &[Category],
    images: &[&ImageRecord],
    settings: &AccuracySettings,
) -> Mistakes {
    todo!()
}
