//! From a detector's raw outputs to scored boxes in pixels of its input.

mod checks;
mod fastestdet;
mod nanodet;

use serde::{Deserialize, Serialize};

use super::ModelDescription;
use fastestdet::FastestDet;
use nanodet::NanoDet;
use shuffledet_core::Detection;
use shuffledet_infer::{BadOutput, ShapeMismatch};

/// A way of encoding boxes in output tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// FastestDet: one grid of stride 16, objectness apart from classes.
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
    /// For an input of `input` (width, height) pixels and `classes` labels. `shapes` are the model's own outputs in
    /// its order, -1 where a dimension is not fixed; they are checked against what the family gives.
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

    /// For the outputs of `model`, with the number of values in each.
    pub fn for_model(
        model: &ModelDescription,
        shapes: &[Vec<i64>],
    ) -> Result<(Self, Vec<usize>), ShapeMismatch> {
        let size = (model.input.width, model.input.height);
        let decoder = Self::new(model.family, size, model.labels.count(), shapes)?;
        let lengths = decoder.output_lengths();
        Ok((decoder, lengths))
    }

    /// The number of values in each output.
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

    /// Whether boxes are clipped to the image before suppression, not after: so its authors do, and the two differ
    /// for objects at the edge.
    pub fn clips_before_suppression(&self) -> bool {
        matches!(self, OutputDecoder::NanoDet(_))
    }

    /// Appends every box whose best class scores more than `threshold(class)` to `found`, in the order of the
    /// anchors. `outputs` have the lengths of [`OutputDecoder::output_lengths`]; `least` is a lower bound of all
    /// thresholds, to discard by before the costly part.
    ///
    /// # Errors
    /// A value is no finite number, or a score not in [0, 1], whether or not it would make a box.
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

/// The index and value of the greatest element; the first of equals, as `numpy.argmax`. (0, -inf) of nothing.
fn best(scores: impl Iterator<Item = f32>) -> (usize, f32) {
    let first = (0, f32::NEG_INFINITY);
    scores.enumerate().fold(
        first,
        |best, this| if this.1 > best.1 { this } else { best },
    )
}
