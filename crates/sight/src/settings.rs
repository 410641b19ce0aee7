//! The thresholds of the faults.

/// The thresholds of one camera. Levels are grey levels, from 0 to 255.
///
/// The defaults were chosen on the sample recording, the 64 pictures of COCO and 2,267 pictures of
/// roads, each as it is and with faults made by program: see `docs/sight.md`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// For how long a fault must be there before it is told, and gone before it is no longer told,
    /// in seconds.
    pub hold_s: f64,
    /// Frozen: the mean difference from the picture before is less, in levels.
    pub frozen_below: f64,
    /// Black: 98 % of the picture is darker, in levels.
    pub black_below: f64,
    /// Washed out: the middle 96 % of the picture span fewer levels.
    pub contrast_below: f64,
    /// Blurred: the sharpness is less. That of a smooth slope is 1/16 and that of a sharp edge 1/4.
    pub sharpness_below: f64,
    /// Covered: a larger share of the picture is dark and without texture, from 0 to 1.
    pub covered_above: f64,
    /// Torn: a shift leaves less than this share of the difference between two rows.
    pub tear_below: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hold_s: 1.0,
            frozen_below: 0.02,
            black_below: 24.0,
            contrast_below: 24.0,
            sharpness_below: 0.095,
            covered_above: 0.12,
            tear_below: 0.5,
        }
    }
}
