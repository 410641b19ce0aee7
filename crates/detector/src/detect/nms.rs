//! Greedy non-maximum suppression within each class, or within each group of classes.

use super::ObjectGroups;
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
    /// Keeps the best of the boxes that overlap by more than `iou_threshold` and are the same
    /// object by `groups`, the highest score first. Equal scores keep their input order. The kept
    /// box that a removed box overlaps most gets its class as a further hypothesis. Boxes after the
    /// best 30,000 are removed.
    pub fn suppress(
        &mut self,
        detections: &mut Vec<Detection>,
        iou_threshold: f32,
        groups: &ObjectGroups,
    ) {
        self.by_score.clear();
        self.by_score.extend(detections.drain(..).enumerate());
        // a stable sort would allocate memory for long lists
        self.by_score
            .sort_unstable_by(|(i, a), (j, b)| b.score.total_cmp(&a.score).then(i.cmp(j)));
        self.by_score.truncate(MOST_COMPARED);
        for (_, this) in &self.by_score {
            let mut overlapped = detections
                .iter_mut()
                .filter(|better| groups.same_object(better.class_id, this.class_id))
                .map(|better| (better.bbox.iou(&this.bbox), better))
                .filter(|(iou, _)| *iou > iou_threshold);
            let better = if groups.is_grouped(this.class_id) {
                overlapped.max_by(|(a, _), (b, _)| a.total_cmp(b))
            } else {
                overlapped.next()
            };
            match better {
                Some((_, better)) => better.add_hypothesis(this.class_id, this.score),
                None => detections.push(*this),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use shuffledet_core::BBox;
    use shuffledet_core::Labels;
    use shuffledet_core::labels::Label;

    use super::*;

    /// The number of classes; the first two are in one group.
    const CLASSES: usize = 4;

    fn groups() -> ObjectGroups {
        let label = |category_id: u32| Label {
            name: category_id.to_string(),
            category_id,
        };
        let labels = Labels::new((0..CLASSES as u32).map(label).collect()).unwrap();
        ObjectGroups::new(&[vec![0, 1]], &labels).unwrap()
    }

    fn none_or_groups() -> impl Strategy<Value = ObjectGroups> {
        prop_oneof![Just(ObjectGroups::default()), Just(groups())]
    }

    fn suppress(detections: &[Detection], threshold: f32, groups: &ObjectGroups) -> Vec<Detection> {
        let mut kept = detections.to_vec();
        Suppressor::default().suppress(&mut kept, threshold, groups);
        kept
    }

    fn any_box() -> impl Strategy<Value = BBox> {
        let corner = || -500f32..2000.0;
        let side = || 0f32..800.0;
        (corner(), corner(), side(), side()).prop_map(|(x1, y1, w, h)| {
            let (x2, y2) = (x1 + w, y1 + h);
            BBox { x1, y1, x2, y2 }
        })
    }

    fn detections() -> impl Strategy<Value = Vec<Detection>> {
        vec((any_box(), 0..CLASSES), 0..60).prop_map(|boxes| {
            let count = boxes.len() as f32;
            let scored = boxes.into_iter().enumerate();
            // distinct scores
            scored
                .map(|(i, (bbox, class))| {
                    Detection::new(class, (i as f32 + 1.0) / (count + 1.0), bbox)
                })
                .collect()
        })
    }

    /// The box and best class of each detection, without its further hypotheses.
    fn boxes(detections: &[Detection]) -> Vec<(usize, f32, BBox)> {
        let parts = detections.iter().map(|d| (d.class_id, d.score, d.bbox));
        parts.collect()
    }

    proptest! {
        #[test]
        fn it_is_idempotent(all in detections(), threshold in 0f32..1.0, groups in none_or_groups()) {
            let once = suppress(&all, threshold, &groups);
            prop_assert_eq!(suppress(&once, threshold, &groups), once);
        }

        #[test]
        fn order_does_not_matter(
            (all, shuffled) in detections().prop_flat_map(|b| (Just(b.clone()), Just(b).prop_shuffle())),
            threshold in 0f32..1.0,
            groups in none_or_groups(),
        ) {
            let [a, b] = [all, shuffled].map(|all| suppress(&all, threshold, &groups));
            prop_assert_eq!(a, b);
        }

        #[test]
        fn every_box_is_kept_or_covered_by_a_better_one(
            all in detections(),
            threshold in 0f32..1.0,
            groups in none_or_groups(),
        ) {
            let kept = suppress(&all, threshold, &groups);
            for d in &all {
                let covered = kept.iter().any(|k| {
                    groups.same_object(k.class_id, d.class_id) && k.score > d.score && k.bbox.iou(&d.bbox) > threshold
                });
                prop_assert!(kept.iter().any(|k| boxes(&[*k]) == boxes(&[*d])) != covered);
            }
        }

        #[test]
        fn one_object_is_one_detection(all in detections(), threshold in 0f32..1.0) {
            let (groups, kept) = (groups(), suppress(&all, threshold, &groups()));
            for (at, a) in kept.iter().enumerate() {
                for b in &kept[at + 1..] {
                    prop_assert!(!groups.same_object(a.class_id, b.class_id) || a.bbox.iou(&b.bbox) <= threshold);
                }
            }
        }

        #[test]
        fn further_hypotheses_are_the_best_removed_scores_of_other_classes(all in detections(), threshold in 0f32..1.0) {
            let kept = suppress(&all, threshold, &groups());
            for d in &kept {
                let hypotheses: Vec<_> = d.hypotheses().collect();
                prop_assert!(hypotheses.is_sorted_by(|a, b| a.1 > b.1));
                prop_assert!(d.further.len() <= usize::from(d.class_id < 2));
                for &(class, score) in &hypotheses[1..] {
                    prop_assert!(class < 2 && class != d.class_id);
                    let from = all.iter().find(|other| other.score == score).unwrap();
                    prop_assert!(from.class_id == class && from.bbox.iou(&d.bbox) > threshold);
                    prop_assert!(!kept.iter().any(|k| k.score == score));
                }
            }
        }

        #[test]
        fn without_groups_each_class_is_suppressed_by_itself(all in detections(), threshold in 0f32..1.0) {
            let together = suppress(&all, threshold, &ObjectGroups::default());
            prop_assert!(together.iter().all(|d| d.further.is_empty()));
            let mut apart: Vec<Detection> = Vec::new();
            for class in 0..CLASSES {
                let mut left: Vec<_> = all.iter().filter(|d| d.class_id == class).copied().collect();
                while let Some(best) = left.iter().copied().max_by(|a, b| a.score.total_cmp(&b.score)) {
                    apart.push(best);
                    left.retain(|d| d.score != best.score && d.bbox.iou(&best.bbox) <= threshold);
                }
            }
            apart.sort_by(|a, b| b.score.total_cmp(&a.score));
            prop_assert_eq!(together, apart);
        }
    }

    #[test]
    fn so_many_boxes_that_comparing_them_takes_too_long_lose_the_worst() {
        let (y1, y2) = (0.0, 1.0);
        let bbox = |x1, x2| BBox { x1, y1, x2, y2 };
        let mut boxes = vec![Detection::new(0, 0.9, bbox(0.0, 1.0)); MOST_COMPARED - 1];
        boxes.push(Detection::new(0, 0.1, bbox(9.0, 10.0)));
        boxes.push(Detection::new(0, 0.2, bbox(5.0, 6.0)));
        let kept = suppress(&boxes, 0.5, &ObjectGroups::default());
        let scores: Vec<_> = kept.iter().map(|detection| detection.score).collect();
        assert_eq!(scores, [0.9, 0.2]);
    }

    #[test]
    fn a_removed_box_counts_for_the_box_that_it_overlaps_most() {
        let bbox = |x1: f32| BBox {
            x1,
            y1: 0.0,
            x2: x1 + 10.0,
            y2: 10.0,
        };
        let near = Detection::new(0, 0.9, bbox(0.0));
        let far = Detection::new(0, 0.8, bbox(6.0));
        let between = Detection::new(1, 0.7, bbox(4.0));
        let kept = suppress(&[near, far, between], 0.3, &groups());
        let further = kept.iter().map(|d| d.hypotheses().skip(1).collect());
        let further: Vec<Vec<_>> = further.collect();
        assert_eq!(further, [vec![], vec![(1, 0.7)]]);
    }
}
