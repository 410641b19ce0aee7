//! Decodes a detector's raw outputs into scored boxes in pixels of its input.

mod activation;
mod boxes;
mod checks;
mod distances;
mod fastestdet;
mod nanodet;
mod nanodet_plus;
mod outputs;
mod yolo_fastestv2;

use super::ModelDescription;
use super::family::Family;
use boxes::Boxes;
use fastestdet::FastestDet;
use nanodet::NanoDet;
use nanodet_plus::NanoDetPlus;
use shuffledet_core::{BBox, Detection};
use shuffledet_infer::{BadOutput, ShapeMismatch};
use yolo_fastestv2::YoloFastestV2;

/// Decodes the outputs of one model.
#[derive(Debug)]
pub enum OutputDecoder {
    FastestDet(FastestDet),
    NanoDet(NanoDet),
    NanoDetPlus(NanoDetPlus),
    YoloFastestV2(YoloFastestV2),
    Boxes(Boxes),
}

impl OutputDecoder {
    /// Creates a decoder for the outputs of `model` with an input of `size` (width, height) pixels,
    /// multiples of 32, and returns the number of values in each output. `shapes` are the shapes of
    /// the outputs in their order, -1 for a dimension that is not fixed.
    ///
    /// # Errors
    /// The shapes are not those of the family with this size and the number of labels.
    pub fn for_model(
        model: &ModelDescription,
        size: (u32, u32),
        shapes: &[Vec<i64>],
    ) -> Result<(Self, Vec<usize>), ShapeMismatch> {
        let trained = (model.input.width, model.input.height);
        let decoder = Self::new(&model.family, size, trained, model.labels.count(), shapes)?;
        let lengths = match &decoder {
            Self::FastestDet(decoder) => decoder.output_lengths(),
            Self::NanoDet(decoder) => decoder.output_lengths(),
            Self::NanoDetPlus(decoder) => decoder.output_lengths(),
            Self::YoloFastestV2(decoder) => decoder.output_lengths(),
            Self::Boxes(decoder) => decoder.output_lengths(),
        };
        Ok((decoder, lengths))
    }

    /// `trained` is the size of the input that the model was trained on.
    pub(super) fn new(
        family: &Family,
        size: (u32, u32),
        trained: (u32, u32),
        classes: usize,
        shapes: &[Vec<i64>],
    ) -> Result<Self, ShapeMismatch> {
        Ok(match *family {
            Family::FastestDet => {
                Self::FastestDet(FastestDet::new(size, trained, classes, shapes)?)
            }
            Family::NanoDet { class_activation } => {
                Self::NanoDet(NanoDet::new(size, classes, class_activation, shapes)?)
            }
            Family::NanoDetPlus { class_activation } => {
                Self::NanoDetPlus(NanoDetPlus::new(size, classes, class_activation, shapes)?)
            }
            Family::YoloFastestV2 { anchors } => {
                Self::YoloFastestV2(YoloFastestV2::new(size, classes, anchors, shapes)?)
            }
            Family::Boxes(layout) => Self::Boxes(Boxes::new(size, classes, layout, shapes)?),
        })
    }

    /// Whether boxes are clipped to the image before suppression, as the model's authors do it. The
    /// order matters for objects at the edge.
    pub fn clips_before_suppression(&self) -> bool {
        matches!(self, Self::NanoDet(_) | Self::NanoDetPlus(_))
    }

    /// Appends every box whose best class scores more than `threshold(class)` to `found`, in the
    /// order of the outputs. `outputs` have the lengths that [`OutputDecoder::for_model`] returned.
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
            Self::FastestDet(decoder) => decoder.decode(outputs[0], least, threshold, found),
            Self::NanoDet(decoder) => decoder.decode(outputs, least, threshold, found),
            Self::NanoDetPlus(decoder) => decoder.decode(outputs[0], least, threshold, found),
            Self::YoloFastestV2(decoder) => decoder.decode(outputs, least, threshold, found),
            Self::Boxes(decoder) => decoder.decode(outputs[0], least, threshold, found),
        }
    }
}

/// Returns the number of columns and rows of cells of `stride` pixels, including partial ones.
fn cells(size: (u32, u32), stride: u32) -> (usize, usize) {
    (
        size.0.div_ceil(stride) as usize,
        size.1.div_ceil(stride) as usize,
    )
}

/// Returns the number of cells of all `strides` together.
fn all_cells(size: (u32, u32), strides: &[u32]) -> usize {
    strides
        .iter()
        .map(|&stride| {
            let (columns, rows) = cells(size, stride);
            columns * rows
        })
        .sum()
}

/// Returns the box around (`x`, `y`) that reaches `half_width` and `half_height` to each side.
fn centred(x: f32, y: f32, half_width: f32, half_height: f32) -> BBox {
    BBox {
        x1: x - half_width,
        y1: y - half_height,
        x2: x + half_width,
        y2: y + half_height,
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
