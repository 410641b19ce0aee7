//! Chooses the hardest frames of a run, few of each scene.

use std::collections::BTreeSet;

use super::Scene;
use shuffledet_detector::pipeline::{Frame, Source};

/// A frame that may be chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankedFrame {
    /// Its position in the source, from 0.
    pub position: u64,
    /// At least 0.
    pub hardness: f64,
    pub scene: Scene,
}

/// Returns the positions of the `count` frames that would teach most, or fewer if `frames` has
/// fewer with any hardness.
///
/// The hardest frame comes first. Each choice reduces the hardness of every other frame, by its
/// similarity to the chosen one: a frame of the same scene counts little afterwards, also if it is
/// the second hardest. Of equal frames the first wins.
pub fn hardest(mut frames: Vec<RankedFrame>, count: usize) -> BTreeSet<u64> {
    frames.sort_by_key(|frame| frame.position);
    // how new each frame is beside those chosen, from 0 to 1
    let mut novelty = vec![1.0f64; frames.len()];
    let mut chosen = BTreeSet::new();
    while chosen.len() < count {
        let mut best = (0.0, None);
        for (at, (frame, novelty)) in frames.iter().zip(&novelty).enumerate() {
            let value = frame.hardness * novelty;
            if value > best.0 {
                best = (value, Some(at));
            }
        }
        let Some(at) = best.1 else { break };
        let scene = frames[at].scene;
        chosen.insert(frames[at].position);
        for (frame, novelty) in frames.iter().zip(&mut novelty) {
            *novelty = novelty.min(1.0 - frame.scene.similarity(&scene));
        }
        // also if its colours could not tell it from others
        novelty[at] = 0.0;
    }
    chosen
}

/// Which frames of a source are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    All,
    /// Those at these positions, from 0.
    Only(BTreeSet<u64>),
}

/// Yields the chosen frames of a source.
pub struct Chosen<S> {
    source: S,
    choice: Choice,
    next: u64,
}

impl<S> Chosen<S> {
    pub fn new(source: S, choice: Choice) -> Self {
        Self {
            source,
            choice,
            next: 0,
        }
    }

    /// Returns the source of all frames.
    pub fn source(&self) -> &S {
        &self.source
    }
}

impl<S: Source> Source for Chosen<S> {
    type Error = S::Error;

    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, S::Error> {
        let positions = match &mut self.choice {
            Choice::All => return self.source.next_into(frame),
            Choice::Only(positions) => positions,
        };
        while !positions.is_empty() && self.source.next_into(frame)? {
            self.next += 1;
            if positions.remove(&(self.next - 1)) {
                return Ok(true);
            }
            frame.message.clear();
            frame.unreadable = None;
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frames(frames: &[(f64, u8)]) -> Vec<RankedFrame> {
        let ranked = (0..)
            .zip(frames)
            .map(|(position, &(hardness, level))| RankedFrame {
                position,
                hardness,
                scene: Scene::grey(level),
            });
        ranked.collect()
    }

    fn positions(given: &[(f64, u8)], count: usize) -> Vec<u64> {
        hardest(frames(given), count).into_iter().collect()
    }

    #[test]
    fn another_scene_wins_over_a_harder_frame_of_the_same() {
        let given = [(9.0, 100), (8.0, 101), (3.0, 200), (0.0, 10)];
        assert_eq!(positions(&given, 1), [0]);
        assert_eq!(positions(&given, 2), [0, 2]);
        assert_eq!(positions(&given, 3), [0, 1, 2]);
        // nothing is to be learned from the last
        assert_eq!(positions(&given, 9), [0, 1, 2]);
    }

    #[test]
    fn of_equal_frames_the_first_is_chosen() {
        assert_eq!(positions(&[(1.0, 50), (1.0, 50), (1.0, 50)], 1), [0]);
    }

    #[test]
    fn the_chosen_frames_of_a_source_are_read() {
        struct Numbers(u8);
        impl Source for Numbers {
            type Error = ();
            fn next_into(&mut self, frame: &mut Frame) -> Result<bool, ()> {
                self.0 += 1;
                frame.message.push(self.0);
                Ok(self.0 < 9)
            }
        }
        let read = |choice| {
            let mut source = Chosen::new(Numbers(0), choice);
            let (mut frame, mut found) = (Frame::new(), Vec::new());
            while source.next_into(&mut frame).unwrap() {
                found.append(&mut frame.message);
            }
            found
        };
        assert_eq!(read(Choice::Only(BTreeSet::from([1, 4, 99]))), [2, 5]);
        assert_eq!(read(Choice::All), [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_matter(
            (given, shuffled) in prop::collection::vec((0f64..9.0, 0u8..), 0..30)
                .prop_flat_map(|given| (Just(frames(&given)), Just(frames(&given)).prop_shuffle())),
            count in 0usize..12,
        ) {
            let chosen = hardest(given.clone(), count);
            prop_assert_eq!(&chosen, &hardest(shuffled, count));
            prop_assert!(chosen.len() <= count);
            // one more frame keeps the others
            prop_assert!(chosen.is_subset(&hardest(given, count + 1)));
        }
    }
}
