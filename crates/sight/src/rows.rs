//! Rows that are shifted against each other.

use crate::View;
use crate::view::mean_difference;

/// A torn row mixes both parts in a view, so rows at this distance are compared.
const GAP: usize = 2;
/// The places with the largest steps between rows that are tried.
const PLACES: usize = 4;
/// A step is this many times the steps around it.
const STEP: f32 = 2.0;
/// A step has at least this mean difference, in levels.
const LEAST_STEP: f32 = 4.0;
/// Rows around a step, on each side, that it is compared with.
const AROUND: usize = 8;
/// The smallest shift, in pixels of the view.
const LEAST_SHIFT: usize = 3;

/// Finds tears. Keeps its memory from view to view.
#[derive(Debug, Clone, Default)]
pub(crate) struct TearFinder {
    /// The difference of each row from that below it.
    steps: Vec<f32>,
    /// Each step over those around it.
    ratios: Vec<f32>,
}

impl TearFinder {
    /// Returns the least share of the difference between two rows that a shift of one of them leaves,
    /// from 0 to 1, over the largest steps between rows. An edge in the scene leaves much whatever the
    /// shift; the rows of a torn picture fit.
    pub fn tear(&mut self, view: &View) -> f32 {
        let mut least = 1.0f32;
        for place in self.largest_steps(view).into_iter().flatten() {
            let (above, below) = (view.row(place), view.row(place + GAP));
            let step = mean_difference(above, below);
            for shift in LEAST_SHIFT..=view.width() / 3 {
                for (a, b) in [(above, below), (below, above)] {
                    let (a, b, still) = (&a[..a.len() - shift], &b[shift..], &a[shift..]);
                    // over the same columns too: the rest of the row may be what differs
                    let unshifted = step.min(mean_difference(still, b));
                    let shifted = mean_difference(a, b);
                    // rows without structure fit at any shift
                    if shifted < least * unshifted && shifted < least * deviation(b) {
                        least = shifted / unshifted.min(deviation(b));
                    }
                }
            }
        }
        least
    }

    /// Returns the places (indices of the row above) of the largest steps between rows.
    fn largest_steps(&mut self, view: &View) -> [Option<usize>; PLACES] {
        let mut places = [None; PLACES];
        if view.width() < 4 * LEAST_SHIFT || view.height() <= GAP {
            return places;
        }
        let Self { steps, ratios } = self;
        let differences =
            (0..view.height() - GAP).map(|y| mean_difference(view.row(y), view.row(y + GAP)));
        steps.clear();
        steps.extend(differences);
        ratios.clear();
        ratios.extend((0..steps.len()).map(|y| prominence(steps, y)));
        for place in &mut places {
            let best = (0..ratios.len()).max_by(|&a, &b| ratios[a].total_cmp(&ratios[b]));
            let Some(y) = best.filter(|&y| ratios[y] > STEP) else {
                break;
            };
            *place = Some(y);
            let end = (y + GAP).min(ratios.len());
            ratios[y.saturating_sub(1)..end].fill(0.0);
        }
        places
    }
}

/// Returns the mean absolute deviation from the mean.
fn deviation(values: &[f32]) -> f32 {
    let count = values.len().max(1) as f32;
    let mean = values.iter().sum::<f32>() / count;
    values.iter().map(|value| (value - mean).abs()).sum::<f32>() / count
}

/// Returns the step at `y` over the median of those around it; 0 if it is small.
fn prominence(steps: &[f32], y: usize) -> f32 {
    if steps[y] < LEAST_STEP {
        return 0.0;
    }
    let mut around = [0.0; 2 * AROUND + 1];
    let near = &steps[y.saturating_sub(AROUND)..(y + AROUND + 1).min(steps.len())];
    let around = &mut around[..near.len()];
    around.copy_from_slice(near);
    around.sort_unstable_by(f32::total_cmp);
    steps[y] / (around[around.len() / 2] + 1.0)
}

/// The rows that a shear is judged from.
const SAMPLES: usize = 16;
/// The largest shear, in pixels a row.
const LARGEST_SHEAR: usize = 6;

/// Returns the shift from each row to the next that most rows agree on, in pixels of the view. A
/// wrong `step` of a message shears the picture like this.
pub(crate) fn shear(view: &View) -> i32 {
    if view.height() < 2 * SAMPLES || view.width() < 4 * LARGEST_SHEAR {
        return 0;
    }
    let mut votes = [(0i32, 0.0f32); SAMPLES];
    let mut count = 0;
    for sample in 0..SAMPLES {
        let y = sample * (view.height() - 1) / SAMPLES;
        if let Some(vote) = vote(view.row(y), view.row(y + 1)) {
            votes[count] = vote;
            count += 1;
        }
    }
    let votes = &mut votes[..count];
    if count < SAMPLES / 3 {
        return 0;
    }
    votes.sort_unstable_by(|a, b| a.1.total_cmp(&b.1));
    let left = votes[count / 2].1;
    votes.sort_unstable_by_key(|vote| vote.0);
    let shift = votes[count / 2].0;
    let agree = votes
        .iter()
        .filter(|vote| (vote.0 - shift).abs() <= 1)
        .count();
    let is_sheared = 5 * agree >= 4 * count && left < 0.7;
    if is_sheared { shift } else { 0 }
}

/// Returns the shift at which two rows fit best, and the share of their difference that it leaves.
/// `None` for rows that fit at any shift.
fn vote(above: &[f32], below: &[f32]) -> Option<(i32, f32)> {
    let middle = &above[LARGEST_SHEAR..above.len() - LARGEST_SHEAR];
    let differences: [f32; 2 * LARGEST_SHEAR + 1] =
        std::array::from_fn(|shift| mean_difference(middle, &below[shift..][..middle.len()]));
    let largest = differences.iter().copied().fold(0.0, f32::max);
    let best = (0..differences.len()).min_by(|&a, &b| differences[a].total_cmp(&differences[b]))?;
    let (least, still) = (differences[best], differences[LARGEST_SHEAR]);
    let shift = best as i32 - LARGEST_SHEAR as i32;
    (largest - least >= 2.0).then(|| (shift, if still > 0.0 { least / still } else { 1.0 }))
}
