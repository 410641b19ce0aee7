//! The chance that a box is an object, by its score: learned from the tracks that boxes began.
//!
//! Scores of different models, and thresholds of different users, mean different things. Each camera
//! therefore counts, by score, the boxes that began tracks and those that came to nothing. They add
//! to a first belief, which depends only on where the score lies between the model's threshold and
//! the highest score so far.

/// The number of ranges of scores.
const RANGES: usize = 20;
/// How many boxes the first belief counts for.
const BELIEF: f64 = 5.0;
/// What stays of a count at each further box of its range: the night does not judge by the day.
const KEPT: f64 = 0.998;
/// The least distance between a threshold and the highest score, for a camera that sees nothing.
const LEAST_SPREAD: f64 = 0.2;

/// What became of a box without a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Its track was confirmed.
    Object,
    /// It began no track, or one that came to nothing.
    Nothing,
}

/// What a camera's scores say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScoreEvidence {
    /// By range of scores: the weight of objects, and of all boxes.
    objects: [f64; RANGES],
    all: [f64; RANGES],
    lowest: f64,
    highest: f64,
}

impl Default for ScoreEvidence {
    fn default() -> Self {
        Self {
            objects: [0.0; RANGES],
            all: [0.0; RANGES],
            lowest: 1.0,
            highest: 0.0,
        }
    }
}

impl ScoreEvidence {
    /// Takes note of the scores of a frame.
    pub(crate) fn see(&mut self, scores: impl Iterator<Item = f64>) {
        for score in scores {
            self.lowest = self.lowest.min(score);
            self.highest = self.highest.max(score);
        }
    }

    /// Counts a box.
    pub(crate) fn learn(&mut self, score: f64, proof: Proof, weight: f64) {
        let range = range(score);
        self.objects[range] *= KEPT;
        self.all[range] *= KEPT;
        self.all[range] += weight;
        if proof == Proof::Object {
            self.objects[range] += weight;
        }
    }

    /// Returns the chance in (0, 1) that a box with this score is an object. `threshold` is the
    /// model's; `None`: the lowest score so far, at most half of the highest.
    pub(crate) fn chance(&self, score: f64, threshold: Option<f64>) -> f64 {
        let threshold = threshold.unwrap_or(self.lowest.min(self.highest / 2.0));
        let spread = (self.highest - threshold).max(LEAST_SPREAD);
        let belief = first_belief(((score - threshold) / spread).clamp(0.0, 1.0));
        let range = range(score);
        let (mut objects, mut all) = (self.objects[range], self.all[range]);
        // the ranges beside it count half, because the border between them means nothing
        for beside in [range.wrapping_sub(1), range + 1] {
            objects += self.objects.get(beside).map_or(0.0, |count| count / 2.0);
            all += self.all.get(beside).map_or(0.0, |count| count / 2.0);
        }
        (objects + BELIEF * belief) / (all + BELIEF)
    }
}

/// Returns the chance by the score alone, from 0 at the threshold to 1 at the highest score: a
/// quarter at 0, a half at a sixth, nine tenths at a half.
fn first_belief(score: f64) -> f64 {
    let odds = 0.33 * (6.6 * score).exp();
    (odds / (1.0 + odds)).min(0.97)
}

fn range(score: f64) -> usize {
    // the cast takes NaN and what is below 0 to 0
    ((score * RANGES as f64) as usize).min(RANGES - 1)
}

/// Returns the logarithm of the odds of a chance in (0, 1).
pub(crate) fn log_odds(chance: f64) -> f64 {
    (chance / (1.0 - chance)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_belief_grows_with_the_score() {
        let mut evidence = ScoreEvidence::default();
        evidence.see([0.9].into_iter());
        let chances = [0.3, 0.4, 0.5, 0.7, 0.9].map(|score| evidence.chance(score, Some(0.3)));
        assert!(chances.is_sorted(), "{chances:?}");
        assert!(chances[0] < 0.3 && chances[4] > 0.9, "{chances:?}");
    }

    #[test]
    fn scores_half_as_high_mean_the_same_once_they_are_seen() {
        let (mut full, mut half) = (ScoreEvidence::default(), ScoreEvidence::default());
        full.see([0.2, 0.9].into_iter());
        half.see([0.1, 0.45].into_iter());
        for score in [0.2, 0.4, 0.6, 0.8] {
            let (full, half) = (full.chance(score, None), half.chance(score / 2.0, None));
            assert!((full - half).abs() < 1e-9, "{score}: {full} {half}");
        }
    }

    #[test]
    fn experience_outweighs_the_first_belief() {
        let mut evidence = ScoreEvidence::default();
        (0..50).for_each(|_| evidence.learn(0.35, Proof::Object, 1.0));
        (0..50).for_each(|_| evidence.learn(0.85, Proof::Nothing, 1.0));
        evidence.see([0.3, 0.9].into_iter());
        assert!(evidence.chance(0.35, None) > 0.9);
        assert!(evidence.chance(0.85, None) < 0.1);
    }
}
