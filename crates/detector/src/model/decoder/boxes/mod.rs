//! An output of boxes and their features, in the layout of the model's description. Further outputs
//! are ignored: older exports of YOLOv5 also give the maps from which they compute the boxes.

use std::ops::Range;

use super::activation::sigmoid;
use super::checks::{check_class_scores, check_finite, check_objectness};
use super::{all_cells, outputs};
use crate::model::family::{Activation, Axis, BoxForm, BoxLayout, ClassActivation, Unit};
use shuffledet_core::{BBox, Detection};
use shuffledet_infer::{BadOutput, ShapeMismatch};

/// The strides of YOLO models.
const STRIDES: [u32; 3] = [8, 16, 32];
/// As many as YOLOv5 has at 4096x4096, rounded up. Bounds the memory for candidates.
const MOST_BOXES: usize = 1 << 20;
/// The number of boxes whose best class is found together.
const BLOCK: usize = 64;

#[derive(Debug)]
pub struct Boxes {
    layout: BoxLayout,
    size: (u32, u32),
    classes: usize,
    count: usize,
}

/// The best class of each box in a block, with its value before the activation.
struct BestClasses {
    classes: [u32; BLOCK],
    values: [f32; BLOCK],
}

impl Boxes {
    pub fn new(
        size: (u32, u32),
        classes: usize,
        layout: BoxLayout,
        shapes: &[Vec<i64>],
    ) -> Result<Self, ShapeMismatch> {
        let features = layout.classes_at + classes;
        let mismatch = |count: &str| ShapeMismatch {
            family: "boxes",
            classes,
            expected: format!(
                "a first output of {}, with or without a batch axis of 1",
                match layout.axes[0] {
                    Axis::Boxes => format!("[{count}, {features}]"),
                    Axis::Features => format!("[{features}, {count}]"),
                }
            ),
            found: format!("{shapes:?}"),
        };
        let first = shapes.first().map_or(&[][..], Vec::as_slice);
        let (count, width) = match (outputs::without_batch(first, 2), layout.axes[0]) {
            (&[boxes, features], Axis::Boxes) | (&[features, boxes], Axis::Features) => {
                (boxes, features)
            }
            _ => return Err(mismatch("boxes")),
        };
        if width != -1 && usize::try_from(width) != Ok(features) {
            return Err(mismatch("boxes"));
        }
        let count = match (usize::try_from(count), layout.boxes_per_cell) {
            (Ok(count), _) => count,
            (Err(_), Some(per_cell)) => per_cell * all_cells(size, &STRIDES),
            (Err(_), None) => {
                return Err(mismatch(
                    "a number of boxes that is fixed (export without dynamic axes, or give boxes_per_cell)",
                ));
            }
        };
        if !(1..=MOST_BOXES).contains(&count) {
            return Err(mismatch("1 to 1048576 boxes"));
        }
        Ok(Self {
            layout,
            size,
            classes,
            count,
        })
    }

    pub fn output_lengths(&self) -> Vec<usize> {
        vec![self.count * self.features()]
    }

    fn features(&self) -> usize {
        self.layout.classes_at + self.classes
    }

    pub fn decode(
        &self,
        output: &[f32],
        least: f32,
        threshold: impl Fn(usize) -> f32,
        found: &mut Vec<Detection>,
    ) -> Result<(), BadOutput> {
        self.check(output)?;
        let mut best = BestClasses {
            classes: [0; BLOCK],
            values: [0.0; BLOCK],
        };
        for start in (0..self.count).step_by(BLOCK) {
            let block = start..(start + BLOCK).min(self.count);
            // a class probability is at most 1, so the score at most the objectness
            if block
                .clone()
                .all(|index| self.objectness(output, index) <= least)
            {
                continue;
            }
            self.find_best(output, block.clone(), &mut best);
            for (place, index) in block.enumerate() {
                let objectness = self.objectness(output, index);
                if objectness <= least {
                    continue;
                }
                let class_id = best.classes[place] as usize;
                let probability = self.probability(output, index, best.values[place]);
                let score = objectness * probability;
                if score <= threshold(class_id) {
                    continue;
                }
                found.push(Detection::new(class_id, score, self.bbox(output, index)));
            }
        }
        Ok(())
    }

