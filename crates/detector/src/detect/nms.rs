//! Greedy non-maximum suppression within each class.

use shuffledet_core::Detection;

/// The number of boxes of an image that are compared, as in YOLOv5: without a bound, a model that
/// scores all its boxes high would take minutes.
const MOST_COMPARED: usize = 30_000;

/// Suppresses boxes with reusable buffers.
#[derive(Debug, Default)]
pub struct Suppressor {
    /// Each detection with its input position.
    by_score: Vec<(usize, Detection)>,
}

impl Suppressor {
    /// Keeps the best box of each group of the same class that overlap by more than
    /// `iou_threshold`: at most `limit` boxes, the highest score first. Equal scores keep their
    /// input order. Boxes after the best 30,000 are removed.
    pub fn suppress(&mut self, detections: &mut Vec<Detection>, iou_threshold: f32, limit: usize) {
        self.by_score.clear();
        self.by_score.extend(detections.drain(..).enumerate());
        // a stable sort would allocate memory for long lists
        self.by_score
            .sort_unstable_by(|(i, a), (j, b)| b.score.total_cmp(&a.score).then(i.cmp(j)));
        self.by_score.truncate(MOST_COMPARED);
        for (_, this) in &self.by_score {
            if detections.len() == limit {
                break;
            }
            let suppressed = detections.iter().any(|better| {
                better.class_id == this.class_id && better.bbox.iou(&this.bbox) > iou_threshold
            });
            if !suppressed {
                detections.push(*this);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suppress(detections: &mut Vec<Detection>, iou_threshold: f32, limit: usize) {
        Suppressor::default().suppress(detections, iou_threshold, limit);
    }

    use proptest::collection::vec;
    use proptest::prelude::*;
    use shuffledet_core::BBox;

    fn any_box() -> impl Strategy<Value = BBox> {
        let corner = || -500f32..2000.0;
        let side = || 0f32..800.0;
        (corner(), corner(), side(), side()).prop_map(|(x1, y1, w, h)| {
            let (x2, y2) = (x1 + w, y1 + h);
            BBox { x1, y1, x2, y2 }
        })
    }

    fn detections() -> impl Strategy<Value = Vec<Detection>> {
        vec((any_box(), 0usize..3), 0..60).prop_map(|boxes| {
            let count = boxes.len() as f32;
            let scored = boxes.into_iter().enumerate();
            // distinct scores
            scored
                .map(|(i, (bbox, class_id))| Detection {
                    class_id,
                    score: (i as f32 + 1.0) / (count + 1.0),
                    bbox,
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn it_is_idempotent(mut boxes in detections(), threshold in 0f32..1.0) {
            suppress(&mut boxes, threshold, 100);
            let once = boxes.clone();
            suppress(&mut boxes, threshold, 100);
            prop_assert_eq!(boxes, once);
        }

        #[test]
        fn order_does_not_matter(
            (boxes, shuffled) in detections().prop_flat_map(|b| (Just(b.clone()), Just(b).prop_shuffle())),
            threshold in 0f32..1.0,
        ) {
            let (mut a, mut b) = (boxes, shuffled);
            suppress(&mut a, threshold, 100);
            suppress(&mut b, threshold, 100);
            prop_assert_eq!(a, b);
        }

        #[test]
        fn every_box_is_kept_or_covered_by_a_better_one(boxes in detections(), threshold in 0f32..1.0) {
            let mut kept = boxes.clone();
            suppress(&mut kept, threshold, usize::MAX);
            for d in &boxes {
                let covered = kept.iter().any(|k| {
                    k.class_id == d.class_id && k.score > d.score && k.bbox.iou(&d.bbox) > threshold
                });
                prop_assert!(kept.contains(d) != covered);
            }
        }
    }

    #[test]
    fn so_many_boxes_that_comparing_them_takes_too_long_lose_the_worst() {
        let (y1, y2) = (0.0, 1.0);
        let bbox = |x1, x2| BBox { x1, y1, x2, y2 };
        let detection = |score, bbox| Detection {
            class_id: 0,
            score,
            bbox,
        };
        let mut boxes = vec![detection(0.9, bbox(0.0, 1.0)); MOST_COMPARED - 1];
        boxes.push(detection(0.1, bbox(9.0, 10.0)));
        boxes.push(detection(0.2, bbox(5.0, 6.0)));
        suppress(&mut boxes, 0.5, 9);
        let scores: Vec<_> = boxes.iter().map(|detection| detection.score).collect();
        assert_eq!(scores, [0.9, 0.2]);
    }

    #[test]
    fn the_limit_takes_the_best() {
        let bbox = |x1| shuffledet_core::BBox {
            x1,
            y1: 0.0,
            x2: x1 + 1.0,
            y2: 1.0,
        };
        let mut boxes: Vec<_> = (0..5)
            .map(|i| Detection {
                class_id: 0,
                score: i as f32 / 10.0,
                bbox: bbox(10.0 * i as f32),
            })
            .collect();
        suppress(&mut boxes, 0.5, 2);
        assert_eq!(
            boxes.iter().map(|d| d.score).collect::<Vec<_>>(),
            [0.4, 0.3]
        );
    }
}
