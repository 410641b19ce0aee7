//! What a run compares: the start, the best weights and their blend.

use serde::{Deserialize, Serialize};

use super::Summary;

/// The figures of the start, of the best weights and of their blend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    pub val: Compared,
    pub keep: Option<Compared>,
    /// The share of the trained weights in the blend.
    pub blend: f64,
    /// Steps of the best weights and of the whole run.
    pub best_step: u64,
    pub steps: u64,
}

/// One set of pictures, measured with each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    pub pictures: usize,
    pub start: Summary,
    pub trained: Summary,
    pub blended: Summary,
}
