//! What a sweep found in each image.

use std::collections::BTreeMap;

use crate::{DetectionResult, Failure, ImageRecord, TruthImage};

/// What was found.
#[derive(Debug, Default)]
pub struct Detections {
    /// By position in the grid, then by index of the image; images that failed are absent.
    pub found: Vec<BTreeMap<u64, Vec<DetectionResult>>>,
    /// By index of the image, why it could not be processed.
    pub failures: BTreeMap<u64, Failure>,
    /// By index of the image, the damage of an image that was decoded nevertheless.
    pub damage: BTreeMap<u64, String>,
    /// How many images there were.
    pub images: usize,
}

impl Detections {
    /// Returns the records of one setting, for the figures.
    pub fn records(&self, setting: usize, images: &[TruthImage]) -> Vec<ImageRecord> {
        (0..images.len() as u64)
            .map(|index| ImageRecord {
                detections: self.found[setting].get(&index).cloned().unwrap_or_default(),
                failure: self.failures.get(&index).cloned(),
                ..images[index as usize].record(index)
            })
            .collect()
    }
}
