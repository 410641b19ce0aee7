//! FastestDet (github.com/dog-qiuqiu/FastestDet). Its one output is 1 x (5 + classes) x rows x
//! columns. The channels are objectness, centre offset x and y, width, height, classes; objectness
//! and classes are probabilities.

use super::checks::{check_finite, check_scores};
use shuffledet_core::{BBox, Detection};
use shuffledet_infer::BadOutput;

const STRIDE: u32 = 16;
/// The score is objectness^0.6 times class^0.4.
const OBJECTNESS_POWER: f32 = 0.6;
const CLASS_POWER: f32 = 0.4;
/// Allows for rounding where a bound is computed in another way than the score itself.
const SLACK: f32 = 0.999;

#[derive(Debug)]
pub struct FastestDet {
    input: (u32, u32),
    classes: usize,
}

impl FastestDet {
    pub fn new(input: (u32, u32), classes: usize) -> Self {
        Self { input, classes }
    }

    fn grid(&self) -> (usize, usize) {
        (
            (self.input.0 / STRIDE) as usize,
            (self.input.1 / STRIDE) as usize,
        )
    }

    pub fn output_shapes(&self) -> Vec<Vec<i64>> {
        let (columns, rows) = self.grid();
        vec![vec![
            1,
            5 + self.classes as i64,
            rows as i64,
            columns as i64,
        ]]
    }

    pub fn decode(
        &self,
        output: &[f32],
        least: f32,
        threshold: impl Fn(usize) -> f32,
        found: &mut Vec<Detection>,
    ) -> Result<(), BadOutput> {
        let (columns, rows) = self.grid();
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
            let (width, height) = (self.input.0 as f32, self.input.1 as f32);
            let centre_x = (column + at(1, cell).tanh()) / columns as f32 * width;
            let centre_y = (row + at(2, cell).tanh()) / rows as f32 * height;
            let half_width = sigmoid(at(3, cell)) * width / 2.0;
            let half_height = sigmoid(at(4, cell)) * height / 2.0;
            let bbox = BBox {
                x1: centre_x - half_width,
                y1: centre_y - half_height,
                x2: centre_x + half_width,
                y2: centre_y + half_height,
            };
            found.push(Detection::new(class_id, score, bbox));
        }
        Ok(())
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
