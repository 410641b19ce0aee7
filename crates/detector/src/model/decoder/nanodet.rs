//! NanoDet (github.com/RangiLyu/nanodet), as exported by the OpenCV model zoo. Outputs: class
//! probabilities of strides 8, 16 and 32 (1 x anchors x classes each), then the sides (1 x anchors
//! x 32 each): left, top, right, bottom, each a distribution over 8 distances in strides
//! (Generalized Focal Loss, Li et al., 2020).

use super::checks::{LOWEST_SCORE, check_finite, check_scores};
use shuffledet_core::{BBox, Detection};
use shuffledet_infer::BadOutput;

const STRIDES: [u32; 3] = [8, 16, 32];
const DISTANCES: usize = 8;

#[derive(Debug)]
pub struct NanoDet {
    input: (u32, u32),
    classes: usize,
}

impl NanoDet {
    pub fn new(input: (u32, u32), classes: usize) -> Self {
        Self { input, classes }
    }

    fn grid(&self, stride: u32) -> (usize, usize) {
        (
            self.input.0.div_ceil(stride) as usize,
            self.input.1.div_ceil(stride) as usize,
        )
    }

    pub fn output_shapes(&self) -> Vec<Vec<i64>> {
        let anchors = STRIDES.map(|stride| {
            let (columns, rows) = self.grid(stride);
            (columns * rows) as i64
        });
        let of_width = |width: i64| anchors.iter().map(move |&count| vec![1, count, width]);
        of_width(self.classes as i64)
            .chain(of_width(4 * DISTANCES as i64))
            .collect()
    }

    pub fn decode(
        &self,
        outputs: &[&[f32]],
        least: f32,
        threshold: impl Fn(usize) -> f32,
        found: &mut Vec<Detection>,
    ) -> Result<(), BadOutput> {
        let (scores, sides) = outputs.split_at(STRIDES.len());
        // infinite if no class is selected; a score above 1 is still an error
        let least = least.min(1.0);
        for (index, sides) in sides.iter().enumerate() {
            check_finite(sides, STRIDES.len() + index, 0)?;
        }
        let levels = STRIDES.iter().zip(scores).zip(sides).enumerate();
        for (level, ((&stride, scores), sides)) in levels {
            let (columns, _) = self.grid(stride);
            let anchors = scores
                .chunks_exact(self.classes)
                .zip(sides.chunks_exact(4 * DISTANCES));
            for (anchor, (scores, sides)) in anchors.enumerate() {
                // nearly every anchor ends here, so there is no branch per class; NaN is not below
                let is_below = |score: f32| (score <= least) & (score >= LOWEST_SCORE);
                if scores
                    .iter()
                    .fold(true, |all, &score| all & is_below(score))
                {
                    continue;
                }
                check_scores(scores, level, anchor * self.classes)?;
                let (class_id, score) = super::best(scores.iter().copied());
                if score <= threshold(class_id) {
                    continue;
                }
                let stride = stride as f32;
                let centre = |index: usize| (index as f32 + 0.5) * stride;
                let (x, y) = (centre(anchor % columns), centre(anchor / columns));
                let side = |i: usize| expected(&sides[i * DISTANCES..(i + 1) * DISTANCES]) * stride;
                let bbox = BBox {
                    x1: x - side(0),
                    y1: y - side(1),
                    x2: x + side(2),
                    y2: y + side(3),
                };
                found.push(Detection::new(class_id, score.min(1.0), bbox));
            }
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    const CLASSES: usize = 80;

    fn decode(change: impl Fn(&mut [Vec<f32>]), least: f32) -> Result<Vec<Detection>, BadOutput> {
        let decoder = NanoDet::new((64, 64), CLASSES);
        let shapes = decoder.output_shapes();
        let count = |shape: &Vec<i64>| shape.iter().product::<i64>() as usize;
        let mut outputs: Vec<_> = shapes.iter().map(|shape| vec![0.1; count(shape)]).collect();
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