    fn check(&self, output: &[f32]) -> Result<(), BadOutput> {
        let (layout, features) = (&self.layout, self.features());
        // values of neighbouring features that lie side by side: those of one box, or of all
        let (rows, width) = match layout.axes[0] {
            Axis::Boxes => (self.count, 1),
            Axis::Features => (1, self.count),
        };
        for row in 0..rows {
            let part = |features_in: Range<usize>| {
                let start = row * features + features_in.start * width;
                (start, &output[start..start + features_in.len() * width])
            };
            let (start, values) = part(0..layout.classes_at);
            check_finite(values, 0, start)?;
            if let (Some(at), Activation::None) =
                (layout.objectness_at, layout.objectness_activation)
            {
                let (start, values) = part(at..at + 1);
                check_objectness(values, 0, start)?;
            }
            let (start, values) = part(layout.classes_at..features);
            match layout.class_activation {
                ClassActivation::None => check_class_scores(values, 0, start)?,
                _ => check_finite(values, 0, start)?,
            }
        }
        Ok(())
    }

    fn value(&self, output: &[f32], index: usize, feature: usize) -> f32 {
        match self.layout.axes[0] {
            Axis::Boxes => output[index * self.features() + feature],
            Axis::Features => output[feature * self.count + index],
        }
    }

    /// Returns the factor of a box's class probabilities, in [0, 1].
    fn objectness(&self, output: &[f32], index: usize) -> f32 {
        let Some(at) = self.layout.objectness_at else {
            return 1.0;
        };
        let value = self.value(output, index, at);
        match self.layout.objectness_activation {
            Activation::None => value.clamp(0.0, 1.0),
            Activation::Sigmoid => sigmoid(value),
        }
    }

    /// Finds the best class of each box of `block`, the first of equals.
    fn find_best(&self, output: &[f32], block: Range<usize>, best: &mut BestClasses) {
        let classes_at = self.layout.classes_at;
        match self.layout.axes[0] {
            Axis::Boxes => {
                let rows = output.chunks_exact(self.features());
                let rows = rows.skip(block.start).take(block.len());
                for (place, row) in rows.enumerate() {
                    let (class, value) = super::best(row[classes_at..].iter().copied());
                    (best.classes[place], best.values[place]) = (class as u32, value);
                }
            }
            Axis::Features => {
                best.values.fill(f32::NEG_INFINITY);
                best.classes.fill(0);
                for class in 0..self.classes {
                    let start = (classes_at + class) * self.count + block.start;
                    let values = &output[start..start + block.len()];
                    let places = best.values.iter_mut().zip(&mut best.classes);
                    // without a branch, so that the compiler can vectorise
                    for ((best, best_class), &value) in places.zip(values) {
                        let better = value > *best;
                        *best = if better { value } else { *best };
                        *best_class = if better { class as u32 } else { *best_class };
                    }
                }
            }
        }
    }

    /// Returns the probability of the best class, whose value is `greatest`.
    fn probability(&self, output: &[f32], index: usize, greatest: f32) -> f32 {
        match self.layout.class_activation {
            ClassActivation::None => greatest.clamp(0.0, 1.0),
            ClassActivation::Sigmoid => sigmoid(greatest),
            ClassActivation::Softmax => {
                let classes = self.layout.classes_at..self.features();
                let values = classes.map(|feature| self.value(output, index, feature));
                1.0 / values.map(|value| (value - greatest).exp()).sum::<f32>()
            }
        }
    }

    fn bbox(&self, output: &[f32], index: usize) -> BBox {
        let [a, b, c, d] = [0, 1, 2, 3].map(|feature| self.value(output, index, feature));
        let (x1, y1, x2, y2) = match self.layout.form {
            BoxForm::CxCyWh => (a - c / 2.0, b - d / 2.0, a + c / 2.0, b + d / 2.0),
            BoxForm::XyXy => (a, b, c, d),
            BoxForm::XyWh => (a, b, a + c, b + d),
        };
        // last: a share that is huge becomes infinite, and no difference of two infinite numbers
        let (width, height) = match self.layout.unit {
            Unit::Pixels => (1.0, 1.0),
            Unit::Shares => (self.size.0 as f32, self.size.1 as f32),
        };
        BBox {
            x1: x1 * width,
            y1: y1 * height,
            x2: x2 * width,
            y2: y2 * height,
        }
    }
}

#[cfg(test)]
mod tests;
