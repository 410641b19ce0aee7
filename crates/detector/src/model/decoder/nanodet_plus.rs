//! NanoDet-Plus (github.com/RangiLyu/nanodet). Its one output is cells x (classes + 32): the cells
//! of strides 8, 16, 32 and 64 in turn, each with its class scores and then its sides. The centre of
//! a cell is its upper left corner.

use super::checks::check_finite;
use super::distances::{self, BestClass, SIDES};
use super::{all_cells, cells, outputs};
use crate::model::family::Activation;
use shuffledet_core::Detection;
use shuffledet_infer::{BadOutput, ShapeMismatch};

const STRIDES: [u32; 4] = [8, 16, 32, 64];

#[derive(Debug)]
pub struct NanoDetPlus {
    size: (u32, u32),
    classes: usize,
    activation: Activation,
}

impl NanoDetPlus {
    pub fn new(
        size: (u32, u32),
        classes: usize,
        activation: Activation,
        shapes: &[Vec<i64>],
    ) -> Result<Self, ShapeMismatch> {
        let expected = [vec![
            all_cells(size, &STRIDES) as i64,
            (classes + SIDES) as i64,
        ]];
        outputs::assign("nanodet_plus", classes, &expected, shapes)?;
        Ok(Self {
            size,
            classes,
            activation,
        })
    }

    pub fn output_lengths(&self) -> Vec<usize> {
        vec![all_cells(self.size, &STRIDES) * (self.classes + SIDES)]
    }

    pub fn decode(
        &self,
        output: &[f32],
        least: f32,
        threshold: impl Fn(usize) -> f32,
        found: &mut Vec<Detection>,
    ) -> Result<(), BadOutput> {
        let best = BestClass::new(self.activation, least);
        let width = self.classes + SIDES;
        let mut rest = output.chunks_exact(width).enumerate();
        for stride in STRIDES {
            let (columns, rows) = cells(self.size, stride);
            let stride = stride as f32;
            for (cell, (index, values)) in rest.by_ref().take(columns * rows).enumerate() {
                let (scores, sides) = values.split_at(self.classes);
                check_finite(sides, 0, index * width + self.classes)?;
                let best = best.in_cell(scores, 0, index * width)?;
                let Some((class_id, score)) = best.filter(|&(class, s)| s > threshold(class))
                else {
                    continue;
                };
                let (x, y) = ((cell % columns) as f32, (cell / columns) as f32);
                let bbox = distances::bbox(x * stride, y * stride, sides, stride);
                found.push(Detection::new(class_id, score.min(1.0), bbox));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::decoder::activation::sigmoid;
    use proptest::prelude::*;

    const CLASSES: usize = 3;
    const SIZE: (u32, u32) = (96, 32);

    fn decode(
        output: &[f32],
        activation: Activation,
        least: f32,
    ) -> Result<Vec<Detection>, BadOutput> {
        let shapes = [vec![
            1,
            all_cells(SIZE, &STRIDES) as i64,
            (CLASSES + SIDES) as i64,
        ]];
        let decoder = NanoDetPlus::new(SIZE, CLASSES, activation, &shapes).unwrap();
        assert_eq!(decoder.output_lengths(), [output.len()]);
        let mut found = Vec::new();
        decoder.decode(output, least, |_| least, &mut found)?;
        Ok(found)
    }

    #[test]
    fn the_last_stride_has_the_cells_that_begin_within_the_input() {
        // 12 x 4, 6 x 2, 3 x 1, 2 x 1
        assert_eq!(all_cells(SIZE, &STRIDES), 48 + 12 + 3 + 2);
        let mut output = vec![0.0; all_cells(SIZE, &STRIDES) * (CLASSES + SIDES)];
        let last = output.len() - CLASSES - SIDES;
        output[last + 1] = 0.9;
        // equal logits: the mean distance is 3.5 strides
        let found = decode(&output, Activation::None, 0.5).unwrap();
        let [x1, y1, x2, y2] = [-160.0, -224.0, 288.0, 224.0];
        assert_eq!(found[0].bbox, shuffledet_core::BBox { x1, y1, x2, y2 });
        assert_eq!((found.len(), found[0].class_id), (1, 1));
    }

    #[test]
    fn scores_that_are_logits_are_named_with_the_key() {
        let mut output = vec![0.1; all_cells(SIZE, &STRIDES) * (CLASSES + SIDES)];
        output[CLASSES + SIDES] = -4.5;
        let error = decode(&output, Activation::None, 0.5).unwrap_err();
        assert_eq!((error.position, error.value), (CLASSES + SIDES, -4.5));
        let error = error.to_string();
        assert!(error.contains("class_activation: sigmoid"), "{error}");
        assert_eq!(decode(&output, Activation::Sigmoid, 0.6), Ok(Vec::new()));
        for position in [2, 10, output.len() - 1] {
            let mut damaged = output.clone();
            damaged[position] = f32::NAN;
            let error = decode(&damaged, Activation::Sigmoid, f32::INFINITY).unwrap_err();
            assert_eq!(error.position, position);
        }
    }

    proptest! {
        #[test]
        fn logits_give_what_their_probabilities_give(
            logits in prop::collection::vec(-64i8..64, 65 * (CLASSES + SIDES)), least in 0f32..1.0,
        ) {
            // far enough apart that no two have the same probability
            let logits: Vec<f32> = logits.into_iter().map(|x| f32::from(x) / 16.0).collect();
            let mut scores = logits.clone();
            for cell in scores.chunks_exact_mut(CLASSES + SIDES) {
                cell[..CLASSES].iter_mut().for_each(|score| *score = sigmoid(*score));
            }
            prop_assert_eq!(
                decode(&logits, Activation::Sigmoid, least).unwrap(),
                decode(&scores, Activation::None, least).unwrap()
            );
        }
    }
}
