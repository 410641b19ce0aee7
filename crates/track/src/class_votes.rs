//! The class of a track, by votes over time.

/// The most classes that a track has votes for; a further one replaces the weakest.
const MOST: usize = 6;

/// Votes by class. A vote weighs its score, and halves with time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassVotes {
    /// Class ids and the weight of their votes; unused ones weigh 0.
    votes: [(usize, f64); MOST],
    winner: usize,
}

/// The share by which another class must outweigh the winner.
const MARGIN: f64 = 1.2;

impl ClassVotes {
    /// Starts with one vote.
    pub fn new(class_id: usize, score: f64) -> Self {
        let mut votes = [(0, 0.0); MOST];
        votes[0] = (class_id, score);
        Self {
            votes,
            winner: class_id,
        }
    }

    /// Adds a vote, `dt` seconds after the one before. Votes halve in `half_life_s`.
    pub fn add(&mut self, class_id: usize, score: f64, dt: f64, half_life_s: f64) {
        let kept = (-dt.max(0.0) / half_life_s).exp2();
        self.votes
            .iter_mut()
            .for_each(|(_, weight)| *weight *= kept);
        let known = self
            .votes
            .iter()
            .position(|&(id, weight)| id == class_id && weight > 0.0);
        let place = known.unwrap_or_else(|| {
            let weight = |place: &usize| self.votes[*place].1;
            let weakest = (0..MOST)
                .min_by(|a, b| weight(a).total_cmp(&weight(b)))
                .unwrap_or(0);
            self.votes[weakest] = (class_id, 0.0);
            weakest
        });
        self.votes[place].1 += score;
        let (mut best, mut most) = (self.winner, MARGIN * self.weight(self.winner));
        for &(id, weight) in &self.votes {
            if weight > most {
                (best, most) = (id, weight);
            }
        }
        self.winner = best;
    }

    /// Returns the class with the most votes.
    pub fn winner(&self) -> usize {
        self.winner
    }

    fn weight(&self, class_id: usize) -> f64 {
        let votes = self.votes.iter().filter(|(id, _)| *id == class_id);
        votes.map(|(_, weight)| weight).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_that_flickers_does_not_change_the_winner() {
        let mut votes = ClassVotes::new(2, 0.6);
        for frame in 0..100 {
            votes.add(if frame % 2 == 0 { 7 } else { 2 }, 0.6, 0.1, 2.0);
            assert_eq!(votes.winner(), 2);
        }
    }

    #[test]
    fn a_first_mistake_is_outvoted() {
        let mut votes = ClassVotes::new(7, 0.5);
        (0..3).for_each(|_| votes.add(2, 0.6, 0.1, 2.0));
        assert_eq!(votes.winner(), 2);
    }

    #[test]
    fn more_classes_than_places_replace_the_weakest() {
        let mut votes = ClassVotes::new(0, 10.0);
        (1..50).for_each(|class_id| votes.add(class_id, 0.1, 0.01, 2.0));
        assert_eq!(votes.winner(), 0);
        (0..200).for_each(|_| votes.add(99, 1.0, 0.1, 2.0));
        assert_eq!(votes.winner(), 99);
    }
}
