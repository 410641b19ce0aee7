//! What NanoDet and NanoDet-Plus have in common: the class scores of a cell, and the sides of its
//! box, each a distribution over 8 distances in strides (Generalized Focal Loss, Li et al., 2020).

use super::activation::{logit_below, sigmoid};
use super::checks::{LOWEST_SCORE, check_class_scores, check_finite};
use crate::model::family::Activation;
use shuffledet_core::BBox;
use shuffledet_infer::BadOutput;

const DISTANCES: usize = 8;
/// Left, top, right, bottom.
pub const SIDES: usize = 4 * DISTANCES;

/// Finds the best class of cells of which few are of interest.
#[derive(Debug, Clone, Copy)]
pub struct BestClass {
    activation: Activation,
    /// A cell with all values in this range has no score above the lowest threshold.
    low: f32,
    high: f32,
}

impl BestClass {
    /// `least` is a lower bound of all thresholds; infinite if no class is selected.
    pub fn new(activation: Activation, least: f32) -> Self {
        // a score above 1 is an error that must be seen even then
        let least = least.min(1.0);
        let (low, high) = match activation {
            Activation::None => (LOWEST_SCORE, least),
            Activation::Sigmoid => (f32::MIN, logit_below(least)),
        };
        Self {
            activation,
            low,
            high,
        }
    }

    /// Returns the best class and its score in [0, 1], or `None` if the score is not above the
    /// lowest threshold. `scores` begin at `offset` of output `output`.
    ///
    /// # Errors
    /// A value is not a score, or not a finite number if the scores are logits.
    pub fn in_cell(
        &self,
        scores: &[f32],
        output: usize,
        offset: usize,
    ) -> Result<Option<(usize, f32)>, BadOutput> {
        // nearly every cell ends here, so there is no branch per class; NaN is not below
        let is_below = |score: f32| (score <= self.high) & (score >= self.low);
        if scores
            .iter()
            .fold(true, |all, &score| all & is_below(score))
        {
            return Ok(None);
        }
        match self.activation {
            Activation::None => check_class_scores(scores, output, offset)?,
            Activation::Sigmoid => check_finite(scores, output, offset)?,
        }
        let (class_id, value) = super::best(scores.iter().copied());
        let score = match self.activation {
            Activation::None => value,
            Activation::Sigmoid => sigmoid(value),
        };
        Ok(Some((class_id, score)))
    }
}

/// Returns the box around (`x`, `y`) in pixels of the input. `sides` are the [`SIDES`] logits.
pub fn bbox(x: f32, y: f32, sides: &[f32], stride: f32) -> BBox {
    let side = |i: usize| expected(&sides[i * DISTANCES..(i + 1) * DISTANCES]) * stride;
    BBox {
        x1: x - side(0),
        y1: y - side(1),
        x2: x + side(2),
        y2: y + side(3),
    }
}

/// Returns the mean distance under the softmax of `logits`.
fn expected(logits: &[f32]) -> f32 {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let (mut sum, mut weighted) = (0.0, 0.0);
    for (distance, logit) in logits.iter().enumerate() {
        let weight = (logit - greatest).exp();
        sum += weight;
        weighted += distance as f32 * weight;
    }
    weighted / sum
}
