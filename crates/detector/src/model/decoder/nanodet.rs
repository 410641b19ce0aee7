//! NanoDet (github.com/RangiLyu/nanodet). For each of the strides 8, 16 and 32 it has an output of
//! class scores (cells x classes) and one of sides (cells x 32). The OpenCV model zoo exports the
//! three of scores first, each with a batch axis; older exports have other orders and no batch axis.

use super::checks::check_finite;
use super::distances::{self, BestClass, SIDES};
use super::{cells, outputs};
use crate::model::family::Activation;
use shuffledet_core::Detection;
use shuffledet_infer::{BadOutput, ShapeMismatch};

const STRIDES: [u32; 3] = [8, 16, 32];

#[derive(Debug)]
pub struct NanoDet {
    size: (u32, u32),
    classes: usize,
    activation: Activation,
    /// The outputs of scores by stride, then those of sides.
    roles: [usize; 6],
}

impl NanoDet {
    pub fn new(
        size: (u32, u32),
        classes: usize,
        activation: Activation,
        shapes: &[Vec<i64>],
    ) -> Result<Self, ShapeMismatch> {
        let roles = outputs::assign("nanodet", classes, &expected(size, classes), shapes)?;
        Ok(Self {
            size,
            classes,
            activation,
            roles,
        })
    }

    pub fn output_lengths(&self) -> Vec<usize> {
        outputs::lengths(&self.roles, &expected(self.size, self.classes))
    }

    pub fn score_outputs(&self) -> &[usize] {
        &self.roles[..STRIDES.len()]
    }

    pub fn decode(
        &self,
        outputs: &[&[f32]],
        least: f32,
        threshold: impl Fn(usize) -> f32,
        found: &mut Vec<Detection>,
    ) -> Result<(), BadOutput> {
        let (score_outputs, side_outputs) = self.roles.split_at(STRIDES.len());
        let best = BestClass::new(self.activation, least);
        for &output in side_outputs {
            check_finite(outputs[output], output, 0)?;
        }
        for ((&stride, &output), &sides) in STRIDES.iter().zip(score_outputs).zip(side_outputs) {
            let (columns, _) = cells(self.size, stride);
            let scores = outputs[output].chunks_exact(self.classes);
            let sides = outputs[sides].chunks_exact(SIDES);
            for (cell, (scores, sides)) in scores.zip(sides).enumerate() {
                let best = best.in_cell(scores, output, cell * self.classes)?;
                let Some((class_id, score)) = best.filter(|&(class, s)| s > threshold(class))
                else {
                    continue;
                };
                let stride = stride as f32;
                let centre = |index: usize| (index as f32 + 0.5) * stride;
                let (x, y) = (centre(cell % columns), centre(cell / columns));
                let bbox = distances::bbox(x, y, sides, stride);
                found.push(Detection::new(class_id, score.min(1.0), bbox));
            }
        }
        Ok(())
    }
}

/// Returns the shapes by role.
fn expected(size: (u32, u32), classes: usize) -> [Vec<i64>; 6] {
    std::array::from_fn(|role| {
        let (columns, rows) = cells(size, STRIDES[role % STRIDES.len()]);
        let width = if role < STRIDES.len() { classes } else { SIDES };
        vec![(columns * rows) as i64, width as i64]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASSES: usize = 80;

    fn decode(change: impl Fn(&mut [Vec<f32>]), least: f32) -> Result<Vec<Detection>, BadOutput> {
        let shapes = expected((64, 64), CLASSES);
        let decoder = NanoDet::new((64, 64), CLASSES, Activation::None, &shapes).unwrap();
        let lengths = decoder.output_lengths();
        let mut outputs: Vec<_> = lengths.iter().map(|&length| vec![0.1; length]).collect();
        change(&mut outputs);
        let outputs: Vec<&[f32]> = outputs.iter().map(Vec::as_slice).collect();
        let mut found = Vec::new();
        decoder.decode(&outputs, least, |_| least, &mut found)?;
        Ok(found)
    }

    #[test]
    fn a_value_that_is_no_number_does_not_hide_below_the_threshold() {
        assert_eq!(decode(|_| (), 0.5), Ok(Vec::new()));
        for least in [0.05, 0.5, f32::INFINITY] {
            for (output, value) in [
                (0, f32::NAN),
                (1, -f32::NAN),
                (2, f32::INFINITY),
                (2, f32::NEG_INFINITY),
                (1, 1.5),
                (0, -0.2),
                (3, f32::NAN),
                (5, f32::INFINITY),
            ] {
                let last = |outputs: &mut [Vec<f32>]| {
                    *outputs[output].last_mut().unwrap() = value;
                };
                let error = decode(last, least).unwrap_err().to_string();
                assert!(
                    error.contains(&format!("output {output} has {value}")),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn a_score_that_rounding_lifts_above_1_is_1() {
        let found = decode(|outputs| outputs[0][5] = 1.000_1, 0.5).unwrap();
        assert_eq!(
            (found.len(), found[0].class_id, found[0].score),
            (1, 5, 1.0)
        );
    }
}
