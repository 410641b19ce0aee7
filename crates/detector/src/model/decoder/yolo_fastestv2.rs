//! Yolo-FastestV2 (github.com/dog-qiuqiu/Yolo-FastestV2). For each of the strides 16 and 32 it has
//! three outputs: boxes (12 x rows x columns) and objectness (3 x rows x columns) of three anchors,
//! and classes (classes x rows x columns), which the anchors share. All are logits. Boxes have the
//! form of YOLOv5.

use super::activation::{logit_below, sigmoid};
use super::checks::check_finite;
use super::{cells, centred, outputs};
use crate::model::family::Anchor;
use shuffledet_core::Detection;
use shuffledet_infer::{BadOutput, ShapeMismatch};

const STRIDES: [u32; 2] = [16, 32];
const ANCHORS: usize = 3;

#[derive(Debug)]
pub struct YoloFastestV2 {
    size: (u32, u32),
    classes: usize,
    anchors: [[Anchor; ANCHORS]; 2],
    /// Boxes, objectness and classes of stride 16, then those of stride 32.
    roles: [usize; 6],
}

impl YoloFastestV2 {
    pub fn new(
        size: (u32, u32),
        classes: usize,
        anchors: [[Anchor; ANCHORS]; 2],
        shapes: &[Vec<i64>],
    ) -> Result<Self, ShapeMismatch> {
        let expected = expected(size, classes);
        let roles = outputs::assign("yolo_fastestv2", classes, &expected, shapes)?;
        Ok(Self {
            size,
            classes,
            anchors,
            roles,
        })
    }

    pub fn output_lengths(&self) -> Vec<usize> {
        outputs::lengths(&self.roles, &expected(self.size, self.classes))
    }

    pub fn decode(
        &self,
        outputs: &[&[f32]],
        least: f32,
        threshold: impl Fn(usize) -> f32,
        found: &mut Vec<Detection>,
    ) -> Result<(), BadOutput> {
        for (index, values) in outputs.iter().enumerate() {
            check_finite(values, index, 0)?;
        }
        // a class probability is at most 1, so the score at most the objectness
        let least = logit_below(least.min(1.0));
        for (level, (&stride, anchors)) in STRIDES.iter().zip(&self.anchors).enumerate() {
            let [boxes, objectness, classes] =
                [0, 1, 2].map(|role| outputs[self.roles[3 * level + role]]);
            let (columns, rows) = cells(self.size, stride);
            let (stride, plane) = (stride as f32, columns * rows);
            for cell in 0..plane {
                let logit = |anchor: usize| objectness[anchor * plane + cell];
                if (0..ANCHORS).all(|anchor| logit(anchor) <= least) {
                    continue;
                }
                let classes = (0..self.classes).map(|class| classes[class * plane + cell]);
                let (class_id, greatest) = super::best(classes.clone());
                let sum: f32 = classes.map(|class| (class - greatest).exp()).sum();
                let threshold = threshold(class_id);
                let (column, row) = ((cell % columns) as f32, (cell / columns) as f32);
                for (anchor, &[width, height]) in anchors.iter().enumerate() {
                    let score = sigmoid(logit(anchor)) / sum;
                    if score <= threshold {
                        continue;
                    }
                    let term =
                        |term: usize| 2.0 * sigmoid(boxes[(4 * anchor + term) * plane + cell]);
                    let x = (term(0) - 0.5 + column) * stride;
                    let y = (term(1) - 0.5 + row) * stride;
                    let half_width = term(2).powi(2) * width / 2.0;
                    let half_height = term(3).powi(2) * height / 2.0;
                    let bbox = centred(x, y, half_width, half_height);
                    found.push(Detection::new(class_id, score, bbox));
                }
            }
        }
        Ok(())
    }
}

/// Returns the shapes by role.
fn expected(size: (u32, u32), classes: usize) -> [Vec<i64>; 6] {
    let channels = [4 * ANCHORS, ANCHORS, classes];
    std::array::from_fn(|role| {
        let (columns, rows) = cells(size, STRIDES[role / channels.len()]);
        let shape = [channels[role % channels.len()], rows, columns];
        shape.map(|d| d as i64).to_vec()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shuffledet_core::BBox;

    const SIZE: (u32, u32) = (64, 32);
    const ANCHOR: [[Anchor; 3]; 2] = [
        [[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]],
        [[70.0, 80.0], [90.0, 100.0], [110.0, 120.0]],
    ];

    fn decode(outputs: &[Vec<f32>], least: f32) -> Result<Vec<Detection>, BadOutput> {
        let decoder = YoloFastestV2::new(SIZE, 2, ANCHOR, &expected(SIZE, 2)).unwrap();
        let lengths: Vec<_> = outputs.iter().map(Vec::len).collect();
        assert_eq!(lengths, decoder.output_lengths());
        let outputs: Vec<&[f32]> = outputs.iter().map(Vec::as_slice).collect();
        let mut found = Vec::new();
        decoder.decode(&outputs, least, |_| least, &mut found)?;
        Ok(found)
    }

    fn outputs() -> impl Strategy<Value = Vec<Vec<f32>>> {
        let output = |length| prop::collection::vec(-6f32..6.0, length);
        [96, 24, 16, 24, 6, 4].map(output).to_vec()
    }

    #[test]
    fn an_anchor_has_its_size_where_its_cell_is() {
        let mut outputs = [96, 24, 16, 24, 6, 4].map(|length| vec![0.0; length]);
        outputs[1].fill(-9.0);
        outputs[4].fill(-9.0);
        // the second cell of stride 32, its third anchor
        outputs[4][5] = 9.0;
        outputs[5][3] = 9.0;
        let found = decode(&outputs, 0.5).unwrap();
        let [x1, y1, x2, y2] = [48.0 - 55.0, 16.0 - 60.0, 48.0 + 55.0, 16.0 + 60.0];
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].class_id, found[0].bbox),
            (1, BBox { x1, y1, x2, y2 })
        );
        assert!(found[0].score > 0.999 && found[0].score <= 1.0);
    }

    proptest! {
        #[test]
        fn a_threshold_only_selects(outputs in outputs(), threshold in 0f32..1.0) {
            let all = decode(&outputs, 0.0).unwrap();
            prop_assert_eq!(all.len(), 3 * (8 + 2));
            let above: Vec<_> = all.into_iter().filter(|d| d.score > threshold).collect();
            prop_assert_eq!(decode(&outputs, threshold).unwrap(), above);
        }

        #[test]
        fn a_value_that_is_no_number_is_named(
            mut outputs in outputs(), output in 0usize..6, at in any::<prop::sample::Index>(),
        ) {
            let at = at.index(outputs[output].len());
            outputs[output][at] = f32::NAN;
            let error = decode(&outputs, f32::INFINITY).unwrap_err();
            prop_assert_eq!((error.output, error.position), (output, at));
        }
    }
}
