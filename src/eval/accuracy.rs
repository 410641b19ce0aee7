//! COCO's twelve figures, and the same for each class.

use serde::{Deserialize, Serialize};

use super::confusion::Confusion;
use super::record::{Category, ImageRecord};

/// What is counted, and where.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AccuracySettings {
    /// For AR1, AR10 and AR100, smallest first; of each image and class the last is the most that counts anywhere.
    pub max_detections: [usize; 3],
    /// Overlap at which a detection has found an object, for curves, F1, confusion, mistakes and distance bands.
    pub operating_iou: f64,
    /// Detections must score more than this to count in confusion, mistakes and distance bands.
    pub operating_score: f64,
}

impl Default for AccuracySettings {
    fn default() -> Self {
        Self {
            max_detections: [1, 10, 100],
            operating_iou: 0.5,
            operating_score: 0.25,
        }
    }
}

/// COCO's figures, as pycocotools gives them: in [0, 1], or -1 where there are no objects.
///
/// One thing is otherwise: pycocotools overwrites an annotation's `ignore` by its `iscrowd`; here both count.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Mean over the IoU thresholds 0.5, 0.55, ... 0.95.
    #[serde(rename = "AP")]
    pub ap: f64,
    #[serde(rename = "AP50")]
    pub ap50: f64,
    #[serde(rename = "AP75")]
    pub ap75: f64,
    /// Objects of at most 32^2 square pixels.
    #[serde(rename = "APs")]
    pub ap_small: f64,
    /// Objects of 32^2 to 96^2 square pixels.
    #[serde(rename = "APm")]
    pub ap_medium: f64,
    /// Objects of at least 96^2 square pixels.
    #[serde(rename = "APl")]
    pub ap_large: f64,
    /// Average recall with the best detection of each image and class.
    #[serde(rename = "AR1")]
    pub ar1: f64,
    #[serde(rename = "AR10")]
    pub ar10: f64,
    #[serde(rename = "AR100")]
    pub ar100: f64,
    #[serde(rename = "ARs")]
    pub ar_small: f64,
    #[serde(rename = "ARm")]
    pub ar_medium: f64,
    #[serde(rename = "ARl")]
    pub ar_large: f64,
}

/// One class. Every figure is -1 where the class has no objects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassAccuracy {
    pub name: String,
    pub id: u64,
    #[serde(rename = "AP")]
    pub ap: f64,
    #[serde(rename = "AP50")]
    pub ap50: f64,
    #[serde(rename = "AP75")]
    pub ap75: f64,
    #[serde(rename = "APs")]
    pub ap_small: f64,
    #[serde(rename = "APm")]
    pub ap_medium: f64,
    #[serde(rename = "APl")]
    pub ap_large: f64,
    #[serde(rename = "AR100")]
    pub ar100: f64,
    /// Objects that count: neither crowd nor ignored.
    pub instances: usize,
    /// The best that a score threshold can give, at the operating IoU; 0 where nothing is found.
    pub f1: f64,
    /// Detections that score more than this give `f1`; 0 where nothing is found.
    pub best_threshold: f64,
    /// At that threshold.
    pub precision: f64,
    /// At that threshold.
    pub recall: f64,
    /// Precision at recalls 0, 0.01, ... 1 at the operating IoU; empty where the class has no objects.
    pub curve: Vec<f64>,
}

/// Everything about the accuracy of a set of images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    #[serde(flatten)]
    pub figures: Figures,
    /// In the order of the categories.
    pub per_class: Vec<ClassAccuracy>,
    pub confusion: Confusion,
}

/// How right the detections of `images` are. The order of the images does not matter: they are taken by their ids, as
/// pycocotools does. Objects and detections of categories that are not in `categories` do not count.
pub fn accuracy(
    categories: &[Category],
    images: &[&ImageRecord],
    settings: &AccuracySettings,
) -> Accuracy {
    todo!()
}
