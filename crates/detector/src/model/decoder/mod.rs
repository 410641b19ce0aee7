//! Decodes a detector's raw outputs into scored boxes in pixels of its input.

mod checks;
mod fastestdet;
mod nanodet;

use serde::{Deserialize, Serialize};

use super::ModelDescription;
use fastestdet::FastestDet;
use nanodet::NanoDet;
use shuffledet_core::Detection;
use shuffledet_infer::{BadOutput, ShapeMismatch};

/// The encoding of boxes in output tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// FastestDet: one grid of stride 16, with objectness separate from classes.
    FastestDet,
    /// NanoDet: strides 8, 16 and 32, sides as distributions over 8 distances.
    NanoDet,
}

/// Decodes the outputs of one model.
#[derive(Debug)]
pub enum OutputDecoder {
    FastestDet(FastestDet),
    NanoDet(NanoDet),
}

impl OutputDecoder {
    /// Creates a decoder for an input of `input` (width, height) pixels and `classes` labels.
    /// Checks `shapes`, the shapes of the model's outputs in their order (-1 for a dimension that
    /// is not fixed), against those of the family.
    pub fn new(
        family: Family,
        input: (u32, u32),
        classes: usize,
        shapes: &[Vec<i64>],
    ) -> Result<Self, ShapeMismatch> {
        let (name, decoder, expected) = match family {
            Family::FastestDet => {
                let decoder = FastestDet::new(input, classes);
                let shapes = decoder.output_shapes();
                ("fastestdet", OutputDecoder::FastestDet(decoder), shapes)
            }
            Family::NanoDet => {
                let decoder = NanoDet::new(input, classes);
                let shapes = decoder.output_shapes();
                ("nanodet", OutputDecoder::NanoDet(decoder), shapes)
            }
        };
        let same = |found: &Vec<i64>, expected: &Vec<i64>| {
            found.len() == expected.len()
                && found.iter().zip(expected).all(|(&f, &e)| f == e || f == -1)
        };
        let fits =
            shapes.len() == expected.len() && shapes.iter().zip(&expected).all(|(f, e)| same(f, e));
        if !fits {
            return Err(ShapeMismatch {
                family: name,
                classes,
                expected: format!("{expected:?}"),
                found: format!("{shapes:?}"),
            });
        }
        Ok(decoder)
    }

    /// Creates a decoder for the outputs of `model`, and returns the number of values in each.
    pub fn for_model(
        model: &ModelDescription,
        shapes: &[Vec<i64>],
    ) -> Result<(Self, Vec<usize>), ShapeMismatch> {
        let size = (model.input.width, model.input.height);
        let decoder = Self::new(model.family, size, model.labels.count(), shapes)?;
        let lengths = decoder.output_lengths();
        Ok((decoder, lengths))
    }

    /// Returns the number of values in each output.
    pub fn output_lengths(&self) -> Vec<usize> {
        let shapes = match self {
            OutputDecoder::FastestDet(decoder) => decoder.output_shapes(),
            OutputDecoder::NanoDet(decoder) => decoder.output_shapes(),
        };
        shapes
            .iter()
            .map(|shape| shape.iter().product::<i64>() as usize)
            .collect()
    }

    /// Whether boxes are clipped to the image before suppression, as the model's authors do it. The
    /// order matters for objects at the edge.
    pub fn clips_before_suppression(&self) -> bool {
        matches!(self, OutputDecoder::NanoDet(_))
    }

    /// Appends every box whose best class scores more than `threshold(class)` to `found`, in the
    /// order of the anchors. `outputs` have the lengths of [`OutputDecoder::output_lengths`].
    /// `least` is a lower bound of all thresholds, for discarding boxes early.
    ///
    /// # Errors
    /// A value is not finite, or a score is not in [0, 1], even if it would form no box.
    pub fn decode(
        &self,
        outputs: &[&[f32]],
        least: f32,
        threshold: impl Fn(usize) -> f32,
        found: &mut Vec<Detection>,
    ) -> Result<(), BadOutput> {
        match self {
            OutputDecoder::FastestDet(decoder) => {
                decoder.decode(outputs[0], least, threshold, found)
            }
            OutputDecoder::NanoDet(decoder) => decoder.decode(outputs, least, threshold, found),
        }
    }
}

/// Returns the index and value of the greatest element, the first of equals, like `numpy.argmax`;
/// (0, -inf) without elements.
fn best(scores: impl Iterator<Item = f32>) -> (usize, f32) {
    let first = (0, f32::NEG_INFINITY);
    scores.enumerate().fold(
        first,
        |best, this| if this.1 > best.1 { this } else { best },
    )
}
