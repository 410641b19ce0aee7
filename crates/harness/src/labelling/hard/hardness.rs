//! How unsure models are about a picture.

use shuffledet_core::Detection;
use shuffledet_detector::detect::ObjectGroups;

/// The distance from its threshold at which a score says nothing about doubt any more.
const NEAR: f64 = 0.2;

/// The IoU from which boxes of two models are of one object.
const SAME_OBJECT: f32 = 0.5;

/// A box of a model, also one below its threshold.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    pub found: Detection,
    /// The score threshold of its class in its model.
    pub threshold: f32,
}

/// Returns how much there is to learn from a picture; 0: nothing.
///
/// It is a sum. Each box of the model adds 1 if its score is at its threshold, less with the
/// distance, and 0 from a distance of 0.2 on. With a second model, each box above its threshold that
/// has no counterpart among the boxes of the other adds its score. A counterpart has the same class,
/// or one of the same group, and an IoU of at least 0.5; its score may be below the threshold. All
/// class ids are those of the first model.
pub fn hardness(own: &[Candidate], other: Option<&[Candidate]>, groups: &ObjectGroups) -> f64 {
    let unsure: f64 = own.iter().map(Candidate::doubt).sum();
    let apart = other.map_or(0.0, |other| {
        unmatched(own, other, groups) + unmatched(other, own, groups)
    });
    unsure + apart
}

impl Candidate {
    fn doubt(&self) -> f64 {
        let distance = f64::from((self.found.score - self.threshold).abs());
        (1.0 - distance / NEAR).max(0.0)
    }
}

fn unmatched(boxes: &[Candidate], others: &[Candidate], groups: &ObjectGroups) -> f64 {
    let alone = boxes.iter().filter(|one| {
        let is_same = |other: &Candidate| {
            groups.same_object(other.found.class_id, one.found.class_id)
                && other.found.bbox.iou(&one.found.bbox) >= SAME_OBJECT
        };
        one.found.score > one.threshold && !others.iter().any(is_same)
    });
    alone.map(|one| f64::from(one.found.score)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shuffledet_core::labels::Label;
    use shuffledet_core::{BBox, Labels};

    fn groups() -> ObjectGroups {
        let label = |category_id: u32| Label {
            name: category_id.to_string(),
            category_id,
        };
        let labels = Labels::new((0..9).map(label).collect()).unwrap();
        ObjectGroups::new(&[vec![2, 7]], &labels).unwrap()
    }

    fn candidate(class_id: usize, score: f32, x1: f32) -> Candidate {
        let (y1, x2, y2) = (0.0, x1 + 10.0, 10.0);
        Candidate {
            found: Detection::new(class_id, score, BBox { x1, y1, x2, y2 }),
            threshold: 0.4,
        }
    }

    #[test]
    fn boxes_at_their_threshold_count_most() {
        let total = |scores: &[f32]| {
            let boxes: Vec<_> = scores
                .iter()
                .map(|&score| candidate(2, score, 0.0))
                .collect();
            hardness(&boxes, None, &groups())
        };
        assert_eq!([total(&[]), total(&[0.7]), total(&[0.1])], [0.0; 3]);
        assert!((total(&[0.4]) - 1.0).abs() < 1e-6 && (total(&[0.5]) - 0.5).abs() < 1e-6);
        assert!((total(&[0.3, 0.4, 0.5, 0.9]) - 2.0).abs() < 1e-6);
    }

    #[test]
    fn what_only_one_model_finds_counts_with_its_score() {
        let apart = |own: &[Candidate], other: &[Candidate]| {
            hardness(own, Some(other), &groups()) - hardness(own, None, &groups())
        };
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-6, "{found}");
        let car = candidate(2, 0.8, 0.0);
        near(apart(&[car], &[]), 0.8);
        near(apart(&[], &[car]), 0.8);
        // a lower score, or another class of the group, is no disagreement
        near(apart(&[car], &[candidate(2, 0.2, 1.0)]), 0.0);
        near(apart(&[car], &[candidate(7, 0.9, 1.0)]), 0.0);
        near(apart(&[car], &[candidate(0, 0.9, 0.0)]), 1.7);
        near(apart(&[car], &[candidate(2, 0.9, 9.0)]), 1.7);
    }
}
