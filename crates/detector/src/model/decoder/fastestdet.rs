//! FastestDet (github.com/dog-qiuqiu/FastestDet). Its one output is 1 x (5 + classes) x rows x
//! columns. The channels are objectness, centre offset x and y, width, height, classes; objectness
//! and classes are probabilities. Sides are shares of the size that the model was trained on,
//! whatever the size of the input.

use super::activation::sigmoid;
use super::checks::{check_finite, check_scores};
use super::{cells, centred, outputs};
use shuffledet_core::Detection;
use shuffledet_infer::{BadOutput, ShapeMismatch};

const STRIDE: u32 = 16;
/// The score is objectness^0.6 times class^0.4.
const OBJECTNESS_POWER: f32 = 0.6;
const CLASS_POWER: f32 = 0.4;
/// Allows for rounding where a bound is computed in another way than the score itself.
const SLACK: f32 = 0.999;

#[derive(Debug)]
pub struct FastestDet {
    /// The width and height of the input in pixels.
    size: (u32, u32),
    /// Those that the model was trained on.
    trained: (u32, u32),
    classes: usize,
}

impl FastestDet {
    pub fn new(
        size: (u32, u32),
        trained: (u32, u32),
        classes: usize,
        shapes: &[Vec<i64>],
    ) -> Result<Self, ShapeMismatch> {
        let (columns, rows) = cells(size, STRIDE);
        let expected = [[5 + classes, rows, columns].map(|d| d as i64).to_vec()];
        outputs::assign("fastestdet", classes, &expected, shapes)?;
        Ok(Self {
            size,
            trained,
            classes,
        })
    }

    pub fn output_lengths(&self) -> Vec<usize> {
        let (columns, rows) = cells(self.size, STRIDE);
        vec![(5 + self.classes) * rows * columns]
    }

    pub fn decode(
        &self,
        output: &[f32],
        least: f32,
        threshold: impl Fn(usize) -> f32,
        found: &mut Vec<Detection>,
    ) -> Result<(), BadOutput> {
        let (columns, rows) = cells(self.size, STRIDE);
        let plane = columns * rows;
        let (sides, classes) = (plane, 5 * plane);
        check_scores(&output[..sides], 0, 0)?;
        check_finite(&output[sides..classes], 0, sides)?;
        check_scores(&output[classes..], 0, classes)?;
        let at = |channel: usize, cell: usize| output[channel * plane + cell];
        // a class probability is at most 1, so the score at most objectness^0.6
        let least_objectness = least.max(0.0).powf(1.0 / OBJECTNESS_POWER) * SLACK;
        for cell in 0..plane {
            let objectness = at(0, cell);
            if objectness < least_objectness {
                continue;
            }
            let (class_id, probability) =
                super::best((0..self.classes).map(|class| at(5 + class, cell)));
            let [objectness, probability] = [objectness, probability].map(|p| p.clamp(0.0, 1.0));
            let score = objectness.powf(OBJECTNESS_POWER) * probability.powf(CLASS_POWER);
            if score <= threshold(class_id) {
                continue;
            }
            let (column, row) = ((cell % columns) as f32, (cell / columns) as f32);
            let (width, height) = (self.size.0 as f32, self.size.1 as f32);
            let (trained_width, trained_height) = (self.trained.0 as f32, self.trained.1 as f32);
            let centre_x = (column + at(1, cell).tanh()) / columns as f32 * width;
            let centre_y = (row + at(2, cell).tanh()) / rows as f32 * height;
            let half_width = sigmoid(at(3, cell)) * trained_width / 2.0;
            let half_height = sigmoid(at(4, cell)) * trained_height / 2.0;
            let bbox = centred(centre_x, centre_y, half_width, half_height);
            found.push(Detection::new(class_id, score, bbox));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shuffledet_core::BBox;

    #[test]
    fn sides_stay_those_of_the_trained_size() {
        let (size, shapes) = ((704, 224), [vec![1, 6, 14, 44]]);
        let decoder = FastestDet::new(size, (352, 352), 1, &shapes).unwrap();
        let plane = 14 * 44;
        let mut output = vec![0.0; decoder.output_lengths()[0]];
        assert_eq!(output.len(), 6 * plane);
        let cell = 3 * 44 + 40;
        (output[cell], output[5 * plane + cell]) = (1.0, 1.0);
        let mut found = Vec::new();
        decoder.decode(&output, 0.5, |_| 0.5, &mut found).unwrap();
        // the centre (40, 3) * 16, half of 352 to each side
        let [x1, y1, x2, y2] = [552.0, -40.0, 728.0, 136.0];
        assert_eq!((found.len(), found[0].bbox), (1, BBox { x1, y1, x2, y2 }));
    }
}
