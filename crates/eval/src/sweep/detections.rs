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
    /// How many images there were.
    pub images: usize,
}

impl Detections {
    /// What one setting makes of the images, for the figures.
    pub fn records(&self, setting: usize, images: &[TruthImage]) -> Vec<ImageRecord> {
        let record = |index: u64| ImageRecord {
            detections: self.found[setting].get(&index).cloned().unwrap_or_default(),
            failure: self.failures.get(&index).cloned(),
            ..images[index as usize].record(index)
        };
        (0..images.len() as u64).map(record).collect()
    }
}
