//! What counts as found.

/// What is counted, and where.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AccuracySettings {
    /// Of each image and class, for AR1, AR10 and AR100, smallest first; all else takes the last.
    pub max_detections: [usize; 3],
    /// In (0, 1]: overlap at which a detection has found an object, for curves, F1, confusion, mistakes and distance bands.
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
