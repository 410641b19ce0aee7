//! A detected object.

use tinyvec::ArrayVec;

use super::BBox;

/// An object in an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// The index in the model; the model's labels have its name.
    pub class_id: usize,
    /// In [0, 1].
    pub score: f32,
    /// In pixels: of the network's input when it is decoded, of the image and clipped
    /// to it in results.
    pub bbox: BBox,
    /// The other classes that the object may have, each once, the highest score first. Suppression
    /// adds them, from the boxes that it removes in favour of this one, and the second stage.
    pub further: FurtherHypotheses,
}

/// The maximum number of further hypotheses.
pub const MOST_FURTHER: usize = 7;

/// Further hypotheses, held in place.
pub type FurtherHypotheses = ArrayVec<[Hypothesis; MOST_FURTHER]>;

/// A class that an object may have.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Hypothesis {
    /// The index in the model.
    pub class_id: u32,
    /// In [0, 1].
    pub score: f32,
}

impl Detection {
    /// Returns a detection with no further hypotheses.
    pub fn new(class_id: usize, score: f32, bbox: BBox) -> Self {
        Self {
            class_id,
            score,
            bbox,
            further: FurtherHypotheses::default(),
        }
    }

    /// Returns all hypotheses, the best first: class id and score.
    pub fn hypotheses(&self) -> impl Iterator<Item = (usize, f32)> {
        let further = self.further.into_iter();
        // a class id of a model is far below 2^32
        let further = further.map(|other| (other.class_id as usize, other.score));
        std::iter::once((self.class_id, self.score)).chain(further)
    }

    /// Adds the class and score of a removed box unless its class is known already. Call it with
    /// falling scores. A class beyond [`MOST_FURTHER`] is dropped.
    pub fn add_hypothesis(&mut self, class_id: usize, score: f32) {
        let known = self.hypotheses().any(|(known, _)| known == class_id);
        if !known && let Ok(class_id) = u32::try_from(class_id) {
            // a full list hands the value back
            let _ = self.further.try_push(Hypothesis { class_id, score });
        }
    }

    /// Adds a class that is not among the hypotheses, in the order of their scores. Its score is at
    /// most the detection's. If the list is full, it replaces the last one.
    pub fn insert_hypothesis(&mut self, hypothesis: Hypothesis) {
        if self.further.len() == MOST_FURTHER {
            self.further.pop();
        }
        let higher = |other: &&Hypothesis| other.score >= hypothesis.score;
        let at = self.further.iter().take_while(higher).count();
        self.further.insert(at, hypothesis);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_counts_once_and_the_list_is_bounded() {
        let corner = BBox {
            x1: 0.0,
            y1: 0.0,
            x2: 1.0,
            y2: 1.0,
        };
        let mut detection = Detection::new(2, 0.9, corner);
        for (class_id, score) in [(7, 0.8), (2, 0.7), (7, 0.6), (5, 0.5)] {
            detection.add_hypothesis(class_id, score);
        }
        let all: Vec<_> = detection.hypotheses().collect();
        assert_eq!(all, [(2, 0.9), (7, 0.8), (5, 0.5)]);
        (10..30).for_each(|class_id| detection.add_hypothesis(class_id, 0.1));
        assert_eq!(detection.hypotheses().count(), 1 + MOST_FURTHER);
        for (class_id, score) in [(90, 0.6), (91, 0.0)] {
            detection.insert_hypothesis(Hypothesis { class_id, score });
        }
        let all: Vec<_> = detection.hypotheses().collect();
        assert_eq!(all[..4], [(2, 0.9), (7, 0.8), (90, 0.6), (5, 0.5)]);
        assert_eq!((all.len(), all[7]), (1 + MOST_FURTHER, (91, 0.0)));
    }
}
